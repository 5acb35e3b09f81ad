/**
 * One write, sent until it is known what became of it.
 *
 * A try whose answer is lost is sent again under the same condition and with the same token, so the
 * write takes effect once at most; when the condition no longer holds, the tokens of the object that
 * is there tell whether it did (`FORMAT.md`, "Tokens").
 *
 * @module
 */

import type { Clock } from "../../clock.ts";
import { type NewItem, plain } from "../contract.ts";
import type { Bucket, Insert } from "./bucket.ts";
import { backoff } from "./requests.ts";
import type { Counters } from "./counters.ts";
import type { Epoch } from "./epoch.ts";
import { nothing, type State } from "./hints.ts";
import {
  attributesOf,
  customTimeOf,
  metadataOf,
  newToken,
  type Stored,
  tokensAfter,
} from "./metadata.ts";
import type { Plan } from "./plan.ts";
import type { Queue } from "./queue.ts";

/** How far apart a key's writes are kept once the service has asked for it, in milliseconds. */
export const pace = 1000;

/** For how long after it asked, in milliseconds. */
const pacedFor = 60_000;

/** How long a key's writes are held up at most because the service asks for it, in milliseconds. */
const greatestPause = 10_000;

/**
 * For how long a write whose answer was lost may still be on its way, in milliseconds. Only one that
 * creates an object matters: the others replace a generation that will not come again.
 */
const unsureFor = 10 * 60_000;

/** By how much another server's clock may be behind and still take for expired what has gone, in milliseconds. */
const skew = 3_600_000;

/** What is to be written. */
export interface Order {
  /** The object's name. */
  readonly object: string;
  readonly queue: Queue;
  readonly plan: Plan;
  /** What it replaces. */
  readonly base: Stored | undefined;
  /** When it is too late, as `performance.now()` tells time. */
  readonly until: number;
  /** Whether anybody still waits for it. */
  readonly isWanted: () => boolean;
  /** Reads what is there now. */
  readonly read: () => Promise<State>;
}

/**
 * What a write came to, with the state that is there now. `"overwritten"`: it was done, and others
 * have written since; `"conflict"`: it was not done, since others had; `"unknown"`: nobody can know.
 */
export type Written =
  | { readonly kind: "done" | "overwritten" | "conflict" | "unknown"; readonly state: State }
  | { readonly kind: "limited" };

/** What a write puts beside the item's own attributes. */
type Marks = Pick<Stored, "cas" | "epoch" | "tokens"> & { unsure: number };

/** Writes objects. */
export class Uploader {
  constructor(
    readonly bucket: Bucket,
    readonly epoch: Epoch,
    readonly clock: Clock,
    readonly counters: Counters,
  ) {}

  /**
   * Sends a write until it is known what became of it, or the service asks for a pause before it took
   * any of it.
   *
   * @throws {StoreError} where that takes too long, or the service refuses.
   */
  async write(order: Order): Promise<Written> {
    const { queue, plan, base, until } = order;
    const now = this.clock.now();
    const token = newToken();
    const unsure = Math.max(queue.unsure, base?.unsure ?? 0);
    const marks: Marks = {
      cas: plan.cas,
      epoch: this.epoch.current,
      tokens: tokensAfter(token, base),
      unsure: unsure > now ? unsure : 0,
    };
    // Where a lost write may yet create the object it must not go away: it only expires.
    let final = plan.final ?? (marks.unsure === 0 ? null : { ...grave, exptime: now - skew });
    let replaces = base?.generation ?? "0";
    let write = this.#prepare(order.object, final, marks, replaces);
    // The caller's memory is its own again when its time is up, though others still wait.
    if (final !== null) final = { ...final, value: write.content };
    let unclear = 0;
    for (let tries = 0;; tries++) {
      const outcome = await write.send(until);
      queue.written = performance.now();
      queue.trouble = "trouble" in outcome ? outcome.trouble : "";
      let pause = backoff(tries);
      switch (outcome.kind) {
        case "done":
          return { kind: "done", state: stateAfter(final, marks, outcome.generation) };
        case "conflict": {
          this.counters.conflicts++;
          const state = await order.read();
          const tokens = state.stored?.tokens ?? [];
          if (tokens.includes(token)) {
            if (unclear > 1 && base === undefined && tokens[0] === token) {
              // One of the lost tries did it; another may yet, so the object has to say so.
              replaces = state.stored!.generation;
              write = this.#prepare(order.object, final, marks, replaces);
              unclear = 1;
              continue;
            }
            this.counters.resolved++;
            return { kind: tokens[0] === token ? "done" : "overwritten", state };
          }
          // Others wrote over what this was to replace, so this did not come to replace it.
          const replaced = base?.tokens[0];
          const known = replaced !== undefined && tokens.includes(replaced);
          return { kind: unclear === 0 || known ? "conflict" : "unknown", state };
        }
        case "damaged":
          // What lies there has this write's token and not its content: it is written over.
          replaces = outcome.generation;
          write = this.#prepare(order.object, final, marks, replaces);
          break;
        case "limited":
          queue.pacedUntil = queue.written + pacedFor;
          queue.notBefore = queue.written + Math.min(outcome.pause, greatestPause);
          if (unclear === 0) return { kind: "limited" };
          pause += pace;
          break;
        case "unclear":
          unclear++;
          if (replaces !== "0" || unclear > 1) break;
          marks.unsure = queue.unsure = now + unsureFor;
          write = this.#prepare(order.object, final, marks, replaces);
      }
      if ("pause" in outcome) pause = Math.max(pause, outcome.pause);
      if (performance.now() + pause > until || !order.isWanted()) {
        throw this.bucket.late(queue.trouble);
      }
      await this.bucket.transport.deadlines.pause(pause);
    }
  }

  /** Makes the write ready that puts `final` in the place of a generation, `"0"` for none. */
  #prepare(
    object: string,
    final: NewItem | null,
    marks: Marks,
    replaces: string,
  ): Insert {
    if (final === null) {
      return { send: this.bucket.remove(object, replaces), content: grave.value };
    }
    const metadata = metadataOf(final, marks);
    const customTime = customTimeOf(final.exptime);
    const [token] = marks.tokens;
    return this.bucket.insert(object, final.value, metadata, customTime, replaces, token);
  }
}

/** What lies in the place of an item that was deleted, once it has an expiry in the past. */
const grave: NewItem = { ...plain, value: new Uint8Array(0) };

/** What is known of a key when `final` was written, or it was deleted. Hints keep it, so it refers to one value. */
export function stateAfter(final: NewItem | null, marks: Marks, generation: string): State {
  if (final === null) return nothing;
  const cas = marks.cas === 0n ? BigInt(generation) : marks.cas;
  const { value } = final;
  const size = value.length;
  return { stored: { ...attributesOf(final), ...marks, generation, cas, size }, value };
}
