/**
 * The log's end: records are gathered in memory, written with one call, cut into segments.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { assert, messageOf, OutOfSpaceError, StoreError } from "../../../errors.ts";
import {
  codeOf,
  type DataFile,
  type Files,
  isNoRoom,
  removeIfThere,
  writeFully,
} from "../fs/files.ts";
import { HINT_HEADER, HINT_RECORD, HintBuilder } from "../format/hint.ts";
import { ENDLESS, LAST_OFFSET } from "../index/key_index.ts";
import type { Placements } from "../index/placements.ts";
import { type NewItem, valueLengthOf } from "../../contract.ts";
import {
  AMENDMENT_BYTES,
  encodeAmendment,
  Kind,
  LONG,
  RECORD_HEADER,
  RecordBuffer,
  type RecordFields,
  type RecordReader,
  recordSize,
  stateOf,
} from "../format/record.ts";
import type { KeyHash } from "../../../key_hash.ts";
import { RoomAhead } from "./room_ahead.ts";
import {
  encodeSegmentHeader,
  ExpiryTimes,
  Segment,
  SEGMENT_HEADER,
  segmentName,
} from "./segment.ts";

/** The least and the greatest size of a segment that is asked for, in bytes. */
export const SMALLEST_SEGMENT = 1 << 12;
export const LARGEST_SEGMENT = LAST_OFFSET >>> 1;

const NOTHING = new Uint8Array(0);

/** What the log is opened with: what a start found. */
export interface LogStart {
  readonly files: Files;
  readonly directory: string;
  readonly hashKey: Uint8Array;
  readonly now: () => number;
  readonly placements: Placements;
  /** In log order, all sealed. */
  readonly segments: Segment[];
  readonly sequence: number;
  /** The number of the next segment. */
  readonly next: number;
  /** The position behind the last segment. */
  readonly end: number;
  /** Whether replies wait for syncs, which are faster where there is room ahead. */
  readonly roomAhead?: boolean;
}

/** The kinds of a record that speaks of all items. */
export type FlushKind = typeof Kind.flush | typeof Kind.flushToCome;

function fieldsOf(kind: number) {
  return { kind, state: 0, flags: 0, sequence: 0, cas: 0n, time: 0, accessed: 0, segment: 0 };
}

/** The error that tells a client why bytes were not written. */
export function writeError(what: string, error: unknown): StoreError {
  const text = `${what}: ${messageOf(error)}`.replaceAll(/\s+/g, " ");
  return isNoRoom(error) ? new OutOfSpaceError(text) : new StoreError(text);
}

/** The log. Positions count its bytes from the opening on, over all segments. */
export class Log {
  readonly segments: Segment[];
  /** The segment that is written to; none before the first write. */
  active: Segment | undefined;
  /** Records that are not yet written. */
  readonly pending = new RecordBuffer(1 << 16);
  /**
   * The end of the last of those, where that is so long that value and padding lie in memory of their own:
   * {@linkcode writeLong} comes before anything else.
   */
  #tail: Uint8Array = NOTHING;
  /** The greatest sequence number in use. */
  sequence: number;
  /** The greatest sequence number of a record that is written. */
  writtenSequence: number;
  /** Where the last record that was appended begins in its segment, and in {@linkcode pending}. */
  offset = 0;
  pendingAt = 0;
  /** Where the last written record that is not a sync marker ends. */
  dataEnd = 0;
  /** The position of a sync that the next record is to be preceded by a marker of; 0 for none. */
  markerDue = 0;
  /** The position that the last marker speaks of. */
  marked = 0;
  /** Segments with bytes that were not synced, in log order. */
  readonly unsynced: Segment[] = [];
  /** Whether the directory has names that were not synced. */
  namesUnsynced = false;
  /** Hints of segments that are sealed and not listed. */
  readonly hints = new Map<Segment, HintBuilder>();
  /** Bytes of all segments and hints, and of the hints alone. */
  total = 0;
  hintTotal = 0;
  /** Bytes of segments that are given up, and that somebody still reads. */
  held = 0;
  /** The greatest size of a file, in bytes, as far as a write has come upon it. */
  fileLimit = Infinity;
  /** Records that were appended since the opening. */
  records = 0;
  /** The size that a segment grows to, in bytes. */
  segmentBytes = LARGEST_SEGMENT;

  /** Told when everything that was pending is written. */
  onWritten: () => void = () => {};

  /** Told when bytes are lost that the index points at. */
  onLost: (error: StoreError) => void = () => {};

  /** Told when there is no room for a write. */
  onNoRoom: (error: OutOfSpaceError) => void = () => {};

  /** Told when a segment has been sealed. */
  onSealed: () => void = () => {};

  /** What is appended next: the same two objects each time. */
  readonly #fields = fieldsOf(Kind.item);
  readonly #marker = fieldsOf(Kind.marker);
  readonly #amendment = new DataView(new ArrayBuffer(AMENDMENT_BYTES));
  #end: number;
  #next: number;
  #hint = new HintBuilder();
  #hintWritten = HINT_HEADER;
  /** The greatest sequence number of which a record was appended. */
  #pendingSequence: number;
  #pendingTombstones = 0;
  #pendingTombstoneSegment = 0;
  #pendingData = false;
  /** What {@linkcode marked} was when everything was written. */
  #markedWritten: number;
  #full = false;
  #previous = 0;
  #previousLength = 0;

  readonly #start: LogStart;
  readonly #room: RoomAhead | undefined;

  constructor(start: LogStart) {
    this.#start = start;
    this.#room = start.roomAhead === true ? new RoomAhead() : undefined;

    this.segments = start.segments;
    this.sequence = this.writtenSequence = this.#pendingSequence = start.sequence;
    this.#next = start.next;
    this.#end = start.end;
    this.dataEnd = this.marked = this.#markedWritten = start.end;
    const last = start.segments.at(-1);
    if (last !== undefined) {
      this.#previous = last.id;
      this.#previousLength = last.length;
    }
    for (const segment of start.segments) {
      this.total += segment.length + segment.hintBytes;
      this.hintTotal += segment.hintBytes;
    }
  }

  /** 16 bytes that make this directory's hashes and checksums its own. */
  get hashKey(): Uint8Array {
    return this.#start.hashKey;
  }

  /** The position up to which bytes are written. */
  get written(): number {
    return this.active === undefined ? this.#end : this.active.base + this.active.length;
  }

  /** The position behind the last record. */
  get position(): number {
    return this.written + this.pending.length + this.#tail.length;
  }

  /** The number that the next new segment gets. */
  get nextId(): number {
    return this.#next;
  }

  /**
   * Appends an item's record in memory; {@linkcode offset} and {@linkcode active} tell where it will
   * be. Returns its size in bytes.
   *
   * @param hash of the key
   * @param keyStart where the key begins in `key`
   * @throws {StoreError} if a new segment could not be begun, or what is pending not be written
   */
  appendItem(
    key: Uint8Array,
    item: NewItem,
    sequence: number,
    hash: KeyHash,
    keyStart: number,
    keyLength: number,
  ): number {
    const fields = this.#attributesOf(Kind.item, item, sequence);
    const size = recordSize(keyLength, valueLengthOf(item));
    const active = this.#begin(size, fields);
    const offset = active.length + this.pending.length;
    this.pending.putItem(fields, key, item, active.seed, offset, keyStart, keyLength);
    return this.#appended(active, fields, hash, size);
  }

  /**
   * {@linkcode appendItem} of one whose value is long enough to be written from where it lies:
   * {@linkcode writeLong} follows.
   *
   * @param tail the value, and zeros up to a multiple of 8 bytes of the record
   */
  appendLong(
    key: Uint8Array,
    item: NewItem,
    tail: Uint8Array,
    sequence: number,
    hash: KeyHash,
    keyStart: number,
    keyLength: number,
  ): number {
    const fields = this.#attributesOf(Kind.item, item, sequence);
    return this.#appendHead(fields, key, keyStart, keyLength, valueLengthOf(item), tail, hash);
  }

  #appendHead(
    fields: RecordFields,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    valueLength: number,
    tail: Uint8Array,
    hash: KeyHash,
  ): number {
    const { pending } = this;
    const size = RECORD_HEADER + keyLength + tail.length;
    assert(size === recordSize(keyLength, valueLength), "a tail is a value and its padding");
    const active = this.#begin(size, fields);
    const offset = active.length + pending.length;
    pending.putHead(fields, key, keyStart, keyLength, valueLength, tail, active.seed, offset);
    this.#tail = tail;
    return this.#appended(active, fields, hash, size);
  }

  /**
   * Appends other attributes for an item whose value stays.
   *
   * @param base the sequence number of the record that has the value
   * @throws {StoreError} as {@linkcode appendItem} does
   */
  appendAmendment(
    key: Uint8Array,
    item: NewItem,
    sequence: number,
    base: number,
    hash: KeyHash,
  ): number {
    const fields = this.#attributesOf(Kind.amendment, item, sequence);
    const amendment = this.#amendment;
    encodeAmendment(base, item.value.length, amendment);
    return this.#append(fields, key, new Uint8Array(amendment.buffer), hash);
  }

  /** The fields of a record that tells an item's attributes. */
  #attributesOf(kind: RecordFields["kind"], item: NewItem, sequence: number): RecordFields {
    const fields = this.#fields;
    fields.kind = kind;
    fields.state = stateOf(item);
    fields.flags = item.flags;
    fields.sequence = sequence;
    fields.cas = item.cas;
    fields.time = item.exptime;
    fields.accessed = item.accessed;
    fields.segment = 0;
    return fields;
  }

  /**
   * {@linkcode appendItem} of a record as it is elsewhere in the log, or {@linkcode appendLong} of one that is
   * long.
   */
  appendCopy(record: RecordReader, hash: KeyHash): number {
    const { size, bytes, at, keyLength, valueLength } = record;
    if (size >= LONG) {
      const key = at + RECORD_HEADER;
      const tail = bytes.subarray(key + keyLength, at + size);
      return this.#appendHead(record, bytes, key, keyLength, valueLength, tail, hash);
    }
    return this.#append(record, record.key(), record.value(), hash);
  }

  /**
   * Appends that a key is gone.
   *
   * @param segment the greatest number of a segment that may have the key; 0 for the active one
   */
  appendTombstone(key: Uint8Array, sequence: number, segment: number, hash: KeyHash): number {
    const fields = this.#fields;
    fields.kind = Kind.tombstone;
    fields.state =
      fields.flags =
      fields.time =
      fields.accessed =
        0;
    fields.sequence = sequence;
    fields.cas = 0n;
    fields.segment = segment;
    return this.#append(fields, key, NOTHING, hash);
  }

  /** Appends that all items are gone, now or (`at` milliseconds since 1970) at a moment to come. */
  appendFlush(kind: FlushKind, sequence: number, at: number): number {
    const fields = this.#fields;
    fields.kind = kind;
    fields.state =
      fields.flags =
      fields.accessed =
      fields.segment =
        0;
    fields.sequence = sequence;
    fields.cas = 0n;
    fields.time = at;
    return this.#append(fields, NOTHING, NOTHING, undefined);
  }

  #append(
    fields: RecordFields,
    key: Uint8Array,
    value: Uint8Array,
    hash: KeyHash | undefined,
  ): number {
    const size = recordSize(key.length, value.length);
    const active = this.#begin(size, fields);
    const { pending } = this;
    pending.put(fields, key, value, active.seed, active.length + pending.length);
    return this.#appended(active, fields, hash, size);
  }

  /** What comes before a record of so many bytes: a segment that has room, and a marker that is due. */
  #begin(size: number, fields: RecordFields): Segment {
    assert(this.#tail.length === 0, "a long record is written before the next");
    const { pending } = this;
    let active = this.active;
    if (
      active === undefined || this.#full ||
      active.length + pending.length + size + 64 > this.segmentBytes
    ) active = this.#segmentFor(size);
    if (this.markerDue !== 0) this.mark();
    if (fields.kind === Kind.tombstone && fields.segment === 0) this.#fields.segment = active.id;
    this.pendingAt = pending.length;
    return active;
  }

  /** The segment for a record that goes beyond what the active one may have: another, unless it has none yet. */
  #segmentFor(size: number): Segment {
    const { active, pending, fileLimit } = this;
    if (SEGMENT_HEADER + size > fileLimit) {
      throw new OutOfSpaceError(
        `A record of ${size} bytes is refused: no file may be larger than ${fileLimit} bytes`,
      );
    }
    const isEmpty = active !== undefined && active.length + pending.length <= SEGMENT_HEADER;
    return isEmpty ? active : this.#roll();
  }

  /** Notes what was appended, of so many bytes. */
  #appended(
    active: Segment,
    { kind, sequence, time, segment }: RecordFields,
    hash: KeyHash | undefined,
    size: number,
  ): number {
    const offset = active.length + this.pendingAt;
    if (kind === Kind.tombstone) {
      this.#pendingTombstones += size;
      this.#pendingTombstoneSegment = Math.max(this.#pendingTombstoneSegment, segment);
    } else if (kind === Kind.item && time !== 0) {
      active.expiry.add(time, size);
    }
    if (hash === undefined) this.#hint.add(kind, 0, 0, 0, offset, size);
    else this.#hint.add(kind, hash.a, hash.b, hash.c, offset, size);
    this.records++;
    this.offset = offset;
    this.#pendingData = true;
    if (sequence > this.#pendingSequence) this.#pendingSequence = sequence;
    if (sequence > active.sequence) active.sequence = sequence;
    if (size >= ENDLESS * 8) this.#full = true;
    return size;
  }

  /**
   * Appends a sync marker that speaks of what was synced.
   *
   * @throws {StoreError} as {@linkcode append} does
   */
  mark(): void {
    assert(this.#tail.length === 0, "a long record is written before a marker");
    const position = this.markerDue;
    if (this.active === undefined) {
      this.markerDue = 0;
      return;
    }
    // Behind a record whose size means "to the segment's end" nothing may be written.
    const active = this.#full ? this.#roll() : this.active;
    const { pending } = this;
    this.markerDue = 0;
    this.marked = position;
    // A segment's end is named as such: the header behind it, which says where it is, may not yet be on the medium, and
    // what a failed write or room has left there must not be taken for what was synced.
    let i = this.segments.length - 1;
    while (i > 0 && this.segments[i].base >= position) i--;
    const { id, base } = this.segments[i];
    const marker = this.#marker;
    marker.sequence = this.sequence;
    marker.time = position - base;
    marker.segment = id;
    const at = active.length + pending.length;
    pending.put(marker, NOTHING, NOTHING, active.seed, at);
    this.#hint.add(Kind.marker, 0, 0, 0, at, recordSize(0, 0));
  }

  /**
   * Writes what is pending.
   *
   * @throws {StoreError} if that fails; then none of it is there, and {@linkcode onLost} was told
   */
  writeOut(): void {
    const { active, pending } = this;
    const tail = this.#tail;
    if (pending.length === 0 || active === undefined) {
      // Nothing can be lost: also what was dropped without a tombstone is dropped for good.
      return this.#start.placements.settle();
    }
    const { length } = active;
    const first = pending.bytes.subarray(0, pending.length);
    try {
      writeFully(active.file, first, length);
      if (tail.length > 0) writeFully(active.file, tail, length + first.length);
    } catch (error) {
      const refused = writeError(`Cannot write to '${active.path}'`, error);
      this.#lose(active, refused, codeOf(error));
      throw refused;
    }
    active.crc = crc32(first, active.crc);
    if (tail.length > 0) active.crc = crc32(tail, active.crc);
    active.length += first.length + tail.length;
    this.total += first.length + tail.length;
    this.#hintWritten = this.#hint.length;
    if (this.#pendingTombstones !== 0) {
      active.tombstones += this.#pendingTombstones;
      active.tombstoneSegment = Math.max(active.tombstoneSegment, this.#pendingTombstoneSegment);
      this.#pendingTombstones = this.#pendingTombstoneSegment = 0;
    }
    if (this.#pendingData) this.dataEnd = active.base + active.length;
    this.#pendingData = false;
    this.#markedWritten = this.marked;
    pending.clear();
    this.#tail = NOTHING;
    this.#room?.make(active, this.segmentBytes, first.length + tail.length);
    this.writtenSequence = this.#pendingSequence;
    this.#start.placements.settle();
    this.onWritten();
  }

  /**
   * {@linkcode writeOut}, if the record that was appended last is a long one, whose memory others change
   * from here on; returns how many bytes it has written.
   *
   * @throws {StoreError} as that does
   */
  writeLong(): number {
    if (this.#tail.length === 0) return 0;
    const bytes = this.pending.length + this.#tail.length;
    this.writeOut();
    return bytes;
  }

  /**
   * Takes back what is pending, if a record was appended and what has to follow that has failed, for want of memory,
   * say: what the index does not know must not be in the log. Returns the error.
   */
  takeBack(error: unknown): unknown {
    const { active, pending, pendingAt } = this;
    if (active !== undefined && pending.length > pendingAt && !(error instanceof StoreError)) {
      this.#lose(active, new StoreError(`A write was given up: ${messageOf(error)}`), "");
    }
    return error;
  }

  /** Ends the active segment; the next record begins another. */
  seal(): void {
    const { active } = this;
    if (active === undefined) return;
    this.writeOut();
    this.#finish(active);
  }

  /** Bytes that everything takes, with what is pending and the hint that there will be. */
  get footprint(): number {
    const pending = this.pending.length + this.#tail.length;
    return this.total + this.held + this.ahead + pending + this.#hint.length * 4;
  }

  /** Bytes of the room that is made ahead. */
  get ahead(): number {
    return this.#room?.behind(this.active) ?? 0;
  }

  #finish(active: Segment): void {
    assert(this.pending.length === 0, "a segment is sealed when all of it is written");
    this.#room?.cut(active);
    active.sealed = true;
    active.sequence = this.sequence;
    active.hintBytes = this.#hint.length * 4;
    this.total += active.hintBytes;
    this.hintTotal += active.hintBytes;
    this.hints.set(active, this.#hint);
    this.#hint = new HintBuilder(Math.ceil(this.#hint.length / HINT_RECORD * 1.1));
    this.#hintWritten = HINT_HEADER;
    this.#end = active.base + active.length;
    this.#previous = active.id;
    this.#previousLength = active.length;
    this.active = undefined;
    this.#full = false;
    // Also where no other can be begun: what is sealed is to be synced and listed, and somebody may wait for that.
    this.onSealed();
  }

  /** Cuts off what a failed write may have left, and takes the pending records back. */
  #lose(active: Segment, error: StoreError, code: string): void {
    this.pending.clear();
    this.#tail = NOTHING;
    this.#hint.length = this.#hintWritten;
    this.#pendingTombstones = this.#pendingTombstoneSegment = 0;
    this.#pendingData = false;
    // Behind what would have made it so nothing is pending.
    this.#full = false;
    this.marked = this.#markedWritten;
    this.onLost(error);
    if (error instanceof OutOfSpaceError) this.onNoRoom(error);
    try {
      if (code === "EFBIG") {
        // As much was written as may be.
        const size = Math.max(active.file.size(), SMALLEST_SEGMENT);
        this.fileLimit = Math.min(this.fileLimit, size);
      }
      active.file.truncate(active.length);
      this.#room?.wasCut();
    } catch {
      return this.#leaveBehind(active);
    }
    // The next records go into another, which is no larger.
    if (code === "EFBIG" && active.length > SEGMENT_HEADER) this.#finish(active);
  }

  /** Seals a segment where it is whole: the next one's header says that what is behind that is none of it. */
  #leaveBehind(active: Segment): void {
    this.#finish(active);
    try {
      this.#roll();
    } catch {
      // The next write tries it again.
    }
  }

  #roll(): Segment {
    this.seal();
    const { files, directory, hashKey, placements, now } = this.#start;
    const id = this.#next;
    const path = `${directory}/${segmentName(id)}`;
    const slot = placements.freeSlot();
    if (slot === 0) throw new OutOfSpaceError("The data directory has 65535 segments, and no more");
    const header = encodeSegmentHeader({
      id,
      previous: this.#previous,
      previousLength: this.#previousLength,
      sequence: this.sequence,
      hashKey,
    });
    const expiry = new ExpiryTimes(now());
    let file: DataFile | undefined;
    try {
      file = files.open(path, "create");
      writeFully(file, header, 0);
    } catch (error) {
      if (file !== undefined) {
        file.close();
        try {
          removeIfThere(files, path);
        } catch {
          // A number is used once: an empty file that stays is a tail with nothing in it.
          this.#next++;
        }
      }
      const refused = writeError(`Cannot begin '${path}'`, error);
      if (refused instanceof OutOfSpaceError) this.onNoRoom(refused);
      throw refused;
    }
    this.#next++;
    const segment = new Segment(id, slot, path, file, hashKey, this.#end, expiry);
    segment.length = header.length;
    segment.crc = crc32(header);
    segment.sequence = this.sequence;
    placements.slots[slot] = segment;
    this.segments.push(segment);
    this.unsynced.push(segment);
    this.namesUnsynced = true;
    this.total += header.length;
    this.active = segment;
    return segment;
  }
}
