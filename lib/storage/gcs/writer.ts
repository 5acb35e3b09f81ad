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

import type { Clock } from "../../clock.ts";
import { StoreError } from "../../errors.ts";
import { bytesOfBinaryString } from "../../bytes.ts";
import { KeyedMap } from "../../keyed_map.ts";
import type { Accesses } from "../accesses.ts";
import { isExpired, type Swapped, type Updated } from "../contract.ts";
import type { Bucket } from "./bucket.ts";
import type { Counters } from "./counters.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Epoch } from "./epoch.ts";
import { type Hints, nothing, type State } from "./hints.ts";
import type { Stored } from "./metadata.ts";
import { nameOf } from "./name.ts";
import {
  type Answer,
  deletes,
  expectsNothing,
  overwrites,
  type Plan,
  planOf,
  readsValue,
  type Step,
} from "./plan.ts";
import { Queue, Task } from "./queue.ts";
import { pace, Uploader } from "./upload.ts";

/** How many commands may wait, and how many bytes they may hold. */
const greatestWaiting = 65_536;
const greatestBytes = 128 << 20;

/** How many keys may be remembered that have no work in hand. */
const greatestRemembered = 100_000;

/** Told of every change: what was live before and after, and under which name. */
export type Observer = (
  name: string,
  before: Stored | undefined,
  after: Stored | undefined,
) => void;

/** Changes items. Times are `performance.now()`'s. */
export class Writer {
  readonly #queues = new KeyedMap<Queue>();
  #waiting = 0;
  #bytes = 0;
  #idle: (() => void) | undefined;
  readonly #uploader: Uploader;
  readonly #sweeper: ReturnType<typeof setInterval>;

  /** @param prefix what the objects' names begin with. */
  constructor(
    readonly bucket: Bucket,
    readonly prefix: string,
    readonly epoch: Epoch,
    readonly hints: Hints,
    readonly clock: Clock,
    readonly deadlines: Deadlines,
    readonly counters: Counters,
    readonly accesses: Accesses,
    readonly observer: Observer,
  ) {
    this.#uploader = new Uploader(bucket, epoch, clock, counters);
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
  do(key: string, step: Step, until: number): Promise<Swapped | Updated<unknown>> {
    const size = "change" in step ? 0 : step.next?.value.length ?? 0;
    if (this.#waiting >= greatestWaiting || this.#bytes + size > greatestBytes) {
      throw new StoreError("Too many requests are waiting for the bucket");
    }
    this.#waiting++;
    this.#bytes += size;
    const { promise, resolve, reject } = Promise.withResolvers<Swapped | Updated<unknown>>();
    const task = new Task(step, until, (answer) => {
      if (!task.open) return;
      task.open = false;
      this.deadlines.clear(deadline);
      this.#bytes -= size;
      if (--this.#waiting === 0) this.#idle?.();
      if (answer instanceof StoreError) reject(answer);
      else if ("change" in step) {
        resolve({ cas: answer.swapped as bigint, result: answer.result });
      } else resolve(answer.swapped);
    });
    const bytes = bytesOfBinaryString(key);
    let queue = this.#queues.get(bytes);
    if (queue === undefined) this.#queues.set(bytes, queue = new Queue(key));
    const deadline = this.deadlines.set(
      until,
      () => task.settle(this.bucket.late(queue.trouble)),
    );
    queue.waiting.push(task);
    if (!queue.running) {
      queue.running = true;
      // What else comes for the key in this turn, from a pipeline, goes along.
      queueMicrotask(() => void this.#run(queue));
    }
    return promise;
  }

  /** Waits for all that is in hand, and ends. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    if (this.#waiting === 0) return;
    await new Promise<void>((resolve) => this.#idle = resolve);
  }

  async #run(queue: Queue): Promise<void> {
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
    if (!this.#isRemembered(queue)) this.#queues.delete(bytesOfBinaryString(queue.key));
  }

  /** Whether there is something to remember of a key that has no work in hand. */
  #isRemembered(queue: Queue): boolean {
    const paced = queue.pacedUntil > performance.now();
    return (paced || queue.unsure > this.clock.now()) && this.#queues.size < greatestRemembered;
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
      if (queue.waiting.length > 0) {
        batch.push(...queue.waiting.splice(0));
        fresh = false;
        const epochKnown = this.epoch.ready(latest(batch));
        if (epochKnown !== undefined) await epochKnown;
      }
      batch.splice(0, batch.length, ...batch.filter((task) => task.open));
      if (batch.length === 0) return;
      const until = latest(batch);
      if (state === undefined && expectsNothing(batch[0].step)) state = nothing;
      if (state === undefined || this.#lacksValue(state, batch)) {
        state = await this.#read(key, name, batch, until);
        fresh = true;
      }
      const now = this.clock.now();
      const live = this.#isLive(state, now) ? this.#accessed(key, state) : nothing;
      let plan = planOf(batch.map((task) => task.step), live, now);
      if (this.#mayCome(queue, state, batch, now)) plan = { ...plan, final: plan.final ?? null };
      else if (plan.final === undefined || plan.final === null && state.stored === undefined) {
        if (fresh) {
          this.#note(key, state, plan);
          return answer(batch, plan.answers);
        }
        state = await this.#read(key, name, batch, until);
        fresh = true;
        continue;
      }
      const written = await this.#uploader.write({
        object: this.prefix + name,
        queue,
        plan,
        base: state.stored,
        until,
        isWanted: () => batch.some((task) => task.open),
        read: () => this.#read(key, name, batch, until),
      });
      switch (written.kind) {
        case "limited":
          continue;
        case "done":
        case "overwritten":
          this.hints.put(key, written.state, queue.written);
          this.#count(name, plan, live, this.#isLive(written.state, now) ? written.state : nothing);
          // What was overwritten has a generation that nobody knows: its stand-in will do.
          if (plan.standIn !== 0n && written.kind === "done") {
            const generation = BigInt(written.state.stored!.generation);
            for (const one of plan.answers) {
              if (one.swapped === plan.standIn) one.swapped = generation;
            }
          }
          this.#note(key, written.state, plan);
          return answer(batch, plan.answers);
        case "unknown":
          for (const task of batch) {
            if (!overwrites(task.step)) task.settle(unknown(plan, written.state));
          }
          break;
      }
      state = written.state;
      fresh = true;
    }
  }

  /**
   * Whether a delete that finds nothing is to put something there: a write that was lost may yet create the object,
   * and what was not found must not come after that.
   */
  #mayCome(queue: Queue, { stored }: State, batch: readonly Task[], now: number): boolean {
    return stored === undefined && queue.unsure > now && batch.some(({ step }) => deletes(step));
  }

  /** A state with what is known of accesses to it. */
  #accessed(key: string, { stored, value }: State): State {
    const seen = this.accesses.of(bytesOfBinaryString(key), Number(stored!.generation));
    if (seen < 0) return { stored, value };
    return { stored: { ...stored!, fetched: true, accessed: seen }, value };
  }

  /** Notes the access that a plan's updates were, to the state that they came to. */
  #note(key: string, { stored }: State, { seen }: Plan): void {
    if (seen < 0 || stored === undefined) return;
    this.accesses.note(bytesOfBinaryString(key), Number(stored.generation), seen);
  }

  #count(name: string, { final, changes }: Plan, before: State, after: State): void {
    if (final === null) this.counters.deletes++;
    else this.counters.uploads++;
    this.counters.coalesced += Math.max(0, changes - 1);
    this.observer(name, before.stored, after.stored);
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
    const next = Math.max(queue.notBefore, queue.written + pace * (1 + Math.random() / 20));
    const rest = next - now;
    if (rest > 0) await this.deadlines.pause(rest);
  }

  /** Forgets the keys of which nothing need be remembered any more. */
  #sweep(): void {
    for (const [key, queue] of this.#queues) {
      if (!queue.running && !this.#isRemembered(queue)) this.#queues.delete(key);
    }
  }
}

/** When it is too late for all of them. */
function latest(batch: readonly Task[]): number {
  return batch.reduce((latest, task) => Math.max(latest, task.until), 0);
}

function answer(batch: readonly Task[], answers: readonly Answer[]): void {
  for (const [i, task] of batch.entries()) task.settle(answers[i]);
}

function unknown({ final }: Plan, { stored }: State): StoreError {
  // An object that is gone tells nothing of who deleted it.
  if (final === null && stored === undefined) {
    return new StoreError(
      "The answer to a delete was lost and the item is gone: it cannot be known if by this delete",
    );
  }
  const since = stored === undefined ? "the item was deleted since" : "others have written since";
  return new StoreError(
    `The answer to a write was lost and ${since}: it cannot be known if it was done`,
  );
}
