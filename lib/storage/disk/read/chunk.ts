/**
 * Memory outside the JavaScript heap that records lie in.
 *
 * @module
 */

/** One piece of it, and its views. */
export interface Chunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Uint32Array;
  readonly longs: BigUint64Array;
  readonly view: DataView;
  /** Bytes in use. */
  used: number;
}

/**
 * A piece of so many bytes, a multiple of 8.
 *
 * @throws {RangeError} where there is no memory for that
 */
export function chunkOf(size: number): Chunk {
  const bytes = new Uint8Array(size);
  const { buffer } = bytes;
  return {
    bytes,
    words: new Uint32Array(buffer),
    longs: new BigUint64Array(buffer),
    view: new DataView(buffer),
    used: 0,
  };
}
