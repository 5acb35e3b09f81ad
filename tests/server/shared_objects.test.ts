/**
 * Connections of one thread, which fill the same request, outcome and cursor in turn. `KVS_TEST_RUNS` sets how
 * many sets of clients are tried.
 */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { AdjustableClock } from "../../lib/clock.ts";
import type {
  Batch,
  Expected,
  Item,
  NewItem,
  Swapped,
  Waiter,
} from "../../lib/storage/contract.ts";
import type { ItemCursor } from "../../lib/storage/item_cursor.ts";
import { binaryFrame } from "./binary_frames.ts";
import { frame } from "./frames.ts";
import { Harness } from "./harness.ts";
import { metaFrame } from "./meta_frames.ts";
import { TellingStore } from "./wrapped_store.ts";

const RUNS = Number(Deno.env.get("KVS_TEST_RUNS") ?? 100);

/** Has some items at hand, shows them by the cursor until the next call, and tells of others later. */
class MixedStore extends TellingStore {
  readonly #isAtHand: () => boolean;
  #shown: Uint8Array | undefined;

  constructor(clock: AdjustableClock, delay: () => number | undefined, isAtHand: () => boolean) {
    super(clock, delay);
    this.#isAtHand = isAtHand;
  }

  find(
    bytes: Uint8Array,
    start: number,
    end: number,
    batch: Batch,
    peek: boolean,
    into: ItemCursor,
  ): boolean | undefined {
    this.#spoil();
    if (!this.#isAtHand()) return undefined;
    const isThere = this.memory.find!(bytes, start, end, batch, peek, into);
    if (!isThere) return isThere;
    this.#shown = into.value.slice();
    into.place(this.#shown, undefined, 0, this.#shown.length);
    return true;
  }

  override readLater(
    bytes: Uint8Array,
    start: number,
    end: number,
    batch: Batch,
    peek: boolean,
    waiter: Waiter<Item | undefined>,
  ): undefined {
    this.#spoil();
    super.readLater(bytes, start, end, batch, peek, waiter);
  }

  override swapLater(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    batch: Batch,
    waiter: Waiter<Swapped>,
  ): void {
    this.#spoil();
    super.swapLater(key, expected, next, batch, waiter);
  }

  #spoil(): void {
    this.#shown?.fill(0x21);
    this.#shown = undefined;
  }
}

/** What one client sends in some reads, none of which asks for a unique: those count in the order of effects. */
const client = fc.oneof(
  fc.array(frame.filter((sent) => !/^(gets|gats|cas)/.test(sent)), { minLength: 1, maxLength: 30 }),
  fc.array(
    metaFrame.filter((sent) => !/^(m[^\r]* [cCE]|me|gets|gats|cas)/.test(sent)),
    { minLength: 1, maxLength: 30 },
  ),
  fc.array(binaryFrame.filter((sent) => sent.slice(16, 24) === "\0".repeat(8)), {
    minLength: 1,
    maxLength: 30,
  }),
);

/** Binary's replies without their uniques. */
function masked(replies: string): string {
  let text = "";
  for (let at = 0; at < replies.length;) {
    if (replies[at] !== "\x81") return text + replies.slice(at);
    const length = [...replies.slice(at + 8, at + 12)]
      .reduce((sum, byte) => sum * 256 + byte.charCodeAt(0), 0);
    text += replies.slice(at, at + 16) + replies.slice(at + 24, at + 24 + length);
    at += 24 + length;
  }
  return text;
}

Deno.test("connections that wait for their stores in any order answer as each does alone", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(client, { minLength: 2, maxLength: 6 }),
      fc.array(fc.option(fc.nat(2), { nil: undefined }), { minLength: 1, maxLength: 20 }),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 8 }),
      async (clients, delays, atHand, group) => {
        const clock = new AdjustableClock();
        clock.pause();
        const exchange = async (frames: readonly string[], isAlone: boolean) => {
          let i = 0;
          let j = 0;
          const store = () =>
            new MixedStore(
              clock,
              () => delays[i++ % delays.length],
              () => atHand[j++ % atHand.length],
            );
          await using harness = new Harness(isAlone ? { clock } : { clock, store });
          const pieces = [];
          for (let at = 0; at < frames.length; at += group) {
            pieces.push(frames.slice(at, at + group).join(""));
          }
          const replies = masked(await harness.exchange(pieces));
          assertEquals(harness.said, []);
          return replies;
        };
        const alone = [];
        for (const frames of clients) alone.push(await exchange(frames, true));
        const together = await Promise.all(clients.map((frames) => exchange(frames, false)));
        assertEquals(together, alone);
      },
    ),
    { numRuns: RUNS },
  );
});
