/**
 * A moment of a log, as a copy of it is made.
 *
 * @module
 */

/**
 * The segments that are in a log, up to a place that is on the medium. What they say is the state after
 * exactly the changes before that place.
 */
export interface Moment {
  /** The format of the directory's files. */
  readonly disk: number;
  /** 16 bytes. */
  readonly hashKey: Uint8Array;
  /**
   * Milliseconds since 1970: every change that was acknowledged before is in, and none that was made
   * after.
   */
  readonly time: number;
  /** The place, counted in bytes from the log's opening, of the last change that is in. */
  readonly position: number;
  /** The greatest sequence number that was given out, or more. */
  readonly sequence: number;
  /** About how many items there are. */
  readonly items: number;
  /** The number that the next new segment gets: all below it were given to one. */
  readonly next: number;
  /** In log order: number, length in bytes, and the CRC-32 of a segment that is sealed. */
  readonly segments: ReadonlyArray<readonly [id: number, length: number, crc: number | undefined]>;
}
