/**
 * All that changes items: a queue for each key that has work in hand.
 *
 * While one upload of a key is in flight, what comes for that key waits; then all of it is done in
 * memory, in order, on the state that the upload left, and goes out as one upload, and each is
 * answered when that has succeeded. So a key takes any number of commands a second, though the
 * service takes one write a second to one object.
 *
 * @module
 */

import { StoreError } from "../../errors.ts";
import type { Clock } from "../../clock.ts";
import { isExpired, type NewItem, type Swapped } from "../store.ts";
import { backoff, type Bucket, sleep, type Write } from "./bucket.ts";
import type { Counters } from "./counters.ts";
import type { Epoch } from "./epoch.ts";
import type { Hints, State } from "./hints.ts";
import {
  customTimeOf,
  metadataOf,
  newToken,
  newUnique,
  type Stored,
  tokensAfter,
} from "./metadata.ts";
import { nameOf } from "./name.ts";
import { expectsNothing, overwrites, type Plan, planOf, readsValue, type Step } from "./plan.ts";

/** How far apart a key's writes are kept once the service has asked for it, in milliseconds. */
const pace = 1000;

/** For how long after it asked, in milliseconds. */
const pacedFor = 60_000;

/**
 * For how long a write whose answer was lost may still be on its way, in milliseconds. Only one that
 * creates an object matters: the others replace a generation that will not come again.
 */
const unsureFor = 10 * 60_000;

/** How many commands may wait at once, and how many bytes they may hold. */
const greatestWaiting = 65_536;
const greatestBytes = 128 << 20;

/** Told of every change: what was live before and after, and under which name. */
export type Observer = (
  name: string,
  before: Stored | undefined,
  after: Stored | undefined,
) => void;

/** A step that waits for its answer. */
class Task {
  open = true;

  constructor(
    readonly step: Step,
    readonly until: number,
    readonly settle: (answer: Swapped | StoreError) => void,
  ) {}
}

/** The work in hand for one key. */
class Queue {
  waiting: Task[] = [];
  running = false;
  /** When the last write was answered. */
  written = -Infinity;
  /** Until when its writes are kept apart. */
  pacedUntil = -Infinity;
  /** What went wrong with its last write, if it did. */
  trouble = "";

  constructor(readonly key: string) {}
}

/** What a write came to, with the state that is there now. */
type Written =
  | { readonly kind: "done" | "overwritten" | "conflict" | "unknown"; readonly state: State }
  | { readonly kind: "limited" };

/** What a write puts beside the item's own attributes. */
type Marks = Pick<Stored, "cas" | "epoch" | "tokens"> & { unsure: number };

const nothing: State = { stored: undefined, value: undefined };

/** Changes items. Times are `performance.now()`'s. */
export class Writer {
  readonly #queues = new Map<string, Queue>();
  #waiting = 0;
  #bytes = 0;
  #idle: (() => void) | undefined;
  readonly #sweeper: ReturnType<typeof setInterval>;

  /** @param prefix what the objects' names begin with. */
  constructor(
    readonly bucket: Bucket,
    readonly prefix: string,
    readonly epoch: Epoch,
    readonly hints: Hints,
    readonly clock: Clock,
    readonly counters: Counters,
    readonly observer: Observer,
  ) {
    this.#sweeper = setInterval(() => this.#sweep(), 10_000);
  }

  /** Keys that have work in hand, or whose writes are kept apart. */
  get keys(): number {
    return this.#queues.size;
  }

  /** Commands that wait for their answer. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Does a step with a key.
   *
   * @param key the key as a `binaryString`.
   * @param until when it is too late for an answer.
   * @throws {StoreError} when it is too late, the service refuses, or nobody can know the answer.
   */
  do(key: string, step: Step, until: number): Promise<Swapped> {
    const size = "change" in step ? 0 : step.next?.value.length ?? 0;
    if (this.#waiting >= greatestWaiting || this.#bytes + size > greatestBytes) {
      throw new StoreError("Too many requests are waiting for the bucket");
    }
    this.#waiting++;
    this.#bytes += size;
    const { promise, resolve, reject } = Promise.withResolvers<Swapped>();
    const task = new Task(step, until, (answer) => {
      if (!task.open) return;
      task.open = false;
      clearTimeout(timer);
      this.#bytes -= size;
      if (--this.#waiting === 0) this.#idle?.();
      if (answer instanceof StoreError) reject(answer);
      else resolve(answer);
    });
    const queue = this.#queues.get(key) ?? new Queue(key);
    this.#queues.set(key, queue);
    const timer = setTimeout(
      () => task.settle(this.bucket.late(queue.trouble)),
      Math.max(0, until - performance.now()),
    );
    queue.waiting.push(task);
    if (!queue.running) void this.#run(queue);
    return promise;
  }

  /** Waits for all that is in hand, and ends. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    if (this.#waiting === 0) return;
    await new Promise<void>((resolve) => this.#idle = resolve);
  }

  async #run(queue: Queue): Promise<void> {
    queue.running = true;
    while (queue.waiting.length > 0) {
      const batch: Task[] = [];
      try {
        await this.#perform(queue, batch);
      } catch (error) {
        this.hints.delete(queue.key);
        const known = error instanceof StoreError;
        const reason = known ? error : new StoreError(`The bucket store failed: ${error}`);
        for (const task of batch) task.settle(reason);
      }
    }
    queue.running = false;
    if (queue.pacedUntil < performance.now()) this.#queues.delete(queue.key);
  }

  /** Takes all that waits into `batch`, does it, and answers it. */
  async #perform(queue: Queue, batch: Task[]): Promise<void> {
    const { key } = queue;
    const name = nameOf(key);
    let state: State | undefined = this.hints.get(key);
    // Whether the state was read since the last of the batch came: an answer that no write confirms
    // needs that.
    let fresh = false;
    for (;;) {
      await this.#keepPace(queue);
      batch.splice(0, batch.length, ...batch.filter((task) => task.open));
      if (queue.waiting.length > 0) {
        batch.push(...queue.waiting.splice(0));
        fresh = false;
      }
      if (batch.length === 0) return;
      const until = batch.reduce((latest, task) => Math.max(latest, task.until), 0);
      if (state === undefined && expectsNothing(batch[0].step)) state = nothing;
      if (state === undefined || this.#lacksValue(state, batch)) {
        state = await this.#read(key, name, batch, until);
        fresh = true;
      }
      const now = this.clock.now();
      const live = this.#isLive(state, now) ? state : nothing;
      const plan = planOf(batch.map((task) => task.step), live, now);
      if (plan.final === undefined || plan.final === null && state.stored === undefined) {
        if (fresh) return answer(batch, plan.answers);
        state = await this.#read(key, name, batch, until);
        fresh = true;
        continue;
      }
      const written = await this.#write(queue, name, plan, state, batch, until);
      switch (written.kind) {
        case "limited":
          continue;
        case "done":
        case "overwritten":
          this.#count(plan);
          this.observer(
            name,
            live.stored,
            this.#isLive(written.state, now) ? written.state.stored : undefined,
          );
          if (plan.cas === 0n && plan.final !== null) {
            // After what was overwritten its unique matches nothing any more: any will do.
            const { generation } = written.state.stored!;
            plan.answers[0] = written.kind === "done" ? BigInt(generation) : newUnique();
          }
          return answer(batch, plan.answers);
        case "unknown":
          for (const task of batch) if (!overwrites(task.step)) task.settle(unknown());
          break;
      }
      state = written.state;
      fresh = true;
    }
  }

  /** Sends a plan's write until it is known what became of it. */
  async #write(
    queue: Queue,
    name: string,
    plan: Plan,
    state: State,
    batch: readonly Task[],
    until: number,
  ): Promise<Written> {
    const { stored: base } = state;
    const now = this.clock.now();
    const token = newToken();
    const marks = {
      cas: plan.cas,
      epoch: this.epoch.current,
      tokens: tokensAfter(token, base),
      unsure: base !== undefined && base.unsure > now ? base.unsure : 0,
    };
    // Where a lost write may yet create the object it must not go away: it only expires.
    const final = plan.final ?? (marks.unsure === 0 ? null : { ...grave, exptime: now });
    let write = this.#prepare(name, final, marks, base);
    let unclear = 0;
    for (let tries = 0;; tries++) {
      const outcome = await write(until);
      queue.written = performance.now();
      let pause = backoff(tries);
      queue.trouble = "trouble" in outcome ? outcome.trouble : "";
      switch (outcome.kind) {
        case "done": {
          const after = stateAfter(final, marks, outcome.generation);
          this.hints.put(queue.key, after, queue.written);
          return { kind: "done", state: after };
        }
        case "conflict": {
          this.counters.conflicts++;
          const found = await this.#read(queue.key, name, batch, until);
          const tokens = found.stored?.tokens ?? [];
          if (tokens.includes(token)) {
            if (unclear > 1 && base === undefined && tokens[0] === token) {
              // One of the lost writes did it; another may yet, so the object has to say so.
              write = this.#prepare(name, final, marks, found.stored);
              unclear = 1;
              continue;
            }
            this.counters.resolved++;
            return { kind: tokens[0] === token ? "done" : "overwritten", state: found };
          }
          // Others wrote over what this was to replace, so this did not come to replace it.
          const replaced = base?.tokens[0];
          const known = replaced !== undefined && tokens.includes(replaced);
          return { kind: unclear === 0 || known ? "conflict" : "unknown", state: found };
        }
        case "limited":
          queue.pacedUntil = queue.written + pacedFor;
          if (unclear === 0) return { kind: "limited" };
          pause += pace;
          break;
        case "unclear":
          unclear++;
          if (base !== undefined || marks.unsure !== 0) break;
          marks.unsure = now + unsureFor;
          write = this.#prepare(name, final, marks, base);
      }
      if (performance.now() + pause > until || batch.every((task) => !task.open)) {
        throw this.bucket.late(queue.trouble);
      }
      await sleep(pause);
    }
  }

  /** Makes the write ready that puts `final` in the place of `base`. */
  #prepare(
    name: string,
    final: NewItem | null,
    marks: Marks,
    base: Stored | undefined,
  ): Write {
    const object = this.prefix + name;
    const replaces = base?.generation ?? "0";
    if (final === null) return this.bucket.remove(object, replaces);
    const metadata = metadataOf(final, marks);
    const customTime = customTimeOf(final.exptime);
    const [token] = marks.tokens;
    return this.bucket.insert(object, final.value, metadata, customTime, replaces, token);
  }

  #count({ final, changes }: Plan): void {
    if (final === null) this.counters.deletes++;
    else this.counters.uploads++;
    this.counters.coalesced += changes - 1;
  }

  async #read(
    key: string,
    name: string,
    batch: readonly Task[],
    until: number,
  ): Promise<State> {
    const sent = performance.now();
    const content = batch.some((task) => readsValue(task.step));
    const found = await this.bucket.get(this.prefix + name, until, { content }) ?? nothing;
    this.hints.put(key, found, sent);
    return found;
  }

  #lacksValue(state: State, batch: readonly Task[]): boolean {
    return state.value === undefined && this.#isLive(state, this.clock.now()) &&
      batch.some((task) => readsValue(task.step));
  }

  #isLive({ stored }: State, now: number): boolean {
    return stored !== undefined && stored.epoch >= this.epoch.current && !isExpired(stored, now);
  }

  async #keepPace(queue: Queue): Promise<void> {
    const now = performance.now();
    if (now > queue.pacedUntil) return;
    // Not all keys that were sent away at one moment come back at one moment.
    const rest = queue.written + pace * (1 + Math.random() / 20) - now;
    if (rest > 0) await sleep(rest);
  }

  /** Forgets the keys whose pace is no longer kept. */
  #sweep(): void {
    const now = performance.now();
    for (const [key, queue] of this.#queues) {
      if (!queue.running && queue.pacedUntil < now) this.#queues.delete(key);
    }
  }
}

/** What lies in the place of an item that was deleted, with an expiry in the past. */
const grave: Omit<NewItem, "exptime"> = {
  value: new Uint8Array(0),
  flags: 0,
  cas: 0n,
  stale: false,
  won: false,
  fetched: false,
  accessed: 0,
};

function stateAfter(final: NewItem | null, marks: Marks, generation: string): State {
  if (final === null) return nothing;
  const cas = marks.cas === 0n ? BigInt(generation) : marks.cas;
  const { value } = final;
  return { stored: { ...final, ...marks, generation, cas, size: value.length }, value };
}

function answer(batch: readonly Task[], answers: readonly Swapped[]): void {
  for (const [i, task] of batch.entries()) task.settle(answers[i]);
}

function unknown(): StoreError {
  return new StoreError(
    "The answer to a write was lost and others have written since: it cannot be known if it was done",
  );
}
