/**
 * Buckets and their objects: generations, preconditions, name rules, rate limits and listings.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import {
  conditionNotMet,
  held,
  invalid,
  noSuchObject,
  objectRateLimit,
  retained,
} from "./errors.ts";
import { crc32c } from "./crc32c.ts";
import { Uploads } from "./uploads.ts";

/** What a client may set beside the content. */
export interface ObjectFields {
  contentType?: string;
  cacheControl?: string;
  contentEncoding?: string;
  contentDisposition?: string;
  contentLanguage?: string;
  storageClass?: string;
  customTime?: string;
  /** Nobody deletes or replaces it while this is set. */
  temporaryHold?: boolean;
  metadata?: Record<string, string>;
}

/** One live object. */
export interface StoredObject extends ObjectFields {
  readonly name: string;
  readonly content: Uint8Array;
  readonly generation: string;
  metageneration: number;
  readonly created: string;
  updated: string;
}

/** `generation`, `ifGenerationMatch` and its relatives; decimal texts, as they came. */
export interface Preconditions {
  /** Which version of the object is meant; the live one without it. */
  readonly generation?: string;
  readonly generationMatch?: string;
  readonly generationNotMatch?: string;
  readonly metagenerationMatch?: string;
  readonly metagenerationNotMatch?: string;
}

/** A page of a listing. */
export interface Page {
  readonly objects: StoredObject[];
  readonly prefixes: string[];
  readonly nextPageToken?: string;
}

/** What a listing asks for. */
export interface ListOptions {
  readonly prefix: string;
  readonly delimiter: string;
  readonly maxResults: number;
  readonly pageToken?: string;
  readonly startOffset?: string;
}

/** A bucket in memory. */
export class Bucket {
  readonly #objects = new Map<string, StoredObject>();
  readonly #mutated = new Map<string, number>();
  readonly #generations = new Set<string>();
  /** Versions that were deleted or replaced while `versioning` was on, oldest first. */
  readonly #noncurrent = new Map<string, StoredObject[]>();
  readonly uploads: Uploads = new Uploads(this);
  /** Whether what is deleted or replaced is kept as a noncurrent version. */
  versioning = false;
  /** How old an object must be before it may be deleted or replaced, in milliseconds. */
  retention = 0;
  #sorted: string[] | undefined;
  /** Whether an insert's own checksum is not looked at. */
  ignoresChecksums = false;

  /**
   * @param mutationInterval the least time between two mutations of one object, in milliseconds.
   */
  constructor(readonly name: string, public mutationInterval: number) {}

  get size(): number {
    return this.#objects.size;
  }

  /** The live object's generation, `"0"` where there is none. */
  generationOf(name: string): string {
    return this.#objects.get(name)?.generation ?? "0";
  }

  /** The versions of an object that are not live any more, oldest first. */
  noncurrent(name: string): readonly StoredObject[] {
    return this.#noncurrent.get(name) ?? [];
  }

  /** The names that have such versions. */
  noncurrentNames(): string[] {
    return [...this.#noncurrent.keys()];
  }

  /** Throws unless an insert under these conditions would be taken now. */
  checkConditions(name: string, conditions: Preconditions): void {
    checkName(name);
    this.#check(this.#objects.get(name), conditions);
  }

  /** An object, if the preconditions allow it to be seen; `"unchanged"` is a 304. */
  get(name: string, conditions: Preconditions): StoredObject | "unchanged" {
    checkName(name);
    const { generation } = conditions;
    const live = this.#objects.get(name);
    const object = generation === undefined || generation === live?.generation
      ? live
      : this.noncurrent(name).find((version) => version.generation === generation);
    if (object === undefined) throw noSuchObject(this.name, name);
    if (
      conditions.generationNotMatch === object.generation ||
      conditions.metagenerationNotMatch === String(object.metageneration)
    ) return "unchanged";
    this.#check(object, conditions);
    return object;
  }

  /**
   * Puts a new generation in the place of what is there.
   *
   * @param checksum what the content's CRC-32C has to be, in base64.
   */
  insert(
    name: string,
    content: Uint8Array,
    fields: ObjectFields,
    conditions: Preconditions,
    checksum?: unknown,
  ): StoredObject {
    checkName(name);
    if (checksum !== undefined && !this.ignoresChecksums) {
      const { crc32c } = hashesOf(content);
      if (checksum !== crc32c) {
        throw invalid(`Provided CRC32C "${checksum}" doesn't match calculated CRC32C "${crc32c}".`);
      }
    }
    const before = this.#objects.get(name);
    this.#check(before, conditions);
    this.#pace(name);
    if (before !== undefined) this.#retire(before);
    const now = new Date().toISOString();
    const object: StoredObject = {
      ...fields,
      name,
      content: new Uint8Array(content),
      generation: this.#generation(),
      metageneration: 1,
      created: now,
      updated: now,
    };
    if (before === undefined) this.#sorted = undefined;
    this.#objects.set(name, object);
    return object;
  }

  /** Changes metadata only; fields that are `null` are taken away. */
  patch(
    name: string,
    fields: { [Field in keyof ObjectFields]: ObjectFields[Field] | null },
    conditions: Preconditions,
  ): StoredObject {
    const object = this.get(name, conditions);
    if (object === "unchanged") throw conditionNotMet();
    this.#pace(name);
    const { metadata, ...rest } = fields;
    Object.assign(object, rest);
    if (metadata === null) object.metadata = undefined;
    else if (metadata !== undefined) {
      const merged: Record<string, string> = { ...object.metadata, ...metadata };
      for (const key in merged) if (merged[key] === null) delete merged[key];
      object.metadata = merged;
    }
    object.metageneration++;
    object.updated = new Date().toISOString();
    return object;
  }

  /** Deletes the live object; with a generation that version, and for good. */
  delete(name: string, conditions: Preconditions): void {
    const object = this.get(name, conditions);
    if (object === "unchanged") throw conditionNotMet();
    this.#pace(name);
    if (conditions.generation === undefined) this.#retire(object);
    else this.#release(object);
    if (object === this.#objects.get(name)) {
      this.#objects.delete(name);
      this.#sorted = undefined;
    } else {
      const versions = this.noncurrent(name).filter((version) => version !== object);
      this.#noncurrent.set(name, versions);
    }
  }

  /** A live version gives way: it is kept where there are versions, else it must not be retained. */
  #retire(object: StoredObject): void {
    if (!this.versioning) return this.#release(object);
    this.#noncurrent.set(object.name, [...this.noncurrent(object.name), object]);
  }

  /** Throws where a version may not go for good. */
  #release({ name, created, temporaryHold }: StoredObject): void {
    if (temporaryHold) throw held(this.name, name);
    const until = Date.parse(created) + this.retention;
    if (Date.now() < until) throw retained(this.name, name, new Date(until).toISOString());
  }

  /** Lists in the order of the names' UTF-8 bytes. */
  list(options: ListOptions): Page {
    const { prefix, delimiter } = options;
    const names = this.#sorted ??= [...this.#objects.keys()].sort(compareNames);
    const after = options.pageToken === undefined
      ? undefined
      : Buffer.from(options.pageToken, "base64").toString();
    const objects: StoredObject[] = [];
    const prefixes: string[] = [];
    let last: string | undefined;
    for (let i = lowerBound(names, after ?? options.startOffset ?? prefix); i < names.length; i++) {
      const name = names[i];
      if (!name.startsWith(prefix)) {
        if (compareNames(name, prefix) > 0) break;
        continue;
      }
      if (
        after !== undefined &&
        (name === after || delimiter && name.startsWith(after) && after.endsWith(delimiter))
      ) {
        continue;
      }
      const end = delimiter ? name.indexOf(delimiter, prefix.length) : -1;
      const common = end === -1 ? undefined : name.slice(0, end + delimiter.length);
      if (common !== undefined && common === prefixes.at(-1)) continue;
      if (objects.length + prefixes.length === options.maxResults) {
        return { objects, prefixes, nextPageToken: Buffer.from(last!).toString("base64") };
      }
      if (common === undefined) objects.push(this.#objects.get(name)!);
      else prefixes.push(common);
      last = common ?? name;
    }
    return { objects, prefixes };
  }

  #check(object: StoredObject | undefined, conditions: Preconditions): void {
    const generation = object?.generation ?? "0";
    const metageneration = String(object?.metageneration ?? 0);
    const { generationMatch, generationNotMatch, metagenerationMatch, metagenerationNotMatch } =
      conditions;
    if (
      generationMatch !== undefined && generationMatch !== generation ||
      generationNotMatch === generation ||
      metagenerationMatch !== undefined && metagenerationMatch !== metageneration ||
      metagenerationNotMatch === metageneration
    ) throw conditionNotMet();
  }

  #pace(name: string): void {
    if (this.mutationInterval === 0) return;
    const now = performance.now();
    const last = this.#mutated.get(name);
    if (last !== undefined && now - last < this.mutationInterval) {
      throw objectRateLimit(this.name, name);
    }
    this.#mutated.set(name, now);
  }

  /** Unique and in no order, as the service promises no more than that. */
  #generation(): string {
    for (;;) {
      const [number] = crypto.getRandomValues(new BigUint64Array(1));
      const generation = String(number >> 1n | 1n << 52n);
      if (this.#generations.has(generation)) continue;
      this.#generations.add(generation);
      return generation;
    }
  }
}

/** The hashes that the service shows, in base64. */
export function hashesOf(content: Uint8Array): { md5Hash: string; crc32c: string } {
  const known = hashes.get(content);
  if (known !== undefined) return known;
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32c(content));
  const made = {
    md5Hash: createHash("md5").update(content).digest("base64"),
    crc32c: sum.toString("base64"),
  };
  hashes.set(content, made);
  return made;
}

/** Hashing is most of the emulator's work: once for each content. */
const hashes = new WeakMap<Uint8Array, { md5Hash: string; crc32c: string }>();

/** cloud.google.com/storage/docs/objects#naming */
function checkName(name: string): void {
  const length = Buffer.byteLength(name);
  if (length === 0) throw invalid("Required");
  if (length > 1024) {
    throw invalid(
      `The maximum object length is 1024 characters, but got a name with ${length} characters.`,
    );
  }
  if (!name.isWellFormed() || /[\r\n]/.test(name)) {
    throw invalid(`Disallowed unicode characters present in object name '${name}'`);
  }
  if (name === "." || name === ".." || name.startsWith(".well-known/acme-challenge/")) {
    throw invalid(`Invalid object name '${name}'`);
  }
}

/** UTF-8's order is that of code points; UTF-16's differs where there are surrogates. */
function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return x >= 0xd800 && y >= 0xd800 ? a.codePointAt(i)! - b.codePointAt(i)! : x - y;
  }
  return a.length - b.length;
}

function lowerBound(names: readonly string[], name: string): number {
  let low = 0;
  for (let high = names.length; low < high;) {
    const middle = (low + high) >> 1;
    if (compareNames(names[middle], name) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
