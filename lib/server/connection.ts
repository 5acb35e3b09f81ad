/**
 * One client's connection: read what has come, run it, make it last, answer it with one write.
 *
 * @module
 */

import type { Context } from "../commands/context.ts";
import { execute } from "../commands/execute.ts";
import { failureOf } from "../commands/failure.ts";
import { Session, type User } from "../commands/session.ts";
import type { Running } from "../commands/waiting.ts";
import { othersTurn } from "../others_turn.ts";
import type { Dialect, Guard } from "../protocol/dialect.ts";
import { ReceiveBuffer } from "../protocol/framing.ts";
import { afterLogin, negotiate, type Protocols } from "../protocol/negotiation.ts";
import { failures, Outcome, refused } from "../protocol/outcome.ts";
import { Request } from "../protocol/request.ts";
import type { Rounds } from "../rounds.ts";
import type { ClientMemory } from "./client_memory.ts";
import { LINES_A_TURN, sendFirstLines, sendListing } from "./listing.ts";
import { HIGH_WATER, type Outlet } from "./outlet.ts";
import { isDisconnect, type Socket } from "./socket.ts";
import { countRefusal } from "./refusals.ts";
import { Replies } from "./replies.ts";
import { Turn } from "./turn.ts";
import { traceOf, traceOfBytes } from "./trace.ts";
import { sendEvents } from "./watching.ts";
import { Exchange, isRetrieval, Window } from "./window.ts";

/** What all connections of a server have in common. */
export interface Surroundings {
  /** Seconds, counted coarsely: asking the clock at each read would cost more. */
  readonly ticks: number;
  /** The second since 1970, as coarse. */
  readonly seconds: number;
  readonly rounds: Rounds;
  readonly memory: ClientMemory;
}

/** Why a connection ended, in memcached's words. */
export type CloseReason = "error" | "normal" | "idle_timeout" | "shutdown";

/** What a connection is by the listener that it came by. */
export interface Origin {
  /** Its number, as `stats conns` and `watch` tell it. */
  readonly id: number;
  /** Where its client is, for the log. */
  readonly name: string;
  /** Its address without the port, which logins are counted by. */
  readonly host?: string;
  /** Who its client is by the certificate that it has shown. */
  readonly user?: User | undefined;
  /** The protocols that the listener takes. */
  readonly protocols: Protocols;
}

/** What a reply in hand counts beside its own bytes, in bytes: about as much as memcached's object. */
const REPLY_COST = 128;
/** What a line of a long reply takes until it is written, in bytes, about. */
const LINE_COST = 128;
/** Memory for replies that a connection keeps between batches, in bytes. */
const KEPT = 16 * 1024;
/** The work of a batch is looked at when this many bytes of it were read or written. */
const MUCH = 4 * 1024;

/**
 * The request and outcome that all connections of this thread fill in place, one after another: as long as
 * nothing is waited for, no other runs meanwhile. Where something is, the connection keeps them and
 * leaves others.
 */
let common = new Exchange();

/** A connection from its first byte to its last. */
export class Connection {
  /** The tick at which the last command was complete, or the last reply had gone out. */
  active: number;
  /** Where its client is. */
  readonly name: string;
  /** Bytes received and sent, and batches answered, since it was accepted. */
  received = 0;
  sent = 0;
  batches = 0;
  /** Requests that were read. */
  requests = 0;
  readonly #socket: Socket;
  readonly #context: Context;
  readonly #surroundings: Surroundings;
  readonly #protocols: Protocols;
  /** Who it is to the commands. */
  readonly session: Session;
  readonly #input: ReceiveBuffer;
  readonly #replies = new Replies();
  /** Their bytes. */
  readonly #out = this.#replies.out;
  /** Requests that wait for the store, once there was one that did. */
  #window: Window | undefined = undefined;
  /** The request in hand while something is waited for, and what comes of it; and more of them. */
  #inWork = common;
  #spare: Exchange[] = [];
  /** How long it has run without a wait. */
  readonly #turn = new Turn();
  /** Bytes of the values that wait for their turn in the replies. */
  #unanswered = 0;
  /** Bytes of memory that it was last said to hold. */
  #held = 0;
  /** The wire format, once the first byte has told. */
  #dialect: Dialect | undefined;
  /** Whether requests that were begun have no reply in `out` yet: the batch is theirs too. */
  #settling = false;
  #reading = false;
  /** Whether the connection ends with this batch: the client has left, or the server wants it. */
  #ending = false;
  #left = false;
  /** Replies in hand, and whether they are lost, as there was no memory for the next. */
  #inHand = 0;
  #lost = false;
  /** Whether it receives a stream of what happens. */
  #watching = false;
  /** Why it ended, for those who watch. */
  closeReason: CloseReason = "normal";

  constructor(socket: Socket, context: Context, surroundings: Surroundings, origin: Origin) {
    this.#socket = socket;
    this.#context = context;
    this.#surroundings = surroundings;
    this.#protocols = origin.protocols;
    this.session = new Session(
      origin.id,
      context.users === undefined && !context.sasl,
      origin.host,
    );
    if (origin.user !== undefined) {
      this.session.admit(origin.user);
      context.audit?.say("login by certificate", this.session);
    }
    this.session.owner = this;
    // With a bound on replies in hand they are those to what memcached would have read in one go.
    this.#input = new ReceiveBuffer(context.replyMemory !== Infinity);
    this.session.batch.giver = this.#input;
    this.name = origin.name;
    this.active = surroundings.ticks;
  }

  /** Serves the client until it leaves, or the server ends it. Never rejects. */
  async serve(): Promise<void> {
    const { rounds } = this.#surroundings;
    const { timing } = this.#context;
    rounds.join();
    try {
      for await (const count of this) {
        this.#input.added(count);
        this.#dialect ??= this.#chooseDialect();
        if (this.#dialect === undefined) break;
        this.session.batch.seconds = this.#surroundings.seconds;
        let running: Promise<void> | undefined;
        if (timing === undefined) running = this.#run();
        else {
          const span = (this.session.timed = timing.begin())?.span;
          running = span === undefined ? this.#run() : span.run(() => this.#run());
        }
        if (running !== undefined) await running;
        const committed = this.#commit();
        if (committed !== undefined) {
          // Here and not by a `catch` of the promise, which would make another.
          try {
            await committed;
          } catch (error) {
            this.#takeBack(error);
          }
        }
        if (this.#hasReplies()) {
          // Not by #write, an async function, whose promise each batch would cost.
          const rest = this.#wrote(await this.#beginWrite());
          if (rest !== undefined) await rest;
        }
        if (this.session.timed !== undefined) this.#endTiming();
        if (this.#ending) break;
      }
    } catch (error) {
      // A read that the server itself has ended fails as well.
      if (this.closeReason === "normal") this.closeReason = "error";
      if (error instanceof Deno.errors.InvalidData) this.#context.counters.ssl_proto_errors++;
      // A client that goes away in the middle is no news.
      if (!isDisconnect(error)) this.#context.log(`connection ended: ${failureText(error)}`);
    } finally {
      rounds.leave();
      // A client that did not wait for its reply is among those that waited longest.
      if (this.session.timed !== undefined) this.#endTiming();
      // What still comes from the store is nobody's any more.
      this.session.owner = undefined;
      this.close();
      // Memory that requests are still carried out from is for the garbage collector.
      if (!this.#isWaited) {
        this.#input.release();
        this.#out.release();
      }
    }
  }

  /** The batch in hand is over. */
  #endTiming(): void {
    this.#context.timing!.end(this.session.timed!, this.session.id);
    this.session.timed = undefined;
  }

  /** The lengths of the chunks that the client sends, each put where the receive buffer wants it. */
  [Symbol.asyncIterator](): AsyncIterator<number> {
    const { rounds, memory } = this.#surroundings;
    // Made once: a chunk costs no closure, and no promise beyond those of the read.
    const step = { done: false as const, value: 0 };
    let room: Uint8Array;
    let goOn: () => void;
    const next = () => {
      this.#reading = true;
      return this.#turn.isOver ? this.#yield().then(begin) : begin();
    };
    const begin = () => rounds.next(go) ? prepare() : new Promise<void>(hold).then(prepare);
    const hold = (resolve: () => void) => void (goOn = resolve);
    const go = () => goOn();
    const prepare = () => {
      try {
        room = this.#input.room();
        this.#account();
        const turn = memory.turn(this);
        return turn === undefined ? read() : turn.then(read);
      } catch (error) {
        // There was no memory, say: the round must not wait for a read that was not begun.
        return fail(error);
      }
    };
    const read = () => this.#socket.read(room).then(take, fail);
    const fail = (error: unknown): never => {
      rounds.readDone();
      throw error;
    };
    const take = (count: number | null): IteratorResult<number> => {
      rounds.readDone();
      this.#reading = false;
      if (count === null) return { done: true, value: undefined };
      // More may have come already where the room is full; else the next read waits, and others run.
      if (count < room.length) this.#turn.read(count);
      else this.#turn.bytes(count);
      this.#context.counters.bytes_read += count;
      this.received += count;
      this.batches++;
      if (this.#context.live.verbosity > 2) this.#traceBytes("read", count);
      step.value = count;
      return step;
    };
    return { next };
  }

  /** The protocol that its client speaks; `none` as long as nothing has come. */
  get protocol(): "text" | "binary" | "none" {
    if (this.#dialect === undefined) return "none";
    return this.#dialect.name === "binary" ? "binary" : "text";
  }

  /** What the connection does, in memcached's word for it (`stats conns`). */
  get state(): string {
    if (this.#watching) return "conn_watch";
    if (!this.#reading) return "conn_parse_cmd";
    return this.#input.held > 0 ? "conn_nread" : "conn_read";
  }

  /**
   * Whether nothing has happened for more than so many ticks: no command was complete, and no reply went
   * out (memcached's `idle_timeout`).
   */
  isIdle(ticks: number): boolean {
    return this.#reading && !this.#watching && this.#surroundings.ticks - this.active > ticks;
  }

  /** Gives back the memory that a connection needs only while it works, where it waits for its client. */
  rest(): void {
    if (!this.#reading || this.#watching || this.#out.total > 0) return;
    this.#replies.release();
    this.#inWork = common;
    if (this.#spare.length > 0) this.#spare = [];
    this.#account();
  }

  /** Ends the connection: immediately if it waits for the client, else when its batch is answered. */
  end(): void {
    this.#ending = true;
    if (this.#reading) this.close();
  }

  /** Ends the connection whatever it does. */
  close(): void {
    this.#ending = true;
    // It may wait for memory, which it needs no more.
    this.#surroundings.memory.leave(this);
    try {
      this.#socket.close();
    } catch {
      // It was closed before.
    }
  }

  #traceBytes(direction: "read" | "sent", bytes: number): void {
    this.#context.log(traceOfBytes(this.session.id, direction, bytes), "debug");
  }

  #chooseDialect(): Dialect | undefined {
    const { users, limits, sasl } = this.#context;
    const protocols = users !== undefined && !sasl ? "ascii" : this.#protocols;
    return negotiate(
      this.#input.bytes[this.#input.start],
      protocols,
      limits,
      this.session.authenticated,
      this.#guard,
    );
  }

  /** Values that it waited for have come from the store, or it holds more of another kind. */
  grew(): void {
    this.#account();
  }

  /** Says how much memory it holds, where that has changed. */
  #account(): void {
    // Values are counted by what the store knows of them beforehand, or when they are there.
    const window = this.#window;
    const inHand = window === undefined ? this.#unanswered : window.bytes + this.#unanswered;
    const values = Math.max(inHand, this.session.arrived);
    const held = this.#input.memory + this.#replies.memory + values;
    if (held === this.#held) return;
    this.#held = held;
    this.#surroundings.memory.hold(this, held);
  }

  /** Runs all requests that are complete; without a promise as long as the store needs none. */
  #run(): Promise<void> | undefined {
    const { requestsPerTurn } = this.#context;
    let dialect = this.#dialect!;
    const input = this.#input;
    const turn = this.#turn;
    const { request, outcome } = common;
    let turns = 0;
    while (!this.#left) {
      if (turns++ === requestsPerTurn || turn.isOver) {
        return this.#yield().then(this.#goOn);
      }
      const from = input.start;
      if (!dialect.next(input, request)) break;
      const taken = input.start - from;
      this.#countReply(request);
      const running = execute(request, outcome, this.session, this.#context);
      if (running !== undefined || outcome.code === "dump" || outcome.code === "watch") {
        this.#inWork = common;
        common = this.#spare.pop() ?? new Exchange();
        return this.#runOn(dialect, running);
      }
      this.#answer(dialect, request, outcome);
      if (request.op === "login") dialect = this.#afterLogin(dialect);
      this.#work(request, taken);
      if (!this.#mustFlush) continue;
      turn.bytes(this.#out.total);
      const flushing = this.#flush();
      if (flushing !== undefined) return flushing.then(this.#goOn);
    }
    if (turns > 1) this.active = this.#surroundings.ticks;
    return undefined;
  }

  /** Made once: no closure is made where the batch goes on after a wait. */
  readonly #goOn = () => this.#run();

  /** Counts the work that a request was, whose bytes in the receive buffer were so many. */
  #work(request: Request, taken: number): void {
    const turn = this.#turn;
    if (request.keyLength === 0) turn.rareRequest();
    else turn.request();
    if (taken > MUCH) turn.bytes(taken);
    this.#countChanges();
  }

  /** Counts what changes of values were, where that is much for a request. */
  #countChanges(): void {
    const { batch } = this.session;
    if (batch.changed <= MUCH) return;
    this.#turn.bytes(batch.changed);
    batch.changed = 0;
  }

  /**
   * Counts a request, and the reply that it will have. Where there is no memory for it (`-o read_buf_mem_limit`),
   * memcached answers a retrieval of the text protocol with an error, and ends the connection with any
   * other request, without the replies in hand.
   */
  #countReply(request: Request): void {
    this.requests++;
    if (request.isBinary) this.#context.counters.binary_requests++;
    else this.#context.counters.line_requests++;
    const bytes = ++this.#inHand * REPLY_COST + this.#out.total;
    if (bytes <= this.#context.replyMemory || this.#replies.isSpoiled) return;
    this.#context.counters.response_obj_oom++;
    if (isRetrieval(request) && !request.isMeta && !request.isBinary) {
      request.refuse(failures.noReplyMemory);
    } else {
      request.hangUp(request.bytes);
      this.#lost = true;
    }
  }

  /** Lets others have a turn. */
  #yield(): Promise<void> {
    this.#context.counters.conn_yields++;
    this.#turn.begin();
    return othersTurn();
  }

  /** Runs the rest of a batch from a request on that something must be waited for. */
  async #runOn(dialect: Dialect, running: Running | undefined): Promise<void> {
    const { store, limits, requestsPerTurn } = this.#context;
    // Others run between what the store does with these requests and their replies.
    this.#input.pin();
    const window = this.#window ??= new Window(store, limits.itemSize);
    for (let turns = 1;; turns++) {
      const { request, outcome } = this.#inWork;
      if (request.op === "login") {
        // What follows is read by what came of it.
        if (running instanceof Promise) await running;
        this.#answer(dialect, request, outcome);
        dialect = this.#afterLogin(dialect);
      } else if (running !== undefined || !window.isEmpty) {
        window.add(this.#inWork, running);
        this.#inWork = this.#spare.pop() ?? new Exchange();
      } else if (outcome.code === "dump") await this.#dump(dialect, outcome);
      else if (outcome.code === "watch") await this.#watch(dialect, outcome);
      else this.#answer(dialect, request, outcome);
      this.#turn.request();
      this.#countChanges();
      if (this.#mustFlush) await this.#flush();
      if (this.#turn.isOver || turns % requestsPerTurn === 0) await this.#yield();
      const next = this.#inWork;
      if (this.#left || !dialect.next(this.#input, next.request)) break;
      this.#countReply(next.request);
      if (!window.admits(next.request)) {
        await this.#settle(dialect, window);
        // One of those has ended the connection: nothing behind it is run.
        if (this.#left) break;
      }
      running = execute(next.request, next.outcome, this.session, this.#context);
    }
    this.#inWork.release();
    this.#spare.push(this.#inWork);
    await this.#settle(dialect, window);
    this.active = this.#surroundings.ticks;
  }

  /** Waits for the requests in the window and answers them in order. */
  async #settle(dialect: Dialect, window: Window): Promise<void> {
    this.#unanswered = window.bytes;
    const pending = window.take();
    this.#account();
    let retrievals = 0;
    let bytes = 0;
    this.#settling = true;
    for (const exchange of pending) {
      const { request, outcome, running } = exchange;
      if (running instanceof Promise) await running;
      else if (running?.isOver === false) await running.over;
      if (outcome.lines > LINES_A_TURN) await this.#answerFirst(dialect, request, outcome);
      const before = this.#out.total;
      this.#answer(dialect, request, outcome);
      if (isRetrieval(request)) {
        retrievals++;
        bytes += this.#out.total - before;
      }
      if (running !== undefined) {
        this.session.depart(outcome);
        if (!(running instanceof Promise)) running.release();
      }
      exchange.release();
      this.#spare.push(exchange);
      if (this.#mustFlush) await this.#flush();
    }
    this.#settling = false;
    this.#unanswered = 0;
    window.answered(retrievals, bytes);
  }

  /** Sends all but the last lines of a long reply, which counts as memory meanwhile. */
  async #answerFirst(dialect: Dialect, request: Request, outcome: Outcome): Promise<void> {
    await this.#flush();
    this.#unanswered = outcome.lines * LINE_COST;
    this.#account();
    await sendFirstLines(this.#outlet(), dialect, request, outcome);
  }

  /** Puts what came of a request among the replies that go out. */
  #answer(dialect: Dialect, request: Request, outcome: Outcome): void {
    if (outcome.closes) {
      this.#left = this.#ending = true;
      if (request.op !== "quit") this.closeReason = "error";
    }
    const { live, counters } = this.#context;
    if (outcome.code === "failed") countRefusal(counters, outcome.failure);
    if (live.verbosity > 1) this.#context.log(traceOf(request, outcome, this.session.id), "debug");
    this.#replies.add(dialect, request, outcome);
  }

  /** Who says what may be stored, where there are users. */
  get #guard(): Guard | undefined {
    return this.#context.users === undefined ? undefined : this.session;
  }

  /** A client that has logged in may send more, in the same stream of bytes. */
  #afterLogin(dialect: Dialect): Dialect {
    if (!this.session.authenticated || !dialect.isLogin) return dialect;
    return this.#dialect = afterLogin(dialect, this.#context.limits, this.#guard);
  }

  /** Answers with a listing of keys, part after part. */
  async #dump(dialect: Dialect, { dumpFormat, dump }: Outcome): Promise<void> {
    try {
      if (this.#refusesAfterOthers(dialect, dumpFormat)) return;
      await sendListing(this.#outlet(), dialect, dumpFormat, dump!, this.#context);
    } finally {
      this.#context.listings.end();
    }
  }

  /** Becomes a watcher, until the client leaves. */
  async #watch(dialect: Dialect, { watch }: Outcome): Promise<void> {
    const stream = watch!;
    if (this.#refusesAfterOthers(dialect, "watch")) return stream.close();
    if (stream.ready !== undefined && !await stream.ready) {
      stream.close();
      return this.#replies.fail(dialect, failures.tooManyWatchers);
    }
    try {
      // What was asked before and wanted no answer must not wait until the watcher leaves.
      await this.#context.store.commit(this.session.batch);
    } catch (error) {
      stream.close();
      return this.#replies.fail(dialect, failureOf(error, this.#context));
    }
    this.#left = this.#ending = true;
    this.#input.drop();
    this.#out.ascii("OK\r\n");
    await this.#write();
    this.#watching = this.#reading = true;
    await sendEvents(this.#outlet(), this.#socket, stream);
  }

  /** The way out for a stream. */
  #outlet(): Outlet {
    return {
      name: this.name,
      out: this.#out,
      commit: async () => {
        await this.#context.store.commit(this.session.batch);
        this.#clearBatch();
      },
      write: () => this.#write(),
      work: (bytes) => {
        this.#turn.bytes(bytes);
        return this.#turn.isOver ? this.#yield() : undefined;
      },
      close: () => this.close(),
    };
  }

  /** Whether a stream cannot begin because other replies must go out first: memcached refuses it. */
  #refusesAfterOthers(dialect: Dialect, what: string): boolean {
    if (this.#out.total === 0) return false;
    this.#replies.fail(dialect, refused(`cannot pipeline other commands before ${what}`));
    return true;
  }

  /** Makes what was run last, then lets the replies go. A promise only where there is a wait. */
  #flush(): Promise<void> | undefined {
    const committed = this.#commit();
    return committed === undefined ? this.#send() : this.#sendAfter(committed);
  }

  async #sendAfter(committed: Promise<void>): Promise<void> {
    try {
      await committed;
    } catch (error) {
      this.#takeBack(error);
    }
    await this.#send();
  }

  /**
   * Makes what was run last; where it has not come to last, the replies say so: the caller takes them back
   * where it waits for that, and it fails.
   */
  #commit(): Promise<void> | undefined {
    try {
      const committed = this.#context.store.commit(this.session.batch);
      if (committed instanceof Promise) return committed;
    } catch (error) {
      this.#takeBack(error);
    }
    return undefined;
  }

  /** Whether so much is to go out that it goes before anything else is run, or waits elsewhere to be sent. */
  get #mustFlush(): boolean {
    return this.#out.total >= HIGH_WATER || this.#out.isBorrowed;
  }

  /** Whether requests that were begun have no reply yet. */
  get #isWaited(): boolean {
    return this.#settling || this.#window !== undefined && !this.#window.isEmpty;
  }

  /** The next requests begin with nothing to depend on, when all before them are answered. */
  #clearBatch(): void {
    if (!this.#isWaited) this.session.batch.clear();
  }

  /** Lets the replies go, where there are any. */
  #send(): Promise<void> | undefined {
    return this.#hasReplies() ? this.#write() : undefined;
  }

  /** Whether there are replies to be sent, for requests that are kept. */
  #hasReplies(): boolean {
    this.#clearBatch();
    if (this.#lost) this.#out.clear();
    if (this.#out.total > 0) return true;
    this.#replies.settle();
    this.#inHand = 0;
    return false;
  }

  /** Nothing that was to be answered has come to last: each reply becomes the error. */
  #takeBack(error: unknown): void {
    const { counters } = this.#context;
    const failure = failureOf(error, this.#context);
    countRefusal(counters, failure, this.#replies.takeBack(this.#dialect!, failure));
  }

  async #write(): Promise<void> {
    await this.#wrote(await this.#beginWrite());
  }

  /** Sends the replies, or as many of them as there is room for: how many bytes. */
  #beginWrite(): Promise<number> {
    const { total } = this.#out;
    this.#account();
    this.#context.counters.bytes_written += total;
    this.sent += total;
    if (this.#context.live.verbosity > 2) this.#traceBytes("sent", total);
    return this.#socket.write(this.#out.isBorrowed ? this.#out.parts()[0]! : this.#out.view());
  }

  /** Goes on when the first part of what is in `out`, and mostly all of it, was written. */
  #wrote(written: number): Promise<void> | undefined {
    this.#surroundings.rounds.writeDone();
    if (written < this.#out.total) return this.#writeRest(written);
    this.#written();
    return undefined;
  }

  async #writeRest(written: number): Promise<void> {
    for (const bytes of this.#out.parts()) {
      while (written < bytes.length) written += await this.#socket.write(bytes.subarray(written));
      written -= bytes.length;
    }
    this.#written();
  }

  #written(): void {
    this.#out.clear(KEPT);
    this.#replies.settle();
    this.#inHand = 0;
    // While a reply goes out the client is busy with that.
    this.active = this.#surroundings.ticks;
  }
}

function failureText(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
