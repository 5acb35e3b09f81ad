/**
 * Removes what no moment needs any more. FORMAT.md, "Retention".
 *
 * @module
 */

import type { Destination } from "./destination.ts";
import { counts } from "./head.ts";
import type { CopyManifest } from "./manifest.ts";
import { type ListedManifest, listManifests, readManifest } from "./moments.ts";
import { type Piece, pieceName, pieceOf, PIECES, segmentPrefix } from "./names.ts";
import type { Tenure } from "./tenure.ts";

/** Milliseconds that a moment stays when it is no longer offered: a restore may have begun with it. */
export const GRACE = 3_600_000;
/** Names that are removed in one go, at most: the rest has another turn. */
const MOST_REMOVED = 500;
/** Manifests that are known ahead. */
const MOST_AHEAD = 1000;

/** What a retention needs. */
export interface RetentionOptions {
  readonly destination: Destination;
  /** Milliseconds for which any moment can be restored. */
  readonly retention: number;
}

/** The retention of one tenure. */
export class Retention {
  /** Names that were removed, and those that could not be when they were last tried. */
  removed = 0;
  kept = 0;

  readonly #options: RetentionOptions;
  readonly #tenure: Tenure;
  /** The oldest manifests, in order, and the last name that was listed. */
  #ahead: ListedManifest[] = [];
  #listed = "";
  /** The name of the oldest manifest whose dropped pieces are gone. */
  #settled = "";
  /** Whether pieces of epochs before this one that nobody names were looked for. */
  #sweptBefore = 1;

  constructor(options: RetentionOptions, tenure: Tenure) {
    this.#options = options;
    this.#tenure = tenure;
  }

  /**
   * Removes some of what is due; returns whether there is more.
   *
   * @throws {DestinationError} if the destination cannot be reached
   */
  async step(): Promise<boolean> {
    const budget = { left: MOST_REMOVED };
    this.kept = 0;
    while (budget.left > 0 && this.kept === 0) {
      const oldest = await this.#first(0, budget);
      if (oldest === undefined) return false;
      this.#tenure.forgetBefore(oldest.number);
      if (!await this.#settle(oldest, budget)) continue;
      const next = await this.#first(1, budget);
      if (next === undefined || !this.#isDue(next)) return false;
      // The moment goes first: whoever finds it finds all of it.
      if (!await this.#remove(oldest.name, oldest.generation, budget)) break;
      this.#ahead.shift();
    }
    return this.kept === 0;
  }

  /** Whether what a manifest has taken the place of can go. */
  #isDue({ time }: ListedManifest): boolean {
    return time <= this.#tenure.sureTime - this.#options.retention - GRACE;
  }

  /** The manifest that counts at a place in their order; what stands before it and never counts is removed. */
  async #first(place: number, budget: { left: number }): Promise<ListedManifest | undefined> {
    const { head } = this.#tenure;
    for (;;) {
      if (this.#ahead.length <= place) await this.#list();
      const found = this.#ahead[place];
      if (found === undefined) return undefined;
      if (counts(head, found)) return found;
      // One of this epoch may count soon.
      if (found.epoch >= head.epoch || budget.left <= 0) return undefined;
      if (!await this.#remove(found.name, found.generation, budget)) return undefined;
      this.#ahead.splice(place, 1);
    }
  }

  async #list(): Promise<void> {
    for await (const manifest of listManifests(this.#options.destination, this.#listed)) {
      // What may count later is listed again.
      if (manifest.epoch === this.#tenure.head.epoch && !counts(this.#tenure.head, manifest)) break;
      this.#ahead.push(manifest);
      this.#listed = manifest.name;
      if (this.#ahead.length >= MOST_AHEAD) break;
    }
  }

  /**
   * Removes what the oldest manifest has dropped, and what nobody names of the epochs before its own;
   * returns whether all of it is gone.
   */
  async #settle(oldest: ListedManifest, budget: { left: number }): Promise<boolean> {
    const isSwept = this.#sweptBefore >= oldest.epoch;
    if (this.#settled === oldest.name && isSwept) return true;
    const manifest = await readManifest(this.#options.destination, oldest.name);
    if (manifest === undefined) {
      // Somebody else has removed it.
      this.#ahead = this.#ahead.filter((one) => one !== oldest);
      return false;
    }
    if (this.#settled !== oldest.name) {
      if (!await this.#removePieces(manifest.dropped, budget)) return false;
      this.#settled = oldest.name;
    }
    if (!isSwept) {
      if (!await this.#sweep(manifest, budget)) return false;
      this.#sweptBefore = oldest.epoch;
    }
    return true;
  }

  async #removePieces(pieces: readonly Piece[], budget: { left: number }): Promise<boolean> {
    const byPrefix = new Map<string, Set<string>>();
    for (const piece of pieces) {
      const prefix = segmentPrefix(piece.epoch, piece.segment);
      const names = byPrefix.get(prefix) ?? new Set();
      byPrefix.set(prefix, names.add(pieceName(piece)));
    }
    let isGone = true;
    for (const [prefix, names] of byPrefix) {
      for await (const { name, generation } of this.#options.destination.list(prefix)) {
        if (!names.has(name)) continue;
        if (budget.left <= 0 || !await this.#remove(name, generation, budget)) isGone = false;
      }
    }
    return isGone;
  }

  /** Removes what processes that have died have left: pieces of epochs before a manifest's that it does not name. */
  async #sweep(manifest: CopyManifest, budget: { left: number }): Promise<boolean> {
    const named = new Set(
      manifest.segments.flatMap(({ pieces }) => pieces).map(pieceName),
    );
    let isGone = true;
    for await (const { name, generation } of this.#options.destination.list(PIECES)) {
      const piece = pieceOf(name);
      if (piece === undefined || named.has(name)) continue;
      if (piece.epoch >= manifest.epoch) break;
      if (budget.left <= 0 || !await this.#remove(name, generation, budget)) isGone = false;
    }
    return isGone;
  }

  async #remove(name: string, generation: string, budget: { left: number }): Promise<boolean> {
    // Who has not replaced the head for so long may have lost it.
    if (this.#tenure.age > this.#tenure.head.lease / 2) {
      budget.left = 0;
      return false;
    }
    budget.left--;
    const removed = await this.#options.destination.remove(name, generation);
    if (removed === "removed") this.removed++;
    else this.kept++;
    return removed === "removed";
  }
}
