/**
 * What tests upload, and what they read back.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Destination } from "../../lib/copies/destination.ts";

/** So many bytes of which no two stretches are alike. */
export function noise(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = seed >>> 0 || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** All that a stream yields, in one. */
export async function streamed(
  destination: Destination,
  name: string,
  from?: number,
): Promise<Uint8Array> {
  const blocks: Uint8Array<ArrayBuffer>[] = [];
  for await (const block of destination.stream(name, from)) blocks.push(new Uint8Array(block));
  return new Uint8Array(await new Blob(blocks).arrayBuffer());
}

/** Whether two contents are the same; `assertEquals` on megabytes takes minutes. */
export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** The names of a listing. */
export async function namesOf(
  destination: Destination,
  prefix = "",
  after?: string,
): Promise<string[]> {
  return (await Array.fromAsync(destination.list(prefix, after))).map(({ name }) => name);
}
