import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Expect, Reply, ReplyReader } from "../../lib/protocol/client_dialect.ts";

/** A reply of a transcript: its bytes, what it answers, and what it is. */
export type Transcript = readonly (readonly [bytes: Uint8Array, expect: Expect, reply: Reply])[];

/** The opaque of all of them. */
export const OPAQUE = 7;

/** Reads replies out of pieces, and fails when bytes remain. */
export function readAll(
  newReader: () => ReplyReader,
  pieces: readonly Uint8Array[],
  expected: readonly Expect[],
): Reply[] {
  const reader = newReader();
  const replies: Reply[] = [];
  for (const piece of pieces) {
    // As a connection does: the memory is used again for the next piece.
    const memory = piece.slice();
    reader.push(memory);
    while (replies.length < expected.length) {
      const reply = reader.next(expected[replies.length]!, OPAQUE);
      if (reply === undefined) break;
      replies.push(reply);
    }
    assertEquals(reader.pending, false);
    memory.fill(0x58);
  }
  return replies;
}

/** Reads one reply out of one piece. */
export function readOne(
  newReader: () => ReplyReader,
  bytes: Uint8Array,
  expect: Expect,
): Reply | undefined {
  const reader = newReader();
  reader.push(bytes);
  return reader.next(expect, OPAQUE);
}

/** Whether a transcript reads as it says, whole, in two pieces of any size, and byte for byte. */
export function checkEverySplit(newReader: () => ReplyReader, transcript: Transcript): void {
  const bytes = new Uint8Array(transcript.flatMap(([bytes]) => [...bytes]));
  const expected = transcript.map(([, expect]) => expect);
  const replies = transcript.map(([, , reply]) => reply);
  for (let i = 0; i <= bytes.length; i++) {
    const pieces = [bytes.subarray(0, i), bytes.subarray(i)];
    assertEquals(readAll(newReader, pieces, expected), replies);
  }
  const single = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
  assertEquals(readAll(newReader, single, expected), replies);
}

/** Cuts bytes into pieces of the sizes given, over and over. */
export function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

/**
 * Feeds a reader with pieces of `words` and with random bytes, and fails if it throws, or neither
 * reads on nor asks for more.
 */
export function checkJunk(
  newReader: () => ReplyReader,
  words: readonly Uint8Array[],
  shapes: readonly Expect[],
): void {
  const piece = fc.oneof(fc.constantFrom(...words), fc.uint8Array({ maxLength: 40 }));
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 30 }),
      fc.constantFrom(...shapes),
      (pieces, expect) => {
        const reader = newReader();
        for (const bytes of pieces) {
          reader.push(bytes);
          // No reply has less than a byte, but for an empty dump's parts.
          for (let read = 0; read <= bytes.length + 1; read++) {
            const reply = reader.next(expect, OPAQUE);
            if (reply === undefined) break;
            if (reply.kind === "unreadable") return;
            if (read > bytes.length) throw new Error("more replies than bytes");
          }
        }
      },
    ),
    { numRuns: 2000 },
  );
}
