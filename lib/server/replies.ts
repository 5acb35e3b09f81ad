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

/** Requests of a batch beyond the first whose replies may have to be taken back, at first. */
const FIRST_OWED = 32;
const NO_TAGS = new Float64Array(0);

/** The replies in hand. */
export class Replies {
  readonly out = new ByteBuffer(0, true);
  /** Whether a retrieval ended with an error, so that its other keys get no answer. */
  isSpoiled = false;
  /**
   * The tags of those whose replies are in `out`, or would be if they had any: the first, and those behind
   * it, for whom there is memory once there was one.
   */
  #first = 0;
  #owed = NO_TAGS;
  #owedCount = 0;
  /** Whether the retrieval that was answered last has more keys. */
  #inRetrieval = false;

  /** Bytes of memory that it holds, others' that it has borrowed too: nobody else may use those. */
  get memory(): number {
    const { out } = this;
    return out.bytes.length + out.total - out.length + this.#owed.length * 8;
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
      const tag = i === 0 ? this.#first : this.#owed[i - 1]!;
      if (tag >= 0) dialect.fail(tag, failure, this.out);
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
    if (this.#owed.length > FIRST_OWED) this.#owed = NO_TAGS;
  }

  #owe(tag: number): void {
    const before = this.#owedCount++ - 1;
    if (before < 0) {
      this.#first = tag;
      return;
    }
    if (before === this.#owed.length) {
      const grown = new Float64Array(Math.max(FIRST_OWED, 2 * before));
      grown.set(this.#owed);
      this.#owed = grown;
    }
    this.#owed[before] = tag;
  }
}
