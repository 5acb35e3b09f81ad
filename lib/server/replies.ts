/**
 * The replies of one connection that have yet to go out, in the order of their requests, and who is told
 * when what they say could not be made to last.
 *
 * @module
 */

import { ByteBuffer } from "../bytes.ts";
import type { Dialect } from "../protocol/dialect.ts";
import type { Failure, Outcome } from "../protocol/outcome.ts";
import type { Request } from "../protocol/request.ts";

/** Requests of a batch whose replies may have to be taken back, at first. */
const FIRST_OWED = 32;

/** The replies in hand. */
export class Replies {
  readonly out = new ByteBuffer(0, true);
  /** Whether a retrieval ended with an error, so that its other keys get no answer. */
  isSpoiled = false;
  /** The tags of those whose replies are in `out`, or would be if they had any. */
  #owed = new Float64Array(FIRST_OWED);
  #owedCount = 0;
  /** Whether the retrieval that was answered last has more keys. */
  #inRetrieval = false;

  /** Bytes of memory that it holds. */
  get memory(): number {
    return this.out.bytes.length + this.#owed.byteLength;
  }

  /** Puts what came of a request behind the replies before it. */
  add(dialect: Dialect, request: Request, outcome: Outcome): void {
    if (request.noreply) return;
    const hasMore = request.hasMore;
    this.#inRetrieval = hasMore;
    if (this.isSpoiled) {
      this.isSpoiled = hasMore;
      return;
    }
    dialect.encode(request, outcome, this.out);
    if (!hasMore) this.#owe(dialect.tag(request));
    else if (outcome.code === "failed") {
      // An error ends the reply to a retrieval, so its other keys must add nothing to it.
      this.isSpoiled = true;
      this.#owe(0);
    }
  }

  /** Puts an error there, for a request of which nothing else is known. */
  fail(dialect: Dialect, failure: Failure): void {
    dialect.fail(0, failure, this.out);
    this.#owe(0);
  }

  /** Makes each reply the error; returns how many there were. */
  takeBack(dialect: Dialect, failure: Failure): number {
    const count = this.#owedCount;
    this.out.clear();
    for (let i = 0; i < count; i++) {
      if (this.#owed[i] >= 0) dialect.fail(this.#owed[i], failure, this.out);
    }
    this.#owedCount = 0;
    if (this.#inRetrieval && !this.isSpoiled) {
      this.isSpoiled = true;
      dialect.fail(0, failure, this.out);
    }
    return count;
  }

  /** Forgets whose replies went out. */
  settle(): void {
    this.#owedCount = 0;
  }

  /** Gives back memory that is needed only while replies are in hand. */
  release(): void {
    this.out.release();
    if (this.#owed.length > FIRST_OWED) this.#owed = new Float64Array(FIRST_OWED);
  }

  #owe(tag: number): void {
    if (this.#owedCount === this.#owed.length) {
      const grown = new Float64Array(2 * this.#owedCount);
      grown.set(this.#owed);
      this.#owed = grown;
    }
    this.#owed[this.#owedCount++] = tag;
  }
}
