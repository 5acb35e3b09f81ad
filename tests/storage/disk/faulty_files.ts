/**
 * A file system in memory that fails when it is told to, and that loses at a power cut what was not
 * synced: any prefix or subset of the writes since, some of them torn, of files and of names.
 *
 * @module
 */

import type { DataFile, Files, Lock } from "../../../lib/storage/disk/fs/files.ts";

/** Random numbers that come again with their seed. */
export class Random {
  #state: number;

  constructor(state: number) {
    this.#state = state;
  }

  /** 0 to 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ this.#state >>> 15, this.#state | 1);
    t ^= t + Math.imul(t ^ t >>> 7, t | 61);
    return ((t ^ t >>> 14) >>> 0) / 4294967296;
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  /** Whether something of this probability happens. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of these. */
  of<T>(all: readonly T[]): T {
    return all[this.below(all.length)];
  }
}

type Change = { readonly at: number; readonly bytes: Uint8Array } | { readonly length: number };

class Inode {
  bytes = new Uint8Array(0);
  durable = new Uint8Array(0);
  changes: Change[] = [];
}

type NameChange =
  | { readonly set: string; readonly inode: Inode; readonly unset?: string }
  | { readonly unset: string };

/**
 * What goes wrong, asked before each operation: a system error's code, a `short` write, or a `late`
 * error of one that has written everything.
 */
export type Fault = (
  operation:
    | "open"
    | "write"
    | "read"
    | "sync"
    | "truncate"
    | "rename"
    | "remove"
    | "list"
    | "link"
    | "size"
    | "makeDirectory",
  path: string,
  /** What a write writes. */
  bytes?: Uint8Array,
) => string | undefined;

function systemError(code: string, operation: string): Error {
  return Object.assign(new Error(`${code}: ${operation}`), { code });
}

function applied(bytes: Uint8Array, change: Change): Uint8Array<ArrayBuffer> {
  const length = "length" in change
    ? change.length
    : Math.max(bytes.length, change.at + change.bytes.length);
  const result = new Uint8Array(length);
  result.set(bytes.subarray(0, length));
  if ("bytes" in change) result.set(change.bytes, change.at);
  return result;
}

/** The file system. Paths are names; there is one directory. */
export class FaultyFiles implements Files {
  /** Asked before each operation. */
  fault: Fault = () => undefined;
  /** Bytes that a file may have. */
  greatest = Infinity;
  /** Bytes that all files may have together. */
  capacity = Infinity;
  /** Whether syncs are over immediately, where who asks can wait for them. */
  isFast = false;
  /** Names that changed hands while a rename from or to them was under way: two must not replace one file. */
  readonly contested: string[] = [];
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #nameChanges: NameChange[] = [];
  /** Counts power cuts: what was opened before one is dead. */
  #life = 0;
  #locked = false;

  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /**
   * Forgets what was not synced, as chance will have it; `kill` keeps it all, as kill -9 does, and
   * `removals` of all that keeps which names are gone.
   */
  powerCut(kill: boolean | "removals" = false): void {
    this.#life++;
    this.#locked = false;
    if (kill === true) return;
    const random = this.#random;
    const how = random.below(4);
    const survives = (i: number, all: number) =>
      how === 0 ? false : how === 1 ? i < all : how === 2 ? i < upTo : random.chance(0.5);
    let upTo = random.below(this.#nameChanges.length + 1);
    const names = new Map(this.#durableNames);
    this.#nameChanges.forEach((change, i) => {
      const isKept = kill === "removals"
        ? !("set" in change)
        : survives(i, this.#nameChanges.length);
      if (!isKept) return;
      if (change.unset !== undefined) names.delete(change.unset);
      if ("set" in change) names.set(change.set, change.inode);
    });
    for (const inode of new Set([...names.values(), ...this.#names.values()])) {
      upTo = random.below(inode.changes.length + 1);
      let bytes = inode.durable;
      inode.changes.forEach((change, i) => {
        if (!survives(i, inode.changes.length)) {
          // A torn write: some of its bytes, from either end, with a hole where the rest was.
          if (!random.chance(0.3) || "length" in change) return;
          const cut = random.below(change.bytes.length + 1);
          const torn = random.chance(0.5)
            ? { at: change.at, bytes: change.bytes.subarray(0, cut) }
            : { at: change.at + cut, bytes: change.bytes.subarray(cut) };
          bytes = applied(bytes, torn);
          return;
        }
        bytes = applied(bytes, change);
      });
      inode.bytes = inode.durable = bytes as Uint8Array<ArrayBuffer>;
      inode.changes = [];
    }
    this.#names = names;
    this.#durableNames = new Map(names);
    this.#nameChanges = [];
  }

  /** The file system as a machine has it that dies with the next power cut. */
  mount(): Files {
    const life = this.#life;
    return new Proxy<Files>(this, {
      get: (files, name) => {
        const member = Reflect.get(files, name);
        return (...args: unknown[]) => {
          if (life !== this.#life) throw systemError("EIO", String(name));
          return member.apply(files, args);
        };
      },
    });
  }

  /** The bytes of a file, to be looked at or changed behind the store's back. */
  content(path: string): Uint8Array<ArrayBuffer> {
    return this.#inode(path).bytes;
  }

  /** Puts a file there, whole and synced. */
  place(path: string, bytes: Uint8Array): void {
    const inode = new Inode();
    inode.bytes = bytes.slice();
    inode.durable = inode.bytes.slice();
    this.#names.set(path, inode);
    this.#durableNames.set(path, inode);
  }

  /** Bytes of all files. */
  used(): number {
    let sum = 0;
    for (const inode of new Set(this.#names.values())) sum += inode.bytes.length;
    return sum;
  }

  makeDirectory(directory: string): void {
    this.#ask("makeDirectory", directory, this.#life);
  }

  lock(): Lock {
    if (this.#locked) throw new Error("locked");
    this.#locked = true;
    const life = this.#life;
    return {
      loss: () => undefined,
      close: () => {
        if (life === this.#life) this.#locked = false;
      },
    };
  }

  isLocked(): boolean {
    return this.#locked;
  }

  open(path: string, mode: "read" | "write" | "create"): DataFile {
    this.#ask("open", path, this.#life);
    if (mode === "create") {
      if (this.#names.has(path)) throw systemError("EEXIST", path);
      const inode = new Inode();
      this.#names.set(path, inode);
      this.#nameChanges.push({ set: path, inode });
    }
    return this.#handle(path, this.#inode(path), this.#life);
  }

  list(directory: string): string[] {
    this.#ask("list", directory, this.#life);
    return [...this.#names.keys()].filter((path) => path.startsWith(`${directory}/`))
      .map((path) => path.slice(directory.length + 1));
  }

  async rename(from: string, to: string): Promise<void> {
    const life = this.#life;
    const names = [from, to].map((path) => [path, this.#names.get(path)] as const);
    await this.#later();
    this.#ask("rename", from, life);
    for (const [path, inode] of names) {
      if (this.#names.get(path) !== inode) this.contested.push(path);
    }
    const inode = this.#inode(from);
    this.#names.delete(from);
    this.#names.set(to, inode);
    this.#nameChanges.push({ set: to, inode, unset: from });
  }

  remove(path: string): void {
    this.#ask("remove", path, this.#life);
    this.#inode(path);
    this.#names.delete(path);
    this.#nameChanges.push({ unset: path });
  }

  async removeLater(path: string): Promise<void> {
    const life = this.#life;
    await this.#later();
    if (life !== this.#life) throw systemError("EIO", "remove");
    if (this.#names.has(path)) this.remove(path);
  }

  link(from: string, to: string): void {
    this.#ask("link", from, this.#life);
    const inode = this.#inode(from);
    this.#names.set(to, inode);
    this.#nameChanges.push({ set: to, inode });
  }

  async copy(from: string, to: string): Promise<void> {
    this.#ask("link", from, this.#life);
    const { bytes } = this.#inode(from);
    await this.#later();
    const inode = new Inode();
    this.#names.set(to, inode);
    this.#nameChanges.push({ set: to, inode });
    this.#change(inode, { at: 0, bytes: bytes.slice() });
  }

  async syncDirectory(directory: string): Promise<void> {
    const life = this.#life;
    this.#ask("sync", directory, life);
    const count = this.#nameChanges.length;
    await this.#later();
    if (life !== this.#life) throw systemError("EIO", "sync");
    for (const change of this.#nameChanges.splice(0, count)) {
      if (change.unset !== undefined) this.#durableNames.delete(change.unset);
      if ("set" in change) this.#durableNames.set(change.set, change.inode);
    }
  }

  free(): number {
    return Math.max(0, this.capacity - this.used());
  }

  #handle(path: string, inode: Inode, life: number): DataFile {
    const read = (into: Uint8Array, at: number): number => {
      this.#ask("read", path, life);
      const part = inode.bytes.subarray(at, at + into.length);
      into.set(part);
      return part.length;
    };
    const write = (bytes: Uint8Array, at: number): number => {
      const fault = this.fault("write", path, bytes);
      if (life !== this.#life) throw systemError("EIO", "write");
      if (at >= this.greatest) throw systemError("EFBIG", "write");
      let count = Math.min(bytes.length, this.greatest - at);
      const grows = at + count - inode.bytes.length;
      const room = this.capacity - this.used();
      if (grows > room) count = Math.max(0, count - (grows - room));
      if (fault === "late") {
        this.#change(inode, { at, bytes: bytes.slice(0, count) });
        throw systemError("EIO", "write");
      }
      if (fault !== undefined && fault !== "short") {
        // A failed write may have written something.
        count = this.#random.chance(0.5) ? 0 : this.#random.below(count + 1);
        if (count > 0) this.#change(inode, { at, bytes: bytes.slice(0, count) });
        throw systemError(fault, "write");
      }
      if (fault === "short" && count > 1) count = 1 + this.#random.below(count - 1);
      if (count === 0 && bytes.length > 0) throw systemError("ENOSPC", "write");
      this.#change(inode, { at, bytes: bytes.slice(0, count) });
      return count;
    };
    return {
      write,
      writeLater: async (bytes, at) => {
        await this.#later();
        return write(bytes, at);
      },
      read,
      readLater: async (into, at) => {
        await this.#later();
        return read(into, at);
      },
      ...!this.isFast ? {} : {
        syncNow: () => {
          this.#ask("sync", path, life);
          inode.changes = [];
          inode.durable = inode.bytes;
        },
      },
      sync: async () => {
        this.#ask("sync", path, life);
        const count = inode.changes.length;
        await this.#later();
        if (life !== this.#life) throw systemError("EIO", "sync");
        const synced = inode.changes.splice(0, count);
        // With all of them the file is what it is now.
        if (inode.changes.length === 0) inode.durable = inode.bytes;
        else for (const change of synced) inode.durable = applied(inode.durable, change);
      },
      truncate: (length) => {
        this.#ask("truncate", path, life);
        this.#change(inode, { length });
      },
      size: () => {
        this.#ask("size", path, life);
        return inode.bytes.length;
      },
      close: () => {},
    };
  }

  #change(inode: Inode, change: Change): void {
    inode.changes.push(change);
    inode.bytes = applied(inode.bytes, change);
  }

  #ask(operation: Parameters<Fault>[0], path: string, life: number): void {
    if (life !== this.#life) throw systemError("EIO", operation);
    const fault = this.fault(operation, path);
    if (fault !== undefined && fault !== "short") throw systemError(fault, `${operation} ${path}`);
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw systemError("ENOENT", path);
    return inode;
  }

  /** Some turns of the loop later. */
  async #later(): Promise<void> {
    for (let turns = this.#random.below(3); turns > 0; turns--) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
