/**
 * Memory that a large value was copied into for one reply, which is sent from there.
 *
 * @module
 */

import { giveMemory, type Lender, ROOM_BEFORE, ROOM_BEHIND, takeMemory } from "../../bytes.ts";

/** Values of so many bytes and more are lent: of fewer a copy costs less. */
export const LEAST_LENT = 32 * 1024;

/** The memory, which is used again when nobody sends from it any more. */
export class Lent implements Lender {
  readonly roomBefore = ROOM_BEFORE;
  /** All of it: room for what a reply begins with, what is lent, and room behind that. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  #borrowers = 0;
  #isBack = false;

  /** @param length bytes that are lent, from {@linkcode roomBefore} on */
  constructor(length: number) {
    this.bytes = takeMemory(ROOM_BEFORE + length + ROOM_BEHIND);
  }

  get borrowers(): number {
    return this.#borrowers;
  }

  set borrowers(count: number) {
    this.#borrowers = count;
    this.release();
  }

  /** Gives the memory back, unless somebody sends from it: then it goes back after that. */
  release(): void {
    if (this.#borrowers > 0 || this.#isBack) return;
    this.#isBack = true;
    giveMemory(this.bytes);
  }
}
