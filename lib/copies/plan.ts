/**
 * Which bytes of a segment are sent as one piece. FORMAT.md, "Pieces".
 *
 * @module
 */

/** A part of a tier has 8 times the bytes of one a tier below. */
const FACTOR_BITS = 3;
/** Bits of the greatest length of the lowest tier. */
const LOWEST_BITS = 15;
/** So many parts of a tier become one. */
const MERGED = 8;
/** A sealed segment has no more pieces than this. */
const MOST_SEALED = 8;

/** The tier of a part of so many bytes, from 0. */
export function tierOf(length: number): number {
  const bits = Math.floor(Math.log2(Math.max(1, length)));
  return Math.max(0, Math.floor((bits - LOWEST_BITS) / FACTOR_BITS) + 1);
}

/**
 * Where the piece begins that brings a segment to `to`: at the end of what is there, or before it,
 * where parts become one.
 *
 * @param pieces the lengths of those that are there, in order
 * @param to bytes of the segment that are to be there
 * @param sealed whether the segment ends at `to`
 * @returns how many pieces stay, and the first byte of the new one
 */
export function nextPiece(
  pieces: readonly number[],
  to: number,
  sealed: boolean,
): { readonly kept: number; readonly from: number } {
  let kept = pieces.length;
  let from = pieces.reduce((sum, length) => sum + length, 0);
  if (sealed && kept + (from < to ? 1 : 0) > MOST_SEALED) return { kept: 0, from: 0 };
  if (from === to) return { kept, from };
  const take = () => from -= pieces[--kept]!;
  for (;;) {
    // Whatever came in small pieces before one that is large.
    while (kept > 0 && tierOf(pieces[kept - 1]!) < tierOf(to - from)) take();
    const tier = tierOf(to - from);
    let same = 0;
    while (same < kept && tierOf(pieces[kept - 1 - same]!) === tier) same++;
    if (same + 1 < MERGED) return { kept, from };
    while (same-- > 0) take();
  }
}
