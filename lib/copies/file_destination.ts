/**
 * Copies on a disk of this machine that is mounted for them.
 *
 * A name is a file. It is written beside the others, synced, and then gets its name, which fails where
 * there is one: so a name has all its bytes or is not there. What is replaced or removed is so under a
 * lock (`flock`) that all processes on the directory take.
 *
 * @module
 */

import fs from "node:fs/promises";
import { crc32c } from "../crc32c.ts";
import { messageOf } from "../errors.ts";
import { machineClock } from "./copy_clock.ts";
import {
  type Destination,
  DestinationError,
  type DestinationOptions,
  type Entry,
  MissingError,
  type Source,
} from "./destination.ts";
import { Bandwidth } from "./bandwidth.ts";
import { BLOCK, sourceOf } from "./source.ts";

/** The file that is locked, and the directory of what is being written. */
const LOCK = ".lock";
const FRESH = ".new";
/** Milliseconds after which what is being written belongs to a process that has died. */
const FRESH_TIME = 86_400_000;
/** Bytes of a stream's block: they are checked and written while the processor's cache has them. */
const STREAM_BLOCK = 1 << 18;
/** Blocks a second, at least, where there is a limit of bandwidth. */
const BLOCKS_A_SECOND = 8;
/** Milliseconds between two times of a file, where a file system has few (FAT). */
const COARSEST_TIME = 2048;
/** What is kept is its owner's alone. */
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

/** The file of a name, as it is. */
interface Found {
  readonly size: number;
  readonly generation: string;
  readonly mtime: number;
}

/**
 * Opens the directory of a `file://` URL; makes it if it is not there, unless it is only read.
 *
 * @throws {DestinationError} if it cannot be made
 */
export async function openFileDestination(
  url: string,
  options: DestinationOptions = {},
): Promise<Destination> {
  const destination = new FileDestination(url, options);
  await destination.open();
  return destination;
}

/** What is to be written cannot be read. */
class SourceFailure extends Error {
  constructor(readonly reason: unknown) {
    super();
  }
}

class FileDestination implements Destination {
  readonly url: string;
  readonly #root: string;
  readonly #options: DestinationOptions;
  readonly #bandwidth: Bandwidth;
  #count = 0;

  constructor(url: string, options: DestinationOptions) {
    this.url = url.replace(/\/+$/, "");
    const { signal } = options;
    this.#bandwidth = new Bandwidth(
      options.bandwidth ?? Infinity,
      (ms) => machineClock.sleep(ms, signal),
    );
    this.#root = decodeURIComponent(new URL(url).pathname).replace(/\/+$/, "");
    this.#options = options;
  }

  open(): Promise<void> {
    return this.#do(async () => {
      if (this.#options.isOnlyRead) return;
      await fs.mkdir(`${this.#root}/${FRESH}`, { recursive: true, mode: DIRECTORY_MODE });
      for (const name of await fs.readdir(`${this.#root}/${FRESH}`)) {
        const path = `${this.#root}/${FRESH}/${name}`;
        const found = await this.#find(path);
        // Another process may have given it its name since.
        if (found === undefined || Date.now() - found.mtime <= FRESH_TIME) continue;
        await fs.rm(path, { force: true });
      }
    });
  }

  read(name: string): Promise<{ bytes: Uint8Array; generation: string } | undefined> {
    return this.#do(async () => {
      let file: fs.FileHandle;
      try {
        file = await fs.open(this.#path(name), "r");
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
      try {
        // Of the file that is open, whatever gets its name meanwhile.
        const { generation } = foundOf(await file.stat({ bigint: true }));
        return { bytes: new Uint8Array(await file.readFile()), generation };
      } finally {
        await file.close();
      }
    });
  }

  async *stream(name: string, from = 0): AsyncGenerator<Uint8Array> {
    const file = await this.#do(() => fs.open(this.#path(name), "r"), name);
    try {
      const block = new Uint8Array(STREAM_BLOCK);
      for (let at = from;;) {
        const { bytesRead } = await this.#do(() => file.read(block, 0, block.length, at));
        if (bytesRead === 0) return;
        yield block.subarray(0, bytesRead);
        at += bytesRead;
      }
    } finally {
      await file.close();
    }
  }

  create(name: string, source: Source): Promise<{ generation: string } | "exists"> {
    return this.#do(async () => {
      const path = this.#path(name);
      if (await this.#find(path) !== undefined) return "exists";
      const fresh = await this.#write(source);
      try {
        await fs.mkdir(parentOf(path), { recursive: true, mode: DIRECTORY_MODE });
        if (!await this.#name(fresh, path)) return "exists";
        await syncParents(this.#root, path);
        return { generation: (await this.#find(path))!.generation };
      } finally {
        await fs.rm(fresh, { force: true });
      }
    });
  }

  replace(
    name: string,
    bytes: Uint8Array,
    generation: string,
  ): Promise<{ generation: string } | "changed"> {
    return this.#locked(async () => {
      const path = this.#path(name);
      const before = await this.#find(path);
      if ((before?.generation ?? "") !== generation) return "changed";
      const fresh = await this.#write(sourceOf(bytes), before?.mtime);
      try {
        await fs.mkdir(parentOf(path), { recursive: true, mode: DIRECTORY_MODE });
        await fs.rename(fresh, path);
        await syncParents(this.#root, path);
        return { generation: (await this.#find(path))!.generation };
      } finally {
        await fs.rm(fresh, { force: true });
      }
    });
  }

  remove(name: string, generation: string): Promise<"removed" | "kept" | "changed"> {
    return this.#locked(async () => {
      const path = this.#path(name);
      const found = await this.#find(path);
      if (found === undefined) return "removed";
      if (found.generation !== generation) return "changed";
      try {
        await fs.unlink(path);
      } catch (error) {
        if (isMissing(error)) return "removed";
        // As a file is that `chattr +i` protects.
        if (["EPERM", "EACCES"].includes(codeOf(error))) return "kept";
        throw error;
      }
      await syncParents(this.#root, path);
      return "removed";
    });
  }

  async *list(prefix: string, after = ""): AsyncGenerator<Entry> {
    yield* this.#walk("", prefix, after);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The names in a directory, which ends with `/` or is the root, in order of their bytes. */
  async *#walk(directory: string, prefix: string, after: string): AsyncGenerator<Entry> {
    const entries = await this.#do(async () => {
      try {
        return await fs.readdir(`${this.#root}/${directory}`, { withFileTypes: true });
      } catch (error) {
        if (directory !== "" && isMissing(error)) return [];
        throw error;
      }
    });
    const names = entries
      .filter(({ name }) => directory !== "" || name !== LOCK && name !== FRESH)
      .map((entry) => directory + entry.name + (entry.isDirectory() ? "/" : ""))
      .sort((a, b) => a < b ? -1 : 1);
    for (const name of names) {
      if (name.endsWith("/")) {
        const leads = name.startsWith(prefix) || prefix.startsWith(name);
        if (leads && (name > after || after.startsWith(name))) {
          yield* this.#walk(name, prefix, after);
        }
        continue;
      }
      if (!name.startsWith(prefix) || name <= after) continue;
      const found = await this.#do(() => this.#find(this.#path(name)));
      if (found !== undefined) yield { name, size: found.size, generation: found.generation };
    }
  }

  #path(name: string): string {
    return `${this.#root}/${name}`;
  }

  async #find(path: string): Promise<Found | undefined> {
    try {
      return foundOf(await fs.stat(path, { bigint: true }));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Writes and syncs a file that has no name yet; its time is later than `before`. */
  async #write(source: Source, before = 0): Promise<string> {
    const { signal } = this.#options;
    const path = `${this.#root}/${FRESH}/${Deno.pid}-${crypto.randomUUID()}-${++this.#count}`;
    const file = await fs.open(path, "wx", FILE_MODE);
    try {
      // Of a narrow bandwidth in small blocks, so that a head does not wait long for its turn.
      const share = Math.max(1, Math.floor(this.#bandwidth.rate / BLOCKS_A_SECOND));
      const block = new Uint8Array(Math.min(BLOCK, share, source.length));
      let sum = 0;
      for (let at = 0; at < source.length;) {
        signal?.throwIfAborted();
        await this.#bandwidth.take(Math.min(block.length, source.length - at));
        const count = await source.read(at, block).catch((error) => {
          throw new SourceFailure(error);
        });
        if (count === 0) {
          throw new DestinationError(`what was to be written to ${this.url} has ended early`, true);
        }
        sum = crc32c(block.subarray(0, count), sum);
        await writeAll(file, block.subarray(0, count), at);
        at += count;
      }
      if (sum !== source.crc32c) {
        throw new DestinationError(
          `what was to be written to ${this.url} has other bytes now`,
          true,
        );
      }
      await setTime(file, before);
      await file.sync();
    } catch (error) {
      await file.close();
      await fs.rm(path, { force: true });
      throw error;
    }
    await file.close();
    return path;
  }

  /** Gives a file its name, unless there is one of that name. */
  async #name(fresh: string, path: string): Promise<boolean> {
    try {
      await fs.link(fresh, path);
      return true;
    } catch (error) {
      if (codeOf(error) === "EEXIST") return false;
      if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "EMLINK", "ENOSYS"].includes(codeOf(error))) {
        throw error;
      }
    }
    // A file system without hard links.
    return await this.#locked(async () => {
      if (await this.#find(path) !== undefined) return false;
      await fs.rename(fresh, path);
      return true;
    });
  }

  async #locked<T>(work: () => Promise<T>): Promise<T> {
    return await this.#do(async () => {
      const lock = await Deno.open(`${this.#root}/${LOCK}`, {
        read: true,
        write: true,
        create: true,
        mode: FILE_MODE,
      });
      try {
        await lock.lock(true);
        return await work();
      } finally {
        lock.close();
      }
    });
  }

  /** Does something whose errors are those of a destination. */
  async #do<T>(work: () => Promise<T>, name?: string): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof SourceFailure) throw error.reason;
      if (codeOf(error) === "" && !(error instanceof Deno.errors.NotFound)) throw error;
      if (name !== undefined && isMissing(error)) throw new MissingError(name, this.url);
      const why = messageOf(error).replaceAll(/\s+/g, " ").slice(0, 200);
      throw new DestinationError(`${this.url} cannot be used: ${why}`, true);
    }
  }
}

function foundOf(
  { size, mtimeNs, mtimeMs, ino }: {
    readonly size: bigint;
    readonly mtimeNs: bigint;
    readonly mtimeMs: bigint;
    readonly ino: bigint;
  },
): Found {
  return { size: Number(size), generation: `${mtimeNs}-${ino}`, mtime: Number(mtimeMs) };
}

/**
 * Gives a file a time that reads as later than `before` (milliseconds since 1970), whatever the clock says: the number
 * of a file that is removed may come again, and must not come with the same time. How fine times are is known to the
 * file system alone; 2 seconds are the coarsest.
 */
async function setTime(file: fs.FileHandle, before: number): Promise<void> {
  const now = Date.now();
  for (let step = 1; step <= COARSEST_TIME * 2; step *= 2) {
    const time = Math.max(now, before + step) / 1000;
    await file.utimes(time, time);
    if (before === 0 || foundOf(await file.stat({ bigint: true })).mtime > before) return;
  }
}

async function writeAll(file: fs.FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}

/** Brings new and removed names to the medium, and those of the directories that were made for them. */
async function syncParents(root: string, path: string): Promise<void> {
  for (let parent = parentOf(path);; parent = parentOf(parent)) {
    const directory = await fs.open(parent, "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
    if (parent.length <= root.length) return;
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === "ENOENT" || error instanceof Deno.errors.NotFound;
}
