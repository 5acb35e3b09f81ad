/**
 * Rules of the protocol as tables: what is sent, what must come back.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Harness, type HarnessOptions } from "../server/harness.ts";

/** What is sent and what must come back; or seconds that pass. */
export type Step = readonly [sent: string, received: string] | number;

/**
 * Registers a test for each rule. Each starts with an empty store, and is run twice: with each step
 * read as a whole, and byte by byte.
 */
export function rules(
  subject: string,
  table: Readonly<Record<string, readonly Step[]>>,
  options?: HarnessOptions,
): void {
  for (const [rule, steps] of Object.entries(table)) {
    Deno.test(`${subject}: ${rule}`, async () => {
      await follow(steps, (sent) => [sent], options);
      await follow(steps, (sent) => piecesOf(sent), options);
    });
  }
}

async function follow(
  steps: readonly Step[],
  cut: (sent: string) => string[],
  options?: HarnessOptions,
): Promise<void> {
  await using harness = new Harness(options);
  for (const step of steps) {
    if (typeof step === "number") harness.advance(step);
    else assertEquals(await harness.exchange(cut(step[0])), step[1], step[0].slice(0, 80));
  }
  assertEquals(harness.said, []);
}

/** Single bytes; of what is long, so many at a time that it takes a while and not forever. */
function piecesOf(sent: string): string[] {
  const length = Math.ceil(sent.length / 4_000);
  return Array.from(
    { length: Math.ceil(sent.length / length) },
    (_, i) => sent.slice(i * length, (i + 1) * length),
  );
}
