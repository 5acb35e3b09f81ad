/**
 * Gives back the room of dead records: what is alive in a segment is appended to the log again, and
 * the segment removed. FORMAT.md, "Compaction".
 *
 * @module
 */

import { assert, messageOf, OutOfSpaceError, type StoreError } from "../../../errors.ts";
import { type Files, isNoRoom } from "../fs/files.ts";
import type { KeyHash } from "../../../key_hash.ts";
import type { Log } from "../log/log.ts";
import type { Placements } from "../index/placements.ts";
import { Kind, RECORD_HEADER, type RecordReader, recordSize } from "../format/record.ts";
import { Runs } from "../read/runs.ts";
import { type Segment, SEGMENT_HEADER } from "../log/segment.ts";
import { SegmentReader, Step } from "../read/segment_reader.ts";
import type { CurrentRecords } from "../read/current.ts";
import { type Damage, UnreadableError } from "../read/damage.ts";
import type { Syncer } from "../log/sync.ts";
import { type Backpressure, TOLERATED } from "./backpressure.ts";
import { markLive, markTombstones } from "./needed.ts";
import type { Space } from "./space.ts";

/** Bytes that are read at a time. */
const BLOCK = 1 << 20;
/** To look at a place of the index takes about as long as to read, in vain, so many bytes of records. */
export const PLACE_COST = 8;
/**
 * Milliseconds of the loop's time that one slice takes: less than what a busy loop's turn takes by
 * itself, so that nobody who meets a slice waits twice as long.
 */
const SLICE = 0.15;
/** The clock is asked after so many bytes, of which a record counts as more than it has. */
const CLOCK_BYTES = 1 << 15;
const RECORD_COST = 1 << 12;
/** A pause is at most so many times as long as the slice before it. */
const REST = 3;
/** Bytes that are written for a segment that is given up: a marker, and a header before what was moved. */
const MARKER = recordSize(0, 0);
const OVERHEAD = MARKER + SEGMENT_HEADER;
/** Bytes of the record of a flush to come. */
const FLUSH = recordSize(0, 0);
/** A segment with less to gain is given up only when there is nothing better to do. */
const WORTH = 0.25;
/** Of a segment with less to pass over all is read. */
const LEAST_DEAD = 1 / 64;
/** What a slice ends with where an item has an amendment, which may have to be waited for. */
const AMENDED = -1;
/** So many segments of less than a quarter of the usual size are merged. */
const SMALL_SEGMENTS = 8;

/** What compaction works on. */
export interface CompactorOptions {
  readonly files: Files;
  readonly directory: string;
  readonly log: Log;
  readonly damage: Damage;
  readonly placements: Placements;
  /** For its own use. */
  readonly records: CurrentRecords;
  readonly syncer: Syncer;
  /** For its own use. */
  readonly hash: KeyHash;
  readonly space: Space;
  readonly backpressure: Backpressure;
  /** At the limit, give up the oldest items. */
  readonly evict: boolean;
  /** {@linkcode PLACE_COST}. */
  readonly placeCost: number;
  readonly now: () => number;
  readonly say: (line: string) => void;
  /** Told of each item that is thrown out to make room, before it is forgotten. */
  readonly evicted: ((record: RecordReader, a: number, b: number) => void) | undefined;
  /** Drops a key's record from the cache. */
  readonly forget: (a: number, b: number) => void;
  /** Takes segments off the manifest. */
  readonly unlist: (segments: readonly Segment[]) => Promise<void>;
  /** Resolves when all sealed segments are synced and on the manifest. */
  readonly listed: () => Promise<void>;
  /** The moment of a pending flush; 0 for none. */
  readonly flushAt: () => number;
  /** Why writes are refused, if they are. */
  readonly refused: () => StoreError | undefined;
}

/** A write that waits for room for so many bytes, of an item or of a delete. */
interface Waiter {
  readonly bytes: number;
  readonly deletes: boolean;
  resume: () => void;
}

/** Compaction, and everything else that depends on how much room there is. */
export class Compactor {
  /** When the run that is under way began, in milliseconds since 1970; 0 where none is. */
  since = 0;
  /** Segments given up, bytes that were read, bytes that were moved, and bytes that came back. */
  count = 0;
  read = 0;
  moved = 0;
  freed = 0;
  evictions = 0;
  reclaimed = 0;
  /** The number of the segment with the last flush; everything before it is dead. 0 for none. */
  flushSegment = 0;

  /** Bytes of what was given up, without what was written for that: at most what there is more room. */
  #gained = 0;
  /** The greatest sequence number of a flush to come that was moved out of the segment which is being given up. */
  #movedFlush = -1;
  #running: Promise<void> | undefined;
  #stopping = false;
  /** Those that wait for room. */
  readonly #waiting = new Set<Waiter>();

  readonly #options: CompactorOptions;

  constructor(options: CompactorOptions) {
    this.#options = options;
  }

  /** Whether a segment is being given up. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** The wait that a writer of so many bytes owes to others; nothing while compaction keeps up. */
  heldUp(bytes: number): Promise<void> | undefined {
    const { log, backpressure } = this.#options;
    if (this.#running === undefined && log.hints.size === 0) return undefined;
    return backpressure.isOutrun ? backpressure.caughtUp(bytes) : undefined;
  }

  /**
   * Gives up what it takes to write so many bytes, for an item or for a delete; returns whether that
   * was possible.
   */
  async makeRoom(bytes: number, deletes: boolean): Promise<boolean> {
    const { space, listed } = this.#options;
    space.measure();
    // What does not fit into an empty log either is not worth anybody's item.
    if (!space.couldHold(bytes, deletes)) return false;
    const waiter: Waiter = { bytes, deletes, resume: () => {} };
    this.#waiting.add(waiter);
    try {
      for (;;) {
        if (space.hasRoom(bytes, deletes)) return true;
        await listed();
        const gained = this.#gained;
        this.wake();
        if (this.#running !== undefined) {
          await new Promise<void>((resolve) => waiter.resume = resolve);
        }
        space.measure();
        const isOver = this.#running === undefined && this.#gained <= gained;
        if (isOver && !space.hasRoom(bytes, deletes)) return false;
      }
    } finally {
      this.#waiting.delete(waiter);
    }
  }

  /** Whether somebody waits for room that is not there yet. */
  get #isWaitedFor(): boolean {
    const { space } = this.#options;
    for (const { bytes, deletes } of this.#waiting) if (!space.hasRoom(bytes, deletes)) return true;
    return false;
  }

  /** Lets those go on who have room, or all of them. */
  #resume(all: boolean): void {
    const { space } = this.#options;
    for (const { bytes, deletes, resume } of this.#waiting) {
      if (all || space.hasRoom(bytes, deletes)) resume();
    }
  }

  /** Looks whether there is something to do, and begins. */
  wake(): void {
    const { space, backpressure } = this.#options;
    space.measure();
    if (this.#running !== undefined) return;
    if (this.#stopping || this.#options.refused() !== undefined) return backpressure.pay(Infinity);
    if (this.#flushedSegments().length === 0 && this.#choose() === undefined) {
      // There may be more to choose from when what is sealed is listed.
      if (this.#options.log.hints.size === 0) backpressure.pay(Infinity);
      return;
    }
    this.since = this.#options.now();
    this.#running = this.#run().catch((error) => {
      if (!this.#stopping) this.#options.say(`Compaction stopped: ${messageOf(error)}`);
    }).finally(() => {
      this.#running = undefined;
      this.since = 0;
      backpressure.pay(Infinity);
      this.#resume(true);
    });
  }

  /** Ends after the slice that is under way. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#options.backpressure.pay(Infinity);
    await this.#running;
  }

  async #run(): Promise<void> {
    let gained = this.#gained;
    /** Segments that were given up since something was gained. */
    let vain = 0;
    while (!this.#stopping) {
      if (this.#gained > gained) {
        gained = this.#gained;
        vain = 0;
      } else if (vain++ > this.#options.log.segments.length) {
        // All was written anew in vain, and would be for ever.
        return;
      }
      const flushed = this.#flushedSegments();
      if (flushed.length > 0) {
        await this.#remove(flushed);
        continue;
      }
      const chosen = this.#choose();
      if (chosen === undefined) return;
      const { segment, evict } = chosen;
      segment.pin();
      try {
        if (!await this.#empty(segment, evict)) return;
      } finally {
        segment.unpin();
      }
      if (segment.id < this.flushSegment) continue;
      assert(segment.live === 0 || segment.damaged, "what is alive and whole was moved");
      if (this.#mustStay(segment)) {
        this.#options.say(
          `Kept '${segment.path}', which is damaged: ${segment.live} bytes in it are still in use`,
        );
        continue;
      }
      if (segment.damaged) this.#keepFlush();
      await this.#remove([segment]);
    }
  }

  /** Appends a pending flush again: its record may be one of those that cannot be read. */
  #keepFlush(): void {
    const { log, flushAt } = this.#options;
    const at = flushAt();
    if (at === 0) return;
    this.#gained -= log.appendFlush(Kind.flushToCome, log.sequence, at);
    log.writeOut();
  }

  #flushedSegments(): Segment[] {
    if (this.flushSegment === 0) return [];
    return this.#options.log.segments.filter((one) => one.listed && one.id < this.flushSegment);
  }

  /** The segment that is best given up now, if any. */
  #choose(): { segment: Segment; evict: boolean } | undefined {
    const { log, placements, space, now, evict } = this.#options;
    const { segments, segmentBytes } = log;
    const time = now();
    const flush = this.#options.flushAt() === 0 ? 0 : FLUSH;
    let best: Segment | undefined;
    let bestGain = 0;
    let expired = 0;
    let small = 0;
    let firstSmall: Segment | undefined;
    let oldest: Segment | undefined;
    let mostExpired: Segment | undefined;
    // What nothing can be done about does not count: what is dead in segments that stay, and tombstones that guard
    // against the first of those.
    let total = log.total - log.hintTotal;
    let firstToStay = Infinity;
    for (const segment of segments) {
      // Of what a listing reads nothing comes back before that ends.
      const stays = segment.holds > 0 || this.#mustStay(segment);
      if (stays) {
        total -= segment.length - segment.live;
        firstToStay = Math.min(firstToStay, segment.id);
      } else if (segment.tombstoneSegment >= firstToStay) {
        total -= segment.tombstones;
      }
      if (!segment.listed || stays) continue;
      oldest ??= segment;
      const dead = Math.min(
        segment.live,
        Math.floor(segment.expiry.passed(time) * segment.live / segment.length),
      );
      expired += dead;
      if (dead > WORTH * segment.length) mostExpired ??= segment;
      const guarding = this.#guards(segment, segment.tombstoneSegment) ? segment.tombstones : 0;
      const kept = segment.live - dead + guarding + flush;
      const written = kept + (kept > 0 ? OVERHEAD : MARKER);
      const gain = 1 - Math.min(1, written / segment.length);
      if (gain > bestGain || best === undefined) {
        best = segment;
        bestGain = gain;
      }
      if (segment.length < segmentBytes / 4) {
        small++;
        firstSmall ??= segment;
      }
    }
    if (best === undefined || oldest === undefined) return undefined;
    const pressed = this.#isWaitedFor || log.total > space.ceiling - segmentBytes;
    const excess = total > TOLERATED * (placements.live - expired) + segmentBytes;
    if (pressed || excess) {
      if (bestGain >= WORTH || pressed && !evict && bestGain >= 0.02) {
        return { segment: best, evict: false };
      }
      if (pressed && evict) return { segment: oldest, evict: true };
      // What is dead cannot be dropped while older segments are there: so the oldest goes.
      if (excess) return { segment: oldest, evict: false };
    }
    // What has expired goes also where there is room: it is counted, and in nobody's way to be moved.
    if (mostExpired !== undefined) return { segment: mostExpired, evict: false };
    if (small > SMALL_SEGMENTS) return { segment: firstSmall!, evict: false };
    return undefined;
  }

  /**
   * Whether a damaged segment cannot be given up: records in it are what keys are at, or a tombstone
   * that cannot be read may guard against older ones.
   */
  #mustStay(segment: Segment): boolean {
    if (!segment.damaged) return false;
    return segment.live > 0 ||
      segment.tombstones > 0 && this.#guards(segment, segment.tombstoneSegment);
  }

  /** Whether there is a segment, other than this one, up to a number. */
  #guards(segment: Segment, upTo: number): boolean {
    const { segments } = this.#options.log;
    const first = segments[0] === segment ? segments[1] : segments[0];
    return first !== undefined && first.id <= upTo;
  }

  /** Whether more may be needed of a segment than what keys are at: tombstones, and a flush to come. */
  #needsMore(segment: Segment): boolean {
    if (this.#options.flushAt() !== 0) return true;
    return segment.tombstones > 0 && this.#guards(segment, segment.tombstoneSegment);
  }

  /** Whether nothing in a segment is needed, so that nobody has to read what there is. */
  #isDead(segment: Segment): boolean {
    // What is written does not come back to life.
    this.#options.log.writeOut();
    return segment.live === 0 && !segment.damaged && !this.#needsMore(segment);
  }

  /** Moves what is alive to the log's end; returns whether that was done. */
  async #empty(segment: Segment, evict: boolean): Promise<boolean> {
    const { log, syncer, placements, backpressure } = this.#options;
    this.#movedFlush = -1;
    if (this.#isDead(segment)) {
      backpressure.pay(segment.length);
      await syncer.until(log.written);
      return true;
    }
    const runs = await this.#neededOf(segment);
    if (this.#isOver(segment)) return !this.#stopping;
    const reader = new SegmentReader(segment.file, segment.seed, segment.length, BLOCK, runs);
    // What comes back of each byte that is passed, and so what others may write meanwhile.
    const gain = Math.max(WORTH, 1 - segment.live / segment.length);
    for (;;) {
      const began = performance.now();
      const from = reader.next;
      log.writeOut();
      const step = this.#slice(segment, reader, evict, began + SLICE);
      // To wait for an amendment holds up nobody.
      const took = performance.now() - began;
      if (step === AMENDED) await this.#moveAmended(segment, reader, evict);
      log.writeOut();
      if (step === Step.more) await reader.fillLater().catch(() => reader.giveUp());
      backpressure.pay((reader.next - from) * gain);
      if (step === Step.end) break;
      await this.#rest(took);
      if (this.#isOver(segment)) return !this.#stopping;
    }
    if (reader.gaps.length > 0) {
      segment.damaged = true;
      await this.#options.damage.noteGaps(segment, reader.gaps, placements);
    }
    // Dead records are dead because of newer ones: those must be safe before the old ones go.
    await syncer.until(log.written);
    return true;
  }

  /** Whether a segment need not be emptied any more: it was flushed meanwhile, or the store closes. */
  #isOver(segment: Segment): boolean {
    const refused = this.#options.refused();
    if (refused !== undefined) throw refused;
    return this.#stopping || segment.id < this.flushSegment;
  }

  /**
   * Which records of a segment are to be read: those that keys are at, and tombstones and flushes to come
   * where they are needed; nothing where all of it is to be read.
   */
  async #neededOf(segment: Segment): Promise<Runs | undefined> {
    const { files, log, placements, placeCost } = this.#options;
    const dead = segment.length - segment.live;
    if (dead < Math.max(placements.places * placeCost, segment.length * LEAST_DEAD)) {
      return undefined;
    }
    const runs = new Runs(segment.length);
    const turn = async (took: number) => {
      await this.#rest(took);
      return !this.#isOver(segment);
    };
    const options = { files, log, placements, slice: SLICE, turn };
    if (this.#needsMore(segment) && !await markTombstones(segment, runs, options)) return undefined;
    return await markLive(segment, runs, options) ? runs : undefined;
  }

  /** Moves records until `deadline`, or the end of what was read; returns the reader's last step. */
  #slice(segment: Segment, reader: SegmentReader, evict: boolean, deadline: number): number {
    for (let unchecked = 0;;) {
      const step = reader.step();
      if (step === Step.record) {
        if (!this.#move(segment, reader, evict)) return AMENDED;
        this.read += reader.record.size;
        unchecked += RECORD_COST + reader.record.size;
      } else if (step === Step.bad) {
        reader.skip();
        unchecked += 64;
      } else {
        return step;
      }
      if (unchecked < CLOCK_BYTES) continue;
      unchecked = 0;
      if (performance.now() >= deadline) return step;
    }
  }

  /** Moves what must be kept of a record; returns false, and does nothing, for an amended item. */
  #move(segment: Segment, reader: SegmentReader, evict: boolean): boolean {
    const { log, placements, hash, flushAt } = this.#options;
    const { record, offset } = reader;
    const { kind } = record;
    if (kind === Kind.flushToCome) {
      // One that was moved out of several segments is here as often.
      if (record.time !== flushAt() || record.sequence <= this.#movedFlush) return true;
      this.#gained -= log.appendFlush(kind, record.sequence, record.time);
      this.#movedFlush = record.sequence;
      return true;
    }
    if (kind === Kind.flush || kind === Kind.marker) return true;
    hash.of(record.bytes, record.at + RECORD_HEADER, record.keyLength);
    const { a, b, c } = hash;
    if (kind === Kind.tombstone) {
      if (!placements.index.find(a, b, c)) this.#guard(segment, record, record.segment);
    } else if (kind === Kind.amendment) {
      if (!placements.tells(segment, offset, a, b, c)) return true;
      const size = log.appendCopy(record, hash);
      placements.amend(a, b, c, log.active!, log.offset, size);
      this.moved += size;
      this.#gained -= size;
    } else if (placements.isAt(segment, offset, a, b, c)) {
      if (placements.amendmentOf(a, b, c) !== 0) return false;
      this.#moveItem(segment, record, evict);
    }
    return true;
  }

  /** Moves the item that the index's last answer points at, and that was hashed last. */
  #moveItem(segment: Segment, record: RecordReader, evict: boolean): void {
    const { log, placements, hash, now, forget } = this.#options;
    const { a, b, c } = hash;
    assert(placements.size >= record.size, "the index knows how long a record is");
    const dead = record.time !== 0 && record.time <= now();
    if (!dead && !evict) {
      const size = log.appendCopy(record, hash);
      placements.set(a, b, c, log.active!, log.offset, size);
      log.writeLong();
      this.moved += size;
      this.#gained -= size;
      return;
    }
    // Where that finds no room the item stays: without it an older value would be there again.
    this.#guard(segment, record, segment.id);
    if (dead) this.reclaimed++;
    else {
      this.evictions++;
      this.#options.evicted?.(record, a, b);
    }
    placements.drop(a, b, c);
    forget(a, b);
  }

  /** Moves an item as its amendment has made it, unless it is replaced meanwhile. */
  async #moveAmended(
    segment: Segment,
    { record, offset }: SegmentReader,
    evict: boolean,
  ): Promise<void> {
    const { placements, records, hash } = this.#options;
    const { a, b, c } = hash;
    while (placements.isAt(segment, offset, a, b, c)) {
      const amended = placements.amendmentOf(a, b, c);
      if (amended !== 0) {
        let amendment: RecordReader;
        try {
          amendment = await records.amendment();
        } catch (error) {
          if (!(error instanceof UnreadableError)) throw error;
          // What the item has become is not known: it stays where it is until it is replaced.
          segment.damaged = true;
          return;
        }
        const isSame = placements.isAt(segment, offset, a, b, c) &&
          placements.amendmentOf(a, b, c) === amended;
        if (!isSame) continue;
        record.amend(amendment);
      }
      return this.#moveItem(segment, record, evict);
    }
  }

  /** Appends a tombstone of a record's key while there are segments up to a number. */
  #guard(segment: Segment, record: RecordReader, upTo: number): void {
    const { log, hash } = this.#options;
    if (!this.#guards(segment, upTo)) return;
    this.#gained -= log.appendTombstone(record.key(), record.sequence, upTo, hash);
  }

  /**
   * Lets the others have the loop, after a slice of so long; for longer the further writers are from
   * being held up.
   */
  async #rest(milliseconds: number): Promise<void> {
    const { backpressure } = this.#options;
    const isWaitedFor = this.#isWaitedFor || backpressure.isWaitedFor;
    const pause = isWaitedFor ? 0 : milliseconds * REST * backpressure.ease;
    await new Promise((resolve) =>
      pause < 0.5 ? setImmediate(resolve) : setTimeout(resolve, pause)
    );
  }

  /** Makes the log do without segments. */
  async #unlist(segments: readonly Segment[]): Promise<void> {
    const { log, syncer, unlist } = this.#options;
    await syncer.until(log.written);
    // From here on what was synced must not be taken for a torn end: what it replaces is gone.
    log.markerDue = syncer.reached;
    log.mark();
    log.writeOut();
    await unlist(segments);
  }

  /** Removes the hints of segments in which nothing is alive. */
  async removeDeadHints(): Promise<void> {
    const { segments } = this.#options.log;
    await this.#removeHints(segments.filter((one) => one.listed && one.live === 0));
  }

  async #removeHints(segments: readonly Segment[]): Promise<void> {
    const { files, log } = this.#options;
    for (const segment of segments) {
      await files.removeLater(segment.hintPath);
      log.total -= segment.hintBytes;
      log.hintTotal -= segment.hintBytes;
      segment.hintBytes = 0;
    }
  }

  async #remove(segments: readonly Segment[]): Promise<void> {
    const { files, log, placements } = this.#options;
    try {
      await this.#unlist(segments);
    } catch (error) {
      if (!(error instanceof OutOfSpaceError || isNoRoom(error))) throw error;
      // Not even a line of the manifest has room: what a start can do without makes some.
      await this.#removeHints(segments);
      await this.#unlist(segments);
    }
    for (const segment of segments) {
      log.segments.splice(log.segments.indexOf(segment), 1);
      placements.slots[segment.slot] = undefined;
      log.total -= segment.length + segment.hintBytes;
      log.hintTotal -= segment.hintBytes;
      this.freed += segment.length + segment.hintBytes;
      // What is written instead has hints too.
      if (segment.holds === 0) this.#gained += segment.length - OVERHEAD;
      this.count++;
      this.#options.damage.forget(segment);
      log.held += segment.length;
      segment.remove(() => log.held -= segment.length);
      await files.removeLater(segment.hintPath);
      await files.removeLater(segment.path);
    }
    const first = log.segments[0];
    if (first === undefined || first.id > this.flushSegment) placements.flushed = undefined;
    this.#options.space.measure();
    this.#resume(false);
  }
}
