/**
 * Rules of the protocol as tables: what is sent, what must come back.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Uniques } from "../conformance/uniques.ts";
import { Harness, type HarnessOptions } from "../server/harness.ts";

/** What is sent and what must come back; or seconds that pass. */
export type Step = readonly [sent: string, received: string] | number;

/** Rules by their sentences. */
export type Rules = Readonly<Record<string, readonly Step[]>>;

/**
 * Registers a test for each rule. Each starts with an empty store, and is run twice: with each step
 * read as a whole, and byte by byte. The clock stands still but for the seconds that a rule lets pass.
 */
export function rules(subject: string, table: Rules, options?: HarnessOptions): void {
  for (const [rule, steps] of Object.entries(table)) {
    Deno.test(`${subject}: ${rule}`, async () => {
      for (const cut of [(sent: string) => [sent], piecesOf]) {
        await using harness = new Harness(options);
        await follow(steps, harness, cut);
        assertEquals(harness.said, []);
      }
    });
  }
}

/** Follows the steps of a rule, whose uniques are as the store numbers them. */
async function follow(
  steps: readonly Step[],
  harness: Harness,
  cut: (sent: string) => string[],
): Promise<void> {
  harness.clock.pause();
  for (const step of steps) {
    if (typeof step === "number") harness.advance(step);
    else assertEquals(await harness.exchange(cut(step[0])), step[1], shown(step[0]));
  }
}

/**
 * Follows the steps of a rule that any store must keep: in place of a cas unique stands `#1` for the
 * first that is shown, and so on, and what is sent has `{1}` for it.
 */
export async function followOnAnyStore(
  steps: readonly Step[],
  harness: Harness,
  cut: (sent: string) => string[] = (sent) => [sent],
): Promise<void> {
  harness.clock.pause();
  const uniques = new Uniques();
  for (const step of steps) {
    if (typeof step === "number") harness.advance(step);
    else {
      const reply = uniques.hide(await harness.exchange(cut(uniques.fill(step[0]))));
      assertEquals(reply, step[1], shown(step[0]));
    }
  }
}

function shown(sent: string): string {
  return JSON.stringify(sent.slice(0, 80));
}

/** Single bytes; of what is long, so many at a time that it takes a while and not forever. */
export function piecesOf(sent: string): string[] {
  const length = Math.ceil(sent.length / 4_000);
  return Array.from(
    { length: Math.ceil(sent.length / length) },
    (_, i) => sent.slice(i * length, (i + 1) * length),
  );
}
