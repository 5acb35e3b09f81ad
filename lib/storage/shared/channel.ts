/**
 * The way between one worker and the owner: a ring in each direction, and messages for what does not fit.
 *
 * @module
 */

import { Bell, BELL_WORDS } from "./bell.ts";
import { Frame, Ring } from "./ring.ts";

/** Bytes of a ring. */
const CAPACITY = 1 << 20;
/** A frame of more bytes travels as a message: copying it once more would cost more than that. */
const MOST_IN_RING = 1 << 14;

/** The shared memory of one channel. */
export interface ChannelMemory {
  readonly requests: SharedArrayBuffer;
  readonly answers: SharedArrayBuffer;
}

/** Memory for a channel. */
export function channelMemory(capacity = CAPACITY): ChannelMemory {
  return { requests: Ring.memory(capacity), answers: Ring.memory(capacity) };
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
  readonly #outgoing: Ring;
  readonly #peer: Bell;
  readonly #post: (frame: ArrayBuffer) => void;
  #isDirty = false;

  /** @param post sends a frame as a message, with its memory */
  constructor(
    incoming: SharedArrayBuffer,
    outgoing: SharedArrayBuffer,
    peer: Bell,
    post: (frame: ArrayBuffer) => void,
  ) {
    this.incoming = new Ring(incoming);
    this.#outgoing = new Ring(outgoing);
    this.#peer = peer;
    this.#post = post;
  }

  /** A frame to fill, of at least `bytes`. {@linkcode send} it before the next one is begun. */
  frame(bytes: number): Frame {
    const size = (bytes + 7) & ~7;
    const shared = size <= MOST_IN_RING ? this.#outgoing.reserve(size) : undefined;
    if (shared !== undefined) return shared;
    const own = new Frame(new ArrayBuffer(size));
    own.words[0] = size;
    return own;
  }

  /** Sends the frame that was filled. The other side sees it with the next {@linkcode flush}. */
  send(frame: Frame): void {
    if (frame === this.#outgoing.frame) {
      this.#outgoing.complete();
      this.#isDirty = true;
    } else this.#post(frame.buffer as ArrayBuffer);
  }

  /** Shows the other side what was sent, and sees to it that it looks. */
  flush(): void {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    this.#outgoing.show();
    this.#peer.ring();
  }
}
