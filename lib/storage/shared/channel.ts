/**
 * The way between one worker and the owner: in each direction a ring for what is small, which stays in the
 * processor's cache, and one for values that are large; and messages for what does not fit.
 *
 * @module
 */

import { takeMemory } from "../../bytes.ts";
import { Bell, BELL_WORDS } from "./bell.ts";
import { Frame, Ring } from "./ring.ts";

/** Bytes of a ring, and how many times as many of one for large frames: memory that nobody touches is none. */
const CAPACITY = 1 << 20;
const LARGE = 8;
/**
 * A frame of more bytes goes by the large ring, where the other side uses it as it lies there. Messages cost more:
 * each has new memory, which is filled with zeros first, and which the garbage collector has to find.
 */
const MOST_IN_RING = 1 << 14;

/** The shared memory of one direction. */
export interface RingMemory {
  readonly small: SharedArrayBuffer;
  readonly large: SharedArrayBuffer;
}

/** The shared memory of one channel. */
export interface ChannelMemory {
  readonly requests: RingMemory;
  readonly answers: RingMemory;
}

/** Memory for a channel. */
export function channelMemory(capacity = CAPACITY): ChannelMemory {
  const rings = () => ({ small: Ring.memory(capacity), large: Ring.memory(capacity * LARGE) });
  return { requests: rings(), answers: rings() };
}

/** Memory for the bells of the owner and of so many workers. */
export function bellMemory(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer((workers + 1) * BELL_WORDS * 4);
}

/** The bell of the owner (0) or of a worker (1 and so on). */
export function bellOf(memory: SharedArrayBuffer, number: number): Bell {
  return new Bell(new Int32Array(memory), number * BELL_WORDS);
}

/** One end of a channel. */
export class Channel {
  readonly incoming: Ring;
  /** Its frames may be used where they lie. */
  readonly incomingLarge: Ring;
  readonly #outgoing: Ring;
  readonly #outgoingLarge: Ring;
  readonly #peer: Bell;
  readonly #post: (frame: ArrayBuffer) => void;
  #isDirty = false;
  #isLargeDirty = false;

  /** @param post sends a frame as a message, with its memory */
  constructor(
    incoming: RingMemory,
    outgoing: RingMemory,
    peer: Bell,
    post: (frame: ArrayBuffer) => void,
  ) {
    this.incoming = new Ring(incoming.small);
    this.incomingLarge = new Ring(incoming.large);
    this.#outgoing = new Ring(outgoing.small);
    this.#outgoingLarge = new Ring(outgoing.large);
    this.#peer = peer;
    this.#post = post;
  }

  /** Whether there is a frame to read. */
  get hasMore(): boolean {
    return this.incoming.hasMore || this.incomingLarge.hasMore;
  }

  /** A frame to fill, of at least `bytes`. {@linkcode send} it before the next one is begun. */
  frame(bytes: number): Frame {
    const size = (bytes + 7) & ~7;
    const small = size <= MOST_IN_RING ? this.#outgoing.reserve(size) : undefined;
    const shared = small ?? this.#outgoingLarge.reserve(size);
    if (shared !== undefined) return shared;
    const own = new Frame(takeMemory(size).buffer);
    own.words[0] = size;
    return own;
  }

  /** Sends the frame that was filled. The other side sees it with the next {@linkcode flush}. */
  send(frame: Frame): void {
    if (frame === this.#outgoing.frame) {
      this.#outgoing.complete();
      this.#isDirty = true;
    } else if (frame === this.#outgoingLarge.frame) {
      this.#outgoingLarge.complete();
      this.#isDirty = this.#isLargeDirty = true;
    } else this.#post(frame.buffer as ArrayBuffer);
  }

  /** Shows the other side what was sent, and sees to it that it looks. */
  flush(): void {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    this.#outgoing.show();
    if (this.#isLargeDirty) {
      this.#isLargeDirty = false;
      this.#outgoingLarge.show();
    }
    this.#peer.ring();
  }
}
