/**
 * One client's connection: read what has come, run it, make it last, answer it with one write.
 *
 * @module
 */

import { ByteBuffer } from "../bytes.ts";
import type { Context } from "../commands/context.ts";
import { execute, failure } from "../commands/execute.ts";
import type { Reply, Request } from "../protocol/message.ts";
import { Parser } from "../protocol/parser.ts";
import {
  encodeDumped,
  encodeDumpEnd,
  encodeDumpStart,
  encodeReply,
  type Whole,
} from "../protocol/reply.ts";
import { Batch } from "../storage/contract.ts";
import type { Rounds } from "../rounds.ts";
import { Window } from "./window.ts";

/** What a connection needs of a socket. */
export interface Socket {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** What all connections of a server have in common. */
export interface Surroundings {
  /** Seconds, counted coarsely: asking the clock at each read would cost more. */
  readonly ticks: number;
  readonly rounds: Rounds;
}

/** Replies go out when this many bytes of them wait: a slow reader costs no more memory. */
const HIGH_WATER = 256 * 1024;
/** Memory for replies that a connection keeps between batches, in bytes. */
const KEPT = 16 * 1024;

/** A connection from its first byte to its last. */
export class Connection {
  /** The tick at which the last bytes came. */
  active: number;
  private readonly parser: Parser;
  private readonly out = new ByteBuffer(2048);
  private readonly window: Window;
  /** Replies in `out`: what a commit that fails must take back. */
  private uncommitted = 0;
  /** Whether the retrieval that was answered last has more keys. */
  private inRetrieval = false;
  /** Whether that retrieval ended with an error, so that its other keys get no answer. */
  private spoiled = false;
  /** What the store notes of the requests that were read in one go. */
  private readonly batch = new Batch();
  /** Whether requests that were begun have no reply in `out` yet: the batch is theirs too. */
  private settling = false;
  private reading = false;
  /** Whether the connection ends with this batch: the client has left, or the server wants it. */
  private ending = false;
  private left = false;

  constructor(
    private readonly socket: Socket,
    private readonly context: Context,
    private readonly surroundings: Surroundings,
  ) {
    this.parser = new Parser(context.limits);
    this.window = new Window(context.store.ordered ?? false);
    this.active = surroundings.ticks;
  }

  /** Serves the client until it leaves, or the server ends it. Never rejects. */
  async serve(): Promise<void> {
    const { rounds } = this.surroundings;
    rounds.join();
    try {
      for await (const count of this) {
        this.parser.added(count);
        this.batch.seconds = Math.floor(this.context.clock.now() / 1000);
        const running = this.run();
        if (running !== undefined) await running;
        const flushing = this.flush();
        if (flushing !== undefined) await flushing;
        if (this.ending) break;
      }
    } catch (error) {
      // A client that goes away in the middle is no news.
      if (!isDisconnect(error)) this.context.log(`connection ended: ${failureText(error)}`);
    } finally {
      rounds.leave();
      this.close();
    }
  }

  /** The lengths of the chunks that the client sends, each put where the parser wants it. */
  [Symbol.asyncIterator](): AsyncIterator<number> {
    const { rounds } = this.surroundings;
    const next = async (): Promise<IteratorResult<number>> => {
      this.reading = true;
      const turn = rounds.next();
      if (turn !== undefined) await turn;
      let count: number | null;
      try {
        count = await this.socket.read(this.parser.room());
      } finally {
        rounds.readDone();
      }
      this.reading = false;
      if (count === null) return { done: true, value: undefined };
      this.active = this.surroundings.ticks;
      this.context.counters.bytes_read += count;
      return { done: false, value: count };
    };
    return { next };
  }

  /** Whether the connection waits for its client. */
  get isReading(): boolean {
    return this.reading;
  }

  /** Ends the connection: at once if it waits for the client, else when its batch is answered. */
  end(): void {
    this.ending = true;
    if (this.reading) this.close();
  }

  /** Ends the connection whatever it does. */
  close(): void {
    this.ending = true;
    try {
      this.socket.close();
    } catch {
      // It was closed before.
    }
  }

  /** Runs all requests that are complete; without a promise as long as the store needs none. */
  private run(): Promise<void> | undefined {
    while (!this.left) {
      const request = this.parser.next();
      if (request === undefined) return undefined;
      const reply = execute(request, this.context, this.batch);
      if (reply instanceof Promise || reply.kind === "dump") return this.runOn(request, reply);
      this.answer(request, reply);
      if (this.out.length >= HIGH_WATER) return this.flush()?.then(() => this.run());
    }
    return undefined;
  }

  /** Runs the rest of a batch from a request on that something must be waited for. */
  private async runOn(request: Request, reply: Reply | Promise<Reply>): Promise<void> {
    const { window } = this;
    for (;;) {
      if (reply instanceof Promise || !window.isEmpty) window.add(request, reply);
      else if (reply.kind === "dump") await this.dump(reply);
      else this.answer(request, reply);
      if (this.out.length >= HIGH_WATER) await this.flush();
      const next = this.left ? undefined : this.parser.next();
      if (next === undefined) break;
      if (!window.admits(next)) await this.settle();
      request = next;
      reply = execute(next, this.context, this.batch);
    }
    await this.settle();
  }

  /** Waits for the requests in the window and answers them in order. */
  private async settle(): Promise<void> {
    const pending = this.window.take();
    let retrievals = 0;
    let bytes = 0;
    this.settling = true;
    for (const { request, reply } of pending) {
      const before = this.out.length;
      this.answer(request, await reply as Whole);
      if ("last" in request) {
        retrievals++;
        bytes += this.out.length - before;
      }
      if (this.out.length >= HIGH_WATER) await this.flush();
    }
    this.settling = false;
    this.window.learn(retrievals, bytes);
  }

  /** Puts a reply among those that go out. */
  private answer(request: Request, reply: Exclude<Reply, { kind: "dump" }>): void {
    if (reply.kind === "close") {
      this.left = this.ending = true;
      return;
    }
    if (request.noreply) return;
    const hasMore = "last" in request && !request.last;
    this.inRetrieval = hasMore;
    if (this.spoiled) {
      this.spoiled = hasMore;
      return;
    }
    encodeReply(reply, this.out);
    if (!hasMore) this.uncommitted++;
    else if (reply.kind === "error") {
      // An error ends the reply to a retrieval, so its other keys must add nothing to it.
      this.spoiled = true;
      this.uncommitted++;
    }
  }

  /** Answers with a listing of keys, part after part. */
  private async dump({ format, items }: Extract<Reply, { kind: "dump" }>): Promise<void> {
    const { out } = this;
    if (out.length > 0) {
      const line = `ERROR cannot pipeline other commands before ${format}`;
      encodeReply({ kind: "error", line }, out);
      this.uncommitted++;
      return;
    }
    encodeDumpStart(out);
    let isEmpty = true;
    try {
      for await (const group of items) {
        isEmpty &&= group.length === 0;
        encodeDumped(format, group, out);
        if (out.length >= HIGH_WATER) await this.show();
      }
      encodeDumpEnd(format, out);
      await this.show();
    } catch (error) {
      if (isDisconnect(error)) throw error;
      // What the list had before it failed is shown, if it may be.
      if (!isEmpty) {
        await this.show().catch((error) => {
          if (isDisconnect(error)) throw error;
        });
      }
      out.clear();
      encodeReply(failure(error, this.context), out);
      await this.write();
    }
  }

  /** Sends a part of a listing when all that it shows is safe. */
  private async show(): Promise<void> {
    await this.context.store.commit(this.batch);
    await this.write();
  }

  /** Makes what was run last, then lets the replies go. A promise only where there is a wait. */
  private flush(): Promise<void> | undefined {
    const { store } = this.context;
    try {
      const committed = store.commit(this.batch);
      if (committed instanceof Promise) {
        return committed.catch((error) => this.takeBack(error)).then(() => this.send());
      }
    } catch (error) {
      this.takeBack(error);
    }
    return this.send();
  }

  /** Lets the replies go, where there are any. */
  private send(): Promise<void> | undefined {
    if (!this.settling && this.window.isEmpty) this.batch.clear();
    return this.out.length > 0 ? this.write() : undefined;
  }

  /** Nothing that was to be answered has come to last: each reply becomes the error. */
  private takeBack(error: unknown): void {
    const reply = failure(error, this.context);
    this.out.clear();
    let owed = this.uncommitted;
    if (this.inRetrieval && !this.spoiled) {
      this.spoiled = true;
      owed++;
    }
    for (; owed > 0; owed--) encodeReply(reply, this.out);
  }

  private async write(): Promise<void> {
    const { out } = this;
    const bytes = out.view();
    this.context.counters.bytes_written += bytes.length;
    let written = await this.socket.write(bytes);
    this.surroundings.rounds.writeDone();
    while (written < bytes.length) written += await this.socket.write(bytes.subarray(written));
    out.clear(KEPT);
    this.uncommitted = 0;
  }
}

function isDisconnect(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.UnexpectedEof ||
    error instanceof Deno.errors.NotConnected ||
    error instanceof Deno.errors.TimedOut;
}

function failureText(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
