/**
 * A ring of frames in shared memory: one thread writes, another reads, nobody waits.
 *
 * A frame is a multiple of 8 bytes, lies in one piece, and begins with its own size in bytes as 32 bits.
 *
 * @module
 */

import { assert } from "../../errors.ts";

/** Words of the head and of the tail; each has a cache line of its own. */
const HEAD = 0;
const TAIL = 16;
/** Bytes before the frames. */
const CONTROL = 128;
/** Stands in the place of a size where the next frame begins at the ring's start. */
const SKIP = 0xffffffff;

/** Memory seen as numbers of all sizes that frames have. A frame begins at {@linkcode at}. */
export class Frame {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly doubles: Float64Array;
  readonly longs: BigUint64Array;
  /** The frame's first byte. */
  at = 0;

  /** Whether it lies in a ring, where others are written over it. */
  get isShared(): boolean {
    return this.buffer instanceof SharedArrayBuffer;
  }

  constructor(readonly buffer: ArrayBufferLike, offset = 0) {
    this.bytes = new Uint8Array(buffer, offset);
    this.words = new Uint32Array(buffer, offset);
    this.doubles = new Float64Array(buffer, offset);
    this.longs = new BigUint64Array(buffer, offset);
  }
}

/** One end of a ring; each end has an object of its own. */
export class Ring {
  readonly frame: Frame;
  readonly #control: Int32Array;
  readonly #capacity: number;
  /** Positions in bytes, which count on beyond the capacity, modulo 2^32. */
  #head = 0;
  #tail = 0;
  #next = 0;
  /** Frames that are used where they lie, and longer than until the next is taken. */
  #held = 0;

  /** @param memory of {@linkcode Ring.memory} */
  constructor(memory: SharedArrayBuffer) {
    this.#control = new Int32Array(memory, 0, CONTROL / 4);
    this.frame = new Frame(memory, CONTROL);
    this.#capacity = this.frame.bytes.length;
  }

  /** Memory for a ring of `capacity` bytes, a power of two. */
  static memory(capacity: number): SharedArrayBuffer {
    assert((capacity & (capacity - 1)) === 0, "the capacity of a ring is a power of two");
    return new SharedArrayBuffer(CONTROL + capacity);
  }

  /** The writer's: a place for a frame of `size` bytes, a multiple of 8; `undefined` where there is no room. */
  reserve(size: number): Frame | undefined {
    const { frame } = this;
    const offset = (this.#head & (this.#capacity - 1)) >>> 0;
    const skipped = offset + size > this.#capacity ? this.#capacity - offset : 0;
    if (this.#used() + skipped + size > this.#capacity) {
      this.#tail = Atomics.load(this.#control, TAIL);
      if (this.#used() + skipped + size > this.#capacity) return undefined;
    }
    if (skipped > 0) frame.words[offset >>> 2] = SKIP;
    frame.at = skipped > 0 ? 0 : offset;
    frame.words[frame.at >>> 2] = size;
    this.#next = this.#head + skipped + size | 0;
    return frame;
  }

  /** The writer's: the frame that was reserved last is complete, and is shown with the next {@linkcode show}. */
  complete(): void {
    this.#head = this.#next;
  }

  /** The writer's: the reader may see all frames that are complete. */
  show(): void {
    Atomics.store(this.#control, HEAD, this.#head);
  }

  /** Whether there is a frame to read. */
  get hasMore(): boolean {
    return Atomics.load(this.#control, HEAD) !== this.#tail;
  }

  /** The reader's: the next frame, which stays as it is until {@linkcode release}. Each call goes one further. */
  take(): Frame | undefined {
    if (this.#tail === this.#head) {
      this.#head = Atomics.load(this.#control, HEAD);
      if (this.#tail === this.#head) return undefined;
    }
    const { frame } = this;
    let offset = (this.#tail & (this.#capacity - 1)) >>> 0;
    if (frame.words[offset >>> 2] === SKIP) {
      this.#tail = this.#tail + this.#capacity - offset | 0;
      offset = 0;
    }
    frame.at = offset;
    this.#tail = this.#tail + frame.words[offset >>> 2] | 0;
    return frame;
  }

  /** The reader's: the frames that were taken are not needed any more, but for those that are held. */
  release(): void {
    if (this.#held === 0) Atomics.store(this.#control, TAIL, this.#tail);
  }

  /** The reader's: the frame that was taken last stays as it is, with all others, until it is let go. */
  hold(): void {
    this.#held++;
  }

  /** The reader's: one that was held is not needed any more. No frame is in hand now. */
  letGo(): void {
    assert(this.#held > 0, "a frame is let go that was held");
    this.#held--;
    this.release();
  }

  #used(): number {
    return (this.#head - this.#tail) >>> 0;
  }
}
