/**
 * Gives back the room of dead records: what is alive in a segment is appended to the log again, and
 * the segment removed. FORMAT.md, "Compaction".
 *
 * @module
 */

import { messageOf, type StoreError } from "../../../errors.ts";
import type { Files } from "../fs/files.ts";
import type { KeyHash } from "../../hash.ts";
import type { Log } from "../log/log.ts";
import type { Placements } from "../index/placements.ts";
import { Kind, RECORD_HEADER, type RecordReader } from "../format/record.ts";
import { type Segment, SEGMENT_HEADER } from "../log/segment.ts";
import { SegmentReader, Step } from "../read/segment_reader.ts";
import type { Syncer } from "../log/sync.ts";

/** Bytes that are read at a time. */
const BLOCK = 1 << 20;
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
/** Segments may be so many times the live bytes, and one more, before some are given up. */
const TOLERATED = 1.5;
/** From so many times on, and nearly two segments, writers wait for compaction. */
const OUTRUN = 1.65;
const OUTRUN_SEGMENTS = 1.75;
/** A segment with less to gain is given up only when there is nothing better to do. */
const WORTH = 0.25;
/** So many segments of less than a quarter of the usual size are merged. */
const SMALL_SEGMENTS = 8;

const NOTHING = new Uint8Array(0);

/** What compaction works on. */
export interface CompactorOptions {
  readonly files: Files;
  readonly directory: string;
  readonly log: Log;
  readonly placements: Placements;
  readonly syncer: Syncer;
  /** For its own use. */
  readonly hash: KeyHash;
  readonly segmentBytes: number;
  /** Bytes that the directory may take; 0 for no limit. */
  readonly maxDisk: number;
  /** At the limit, give up the oldest items. */
  readonly evict: boolean;
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

/** Compaction, and everything else that depends on how much room there is. */
export class Compactor {
  /** Segments given up, bytes that were moved, and bytes that came back. */
  count = 0;
  moved = 0;
  freed = 0;
  evictions = 0;
  reclaimed = 0;
  /** The number of the segment with the last flush; everything before it is dead. 0 for none. */
  flushSegment = 0;

  /** The greatest `log.total` that writes may bring about. */
  private ceiling = Infinity;
  /** The same for deletes. */
  private lastCeiling = Infinity;
  private running: Promise<void> | undefined;
  private stopping = false;
  /** How many wait for room. */
  private waiting = 0;
  /** Bytes that writers have written since they were outrun, and who waits for them to be paid. */
  private debt = 0;
  private waiters: Array<() => void> = [];

  constructor(private readonly options: CompactorOptions) {
    this.measure();
  }

  /** Whether a segment is being given up. */
  get busy(): boolean {
    return this.running !== undefined;
  }

  /** Whether writers are faster than compaction, and should wait. */
  get outrun(): boolean {
    const { log, placements, segmentBytes } = this.options;
    if (this.running === undefined && log.hints.size === 0) return false;
    return log.total - log.hintTotal > OUTRUN * placements.live + OUTRUN_SEGMENTS * segmentBytes;
  }

  /** Resolves when compaction has done as much as the writers; `bytes` is what one has written. */
  caughtUp(bytes: number): Promise<void> {
    this.debt += bytes;
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  /** Whether so many bytes may be written, for an item or for a delete. */
  hasRoom(bytes: number, deletes = false): boolean {
    return this.options.log.footprint + bytes <= (deletes ? this.lastCeiling : this.ceiling);
  }

  /** Gives up what it takes to write so many bytes; returns whether that was possible. */
  async makeRoom(bytes: number, deletes: boolean): Promise<boolean> {
    this.measure();
    // What does not fit into an empty log either is not worth anybody's item.
    const ceiling = deletes ? this.lastCeiling : this.ceiling;
    if (bytes + SEGMENT_HEADER > ceiling) return false;
    this.waiting++;
    try {
      for (;;) {
        this.measure();
        if (this.hasRoom(bytes, deletes)) return true;
        await this.options.listed();
        const { freed } = this;
        this.wake();
        await this.running;
        if (this.freed === freed && !this.hasRoom(bytes, deletes)) return false;
      }
    } finally {
      this.waiting--;
    }
  }

  /** Where the limit is that writes came upon, for people. */
  bound(): string {
    const { maxDisk, log } = this.options;
    return maxDisk > 0
      ? `it takes ${log.total} bytes of the ${maxDisk} allowed`
      : "the file system is full";
  }

  /** Looks whether there is something to do, and begins. */
  wake(): void {
    this.measure();
    if (this.running !== undefined) return;
    if (this.stopping || this.options.refused() !== undefined) return this.pay(Infinity);
    if (this.flushedSegments().length === 0 && this.choose() === undefined) {
      // There may be more to choose from when what is sealed is listed.
      if (this.options.log.hints.size === 0) this.pay(Infinity);
      return;
    }
    this.running = this.run().catch((error) => {
      if (!this.stopping) this.options.say(`Compaction stopped: ${messageOf(error)}`);
    }).finally(() => {
      this.running = undefined;
      this.pay(Infinity);
    });
  }

  /** Ends after the slice that is under way. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.pay(Infinity);
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      const flushed = this.flushedSegments();
      if (flushed.length > 0) {
        await this.remove(flushed);
        continue;
      }
      const chosen = this.choose();
      if (chosen === undefined) return;
      const { segment, evict } = chosen;
      segment.pin();
      try {
        if (!await this.empty(segment, evict)) return;
      } finally {
        segment.unpin();
      }
      if (segment.id < this.flushSegment) continue;
      if (segment.live !== 0) {
        segment.damaged = true;
        this.options.say(`Kept '${segment.path}': ${segment.live} bytes in it are still in use`);
        continue;
      }
      await this.remove([segment]);
    }
  }

  /** How far writes may go, by `maxDisk` and by what the file system has left. */
  measure(): void {
    const { files, directory, log, maxDisk, segmentBytes } = this.options;
    const allowed = maxDisk > 0 ? maxDisk : Infinity;
    // Compaction writes before it removes, and deletes must go on: both have the rest.
    const reserve = 2 * segmentBytes + 4096;
    let free = Infinity;
    try {
      free = files.free(directory);
    } catch {
      // Where that cannot be told, a write will tell.
    }
    this.ceiling = Math.min(log.total + free, allowed) - reserve;
    this.lastCeiling = allowed - segmentBytes;
  }

  private flushedSegments(): Segment[] {
    if (this.flushSegment === 0) return [];
    return this.options.log.segments.filter((one) => one.listed && one.id < this.flushSegment);
  }

  /** The segment that is best given up now, if any. */
  private choose(): { segment: Segment; evict: boolean } | undefined {
    const { log, placements, segmentBytes, now, evict } = this.options;
    const { segments } = log;
    const time = now();
    let best: Segment | undefined;
    let bestGain = 0;
    let expired = 0;
    let small = 0;
    let firstSmall: Segment | undefined;
    let oldest: Segment | undefined;
    // What nothing can be done about does not count.
    let total = log.total - log.hintTotal;
    for (const segment of segments) {
      if (segment.damaged) total -= segment.length - segment.live;
      if (!segment.listed || segment.damaged) continue;
      oldest ??= segment;
      const dead = Math.min(
        segment.live,
        Math.floor(segment.expiry.passed(time) * segment.live / segment.length),
      );
      expired += dead;
      const guarding = this.guards(segment, segment.tombstoneSegment) ? segment.tombstones : 0;
      const gain = 1 - Math.min(1, (segment.live - dead + guarding) / segment.length);
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
    const pressed = this.waiting > 0 || log.total > this.ceiling - segmentBytes;
    const excess = total > TOLERATED * (placements.live - expired) + segmentBytes;
    if (pressed || excess) {
      if (bestGain >= WORTH || pressed && !evict && bestGain >= 0.02) {
        return { segment: best, evict: false };
      }
      if (pressed && evict) return { segment: oldest, evict: true };
      // What is dead cannot be dropped while older segments are there: so the oldest goes.
      if (excess) return { segment: oldest, evict: false };
    }
    if (small > SMALL_SEGMENTS) return { segment: firstSmall!, evict: false };
    return undefined;
  }

  /** Whether there is a segment, other than this one, up to a number. */
  private guards(segment: Segment, upTo: number): boolean {
    const { segments } = this.options.log;
    const first = segments[0] === segment ? segments[1] : segments[0];
    return first !== undefined && first.id <= upTo;
  }

  /** Moves what is alive to the log's end; gives whether that was done. */
  private async empty(segment: Segment, evict: boolean): Promise<boolean> {
    const { log, syncer, placements } = this.options;
    const reader = new SegmentReader(segment.file, segment.seed, segment.length, BLOCK);
    // What comes back of each byte that is read, and so what others may write meanwhile.
    const gain = Math.max(WORTH, 1 - segment.live / segment.length);
    for (;;) {
      const began = performance.now();
      const from = reader.next;
      log.writeOut();
      const step = this.slice(segment, reader, evict, began + SLICE);
      log.writeOut();
      // Items that were dropped without a tombstone are dropped for good.
      placements.settle();
      if (step === Step.bad) {
        segment.damaged = true;
        this.options.say(
          `Cannot compact '${segment.path}': the record at offset ${reader.offset} is damaged`,
        );
        return false;
      }
      if (step === Step.end) break;
      const took = performance.now() - began;
      if (step === Step.more) await reader.fillLater();
      this.pay((reader.next - from) * gain);
      await this.rest(took);
      const refused = this.options.refused();
      if (refused !== undefined) throw refused;
      if (this.stopping) return false;
      if (segment.id < this.flushSegment) return true;
    }
    // Dead records are dead because of newer ones: those must be safe before the old ones go.
    await syncer.until(log.written);
    return true;
  }

  /** Moves records until `deadline`, or the end of what was read; gives the reader's last step. */
  private slice(segment: Segment, reader: SegmentReader, evict: boolean, deadline: number): number {
    for (let unchecked = 0;;) {
      const step = reader.step();
      if (step !== Step.record) return step;
      this.move(segment, reader, evict);
      unchecked += RECORD_COST + reader.record.size;
      if (unchecked < CLOCK_BYTES) continue;
      unchecked = 0;
      if (performance.now() >= deadline) return step;
    }
  }

  private move(segment: Segment, reader: SegmentReader, evict: boolean): void {
    const { log, placements, hash, now, forget, flushAt } = this.options;
    const { record, offset } = reader;
    const { kind } = record;
    if (kind === Kind.flushToCome) {
      if (record.time !== flushAt()) return;
      log.append(kind, 0, NOTHING, NOTHING, 0, record.sequence, 0n, record.time, 0, 0, 0, 0, 0);
      return;
    }
    if (kind !== Kind.item && kind !== Kind.tombstone) return;
    hash.of(record.bytes, record.at + RECORD_HEADER, record.keyLength);
    const { a, b, c } = hash;
    const there = placements.index.find(a, b, c);
    let guarded = record.segment;
    if (kind === Kind.item) {
      if (!there || placements.segment !== segment || placements.offset !== offset) return;
      const dead = record.time !== 0 && record.time <= now();
      if (!dead && !evict) {
        const size = log.append(
          kind,
          record.state,
          record.key(),
          record.value(),
          record.flags,
          record.sequence,
          record.cas,
          record.time,
          record.accessed,
          0,
          a,
          b,
          c,
        );
        placements.set(a, b, c, log.active!, log.offset, size);
        this.moved += size;
        return;
      }
      if (dead) this.reclaimed++;
      else {
        this.evictions++;
        this.options.evicted?.(record, a, b);
      }
      placements.drop(a, b, c);
      forget(a, b);
      guarded = segment.id;
    } else if (there) {
      return;
    }
    if (this.guards(segment, guarded)) {
      const { sequence } = record;
      log.append(
        Kind.tombstone,
        0,
        record.key(),
        NOTHING,
        0,
        sequence,
        0n,
        0,
        0,
        guarded,
        a,
        b,
        c,
      );
    }
  }

  /** Lets the others have the loop, after a slice of so long; for longer if nobody waits. */
  private async rest(milliseconds: number): Promise<void> {
    const { log, placements, segmentBytes } = this.options;
    // The nearer writers come to being held up, the shorter the rests.
    const least = TOLERATED * placements.live + segmentBytes;
    const most = OUTRUN * placements.live + OUTRUN_SEGMENTS * segmentBytes;
    const ease = Math.min(1, Math.max(0, (most - log.total + log.hintTotal) / (most - least)));
    const pause = this.waiting > 0 ? 0 : milliseconds * REST * ease;
    await new Promise((resolve) =>
      pause < 0.5 ? setImmediate(resolve) : setTimeout(resolve, pause)
    );
  }

  /** Takes from the writers' debt what compaction has done. */
  private pay(bytes: number): void {
    this.debt = Math.max(0, this.debt - bytes);
    if (this.debt > 0 || this.waiters.length === 0) return;
    const { waiters } = this;
    this.waiters = [];
    for (const resolve of waiters) resolve();
  }

  private async remove(segments: readonly Segment[]): Promise<void> {
    const { files, log, placements, syncer, unlist } = this.options;
    await syncer.until(log.written);
    // From here on what was synced must not be taken for a torn end: what it replaces is gone.
    log.markerDue = syncer.synced;
    log.mark();
    log.writeOut();
    await unlist(segments);
    for (const segment of segments) {
      log.segments.splice(log.segments.indexOf(segment), 1);
      placements.slots[segment.slot] = undefined;
      log.total -= segment.length + segment.hintBytes;
      log.hintTotal -= segment.hintBytes;
      this.freed += segment.length + segment.hintBytes;
      this.count++;
      segment.remove();
      await files.removeLater(segment.hintPath);
      await files.removeLater(segment.path);
    }
    const first = log.segments[0];
    if (first === undefined || first.id > this.flushSegment) placements.flushed = undefined;
    this.measure();
  }
}
