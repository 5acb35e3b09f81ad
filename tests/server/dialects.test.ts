/** What holds in each dialect, whatever is asked and however its bytes come. */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { AdjustableClock } from "../../lib/clock.ts";
import type { Store } from "../../lib/storage/contract.ts";
import { Uniques } from "../conformance/uniques.ts";
import { binaryFrame, binaryMisfit } from "./binary_frames.ts";
import { frame, misfit } from "./frames.ts";
import { Harness } from "./harness.ts";
import { metaFrame, metaMisfit } from "./meta_frames.ts";
import { ForgetfulStore, OrderedStore, SlowStore } from "./wrapped_store.ts";

const dialects = {
  text: fc.oneof({ arbitrary: frame, weight: 9 }, misfit),
  meta: fc.oneof({ arbitrary: metaFrame, weight: 9 }, metaMisfit),
  binary: fc.oneof({ arbitrary: binaryFrame, weight: 20 }, binaryMisfit),
} as const;

/** What a server answers to a client that speaks only to it, while its clock stands still. */
async function repliesTo(
  pieces: readonly string[],
  open?: (clock: AdjustableClock) => Store,
): Promise<string> {
  const clock = new AdjustableClock();
  clock.pause();
  await using harness = new Harness({ clock, store: open && (() => open(clock)) });
  const replies = await harness.exchange(pieces);
  assertEquals(harness.said, []);
  return replies;
}

/**
 * A line that closes its connection where its end has not come with it and is answered where it has, as in
 * memcached (`try_read_command_ascii`): the one thing that depends on how bytes come. Binary frames behind a first
 * request that is text make such lines.
 */
const LONG_LINE = /[^\n]{2049}/;

/** Whether a connection that starts so speaks the binary protocol. */
function isBinary(sent: string): boolean {
  return sent[0] === "\x80";
}

/** The bytes of a text in pieces of these lengths, which count round and round. */
function cutAt(text: string, lengths: readonly number[]): string[] {
  const pieces: string[] = [];
  for (let at = 0, i = 0; at < text.length; i++) {
    const length = lengths[i % lengths.length];
    pieces.push(text.slice(at, at + length));
    at += length;
  }
  return pieces;
}

for (const [dialect, frames] of Object.entries(dialects)) {
  Deno.test(`${dialect}: any split of the same bytes has the same replies`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(frames, { minLength: 1, maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 }),
        async (frames, lengths) => {
          const sent = frames.join("");
          fc.pre(isBinary(sent) || !LONG_LINE.test(sent));
          const whole = await repliesTo([sent]);
          assertEquals(await repliesTo([...sent]), whole);
          assertEquals(await repliesTo(cutAt(sent, lengths)), whole);
        },
      ),
      { numRuns: 200 },
    );
  });

  Deno.test(`${dialect}: a store that is waited for has the same replies`, async () => {
    const blind = frames.filter((sent) => !comparesUniques(sent));
    await fc.assert(
      fc.asyncProperty(
        fc.array(blind, { minLength: 1, maxLength: 30 }),
        fc.array(fc.option(fc.nat(3), { nil: undefined }), { minLength: 1, maxLength: 20 }),
        fc.constantFrom(SlowStore, OrderedStore),
        async (frames, delays, kind) => {
          const sent = frames.join("");
          let i = 0;
          const slow = (clock: AdjustableClock) =>
            new kind(clock, () => delays[i++ % delays.length]);
          assertEquals(
            new Uniques().hide(await repliesTo([sent], slow)),
            new Uniques().hide(await repliesTo([sent])),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  Deno.test(`${dialect}: what a store has shown is not used later than it may be`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(frames, { minLength: 1, maxLength: 30 }), async (frames) => {
        const sent = frames.join("");
        const forgetful = (clock: AdjustableClock) => new ForgetfulStore(clock);
        assertEquals(await repliesTo([sent], forgetful), await repliesTo([sent]));
      }),
      { numRuns: 100 },
    );
  });
}

/** Whether a request asks for a certain unique, or sets one: they count up in the order of effects. */
function comparesUniques(sent: string): boolean {
  return isBinary(sent) ? !sent.startsWith("\0".repeat(8), 16) : /^cas| [CE]\d/.test(sent);
}
