/**
 * What becomes of a key's state when a row of swaps and updates is done on it, one after another:
 * each one's answer, and the one write that they come to. Pure.
 *
 * @module
 */

import {
  type Change,
  type Expected,
  isExpired,
  type Item,
  type NewItem,
  type Swapped,
} from "../contract.ts";
import type { State } from "./hints.ts";
import { attributesOf } from "./metadata.ts";

/** One thing to be done with a key. */
export type Step =
  | { readonly expected: Expected; readonly next: NewItem | null }
  | {
    readonly change: Change<unknown>;
    /** The time of the access, in seconds since 1970; -1 where the update is none. */
    readonly seconds: number;
  };

/** What came of a step. */
export interface Answer {
  swapped: Swapped;
  /** Of an update: the change's result. */
  readonly result: unknown;
}

/** What a row of steps comes to. */
export interface Plan {
  /** The steps' answers, in their order. */
  readonly answers: Answer[];
  /** What there is to write; `null` to delete, `undefined` where nothing changes. */
  readonly final: NewItem | null | undefined;
  /** The final item's cas unique; 0 where it is to be the generation. */
  readonly cas: bigint;
  /** What stands in the answers for a generation that is not known yet; 0 where none does. */
  readonly standIn: bigint;
  /** How many of the steps change something. */
  readonly changes: number;
  /** When the state that the steps come to was accessed, in seconds since 1970; -1 for never. */
  readonly seen: number;
}

/**
 * Does the steps on a state.
 *
 * @param live what is there for them: nothing if it has expired or was flushed.
 * @param now the time, in milliseconds since 1970.
 */
export function planOf(steps: readonly Step[], live: State, now: number): Plan {
  const { stored, value } = live;
  let current: Item | undefined = stored &&
    { ...attributesOf(stored), value: value ?? new Uint8Array(0), version: stored.generation };
  const answers: Answer[] = [];
  let final: NewItem | null | undefined;
  // The unique of the state between two steps, and what stands for it if it is to be the generation.
  let cas = 0n;
  let standIn = 0n;
  let changes = 0;
  let seen = -1;
  for (const step of steps) {
    const { next, result } = "change" in step
      ? step.change(current)
      : { next: swapped(step, current), result: undefined };
    const isUpdate = "change" in step;
    if (isUpdate && (next === undefined || next === null && current === undefined)) {
      // What it was shown may have a unique that is yet to be the generation.
      const isShown = current !== undefined && standIn !== 0n && current.cas === standIn;
      answers.push({ swapped: isShown ? standIn : 0n, result });
      if (step.seconds < 0 || current === undefined) continue;
      seen = step.seconds;
      current = { ...current, fetched: true, accessed: seen };
      continue;
    }
    if (typeof next === "string" || next === undefined) {
      answers.push({ swapped: next ?? 0n, result });
      continue;
    }
    changes++;
    seen = -1;
    final = next;
    // A state between two steps never lies in the bucket and has no generation to be its unique.
    const before = current?.cas ?? cas;
    if (next === null) standIn = 0n;
    else {
      if (next.cas === 0n) standIn = uniqueAfter(before);
      else if (next.cas !== standIn) standIn = 0n;
      cas = next.cas || standIn;
    }
    current = next === null || isExpired(next, now)
      ? undefined
      : { ...attributesOf(next), value: next.value, cas, version: "" };
    answers.push({ swapped: next === null ? 0n : cas, result });
  }
  const isGeneration = standIn !== 0n || final === null || final === undefined;
  return { answers, final, cas: isGeneration ? 0n : cas, standIn, changes, seen };
}

/**
 * A unique for a state that nobody will find in the bucket: later than the one before it, and earlier than
 * the generation to come, which counts microseconds. Where nothing is before it, it is drawn at random below all
 * generations.
 */
function uniqueAfter(before: bigint): bigint {
  if (before !== 0n) return BigInt.asUintN(64, before + 1n) || 1n;
  return 1n + BigInt(crypto.getRandomValues(new Uint32Array(1))[0]!);
}

/** Whether a step can only be done if the value is known. */
export function readsValue(step: Step): boolean {
  return "change" in step;
}

/** Whether a step is done alike on every state: `set`. */
export function overwrites(step: Step): boolean {
  return !("change" in step) && step.expected === "any" && step.next !== null;
}

/** Whether a step leaves nothing there where it does anything. */
export function deletes(step: Step): boolean {
  return !("change" in step) && step.next === null;
}

/** Whether a step most often finds nothing there: `set` of a new key, and `add`. */
export function expectsNothing(step: Step): boolean {
  return overwrites(step) || !("change" in step) && step.expected === "absent";
}

/** What a swap puts there, or what it finds instead of what it expects. */
function swapped(
  { expected, next }: { readonly expected: Expected; readonly next: NewItem | null },
  current: Item | undefined,
): NewItem | null | "exists" | "absent" {
  if (expected === "absent") {
    if (current !== undefined) return "exists";
  } else if (expected !== "any" && current !== undefined) {
    const { cas, version } = expected;
    const same = version === undefined ? cas === current.cas : version === current.version;
    if (!same) return "exists";
  } else if (expected !== "any") return "absent";
  return next === null && current === undefined ? "absent" : next;
}
