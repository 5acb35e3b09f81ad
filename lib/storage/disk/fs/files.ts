/**
 * The few things that the disk store asks of a file system, so that tests can put one in its place
 * that fails, or forgets what was not synced.
 *
 * @module
 */

import fs from "node:fs";
import { constants } from "node:os";
import {
  cannotOpen,
  type Held,
  isDirectoryLocked,
  type Lock,
  lockDirectory,
  outliveFileSizeLimit,
} from "./lock.ts";
import { assert, messageOf } from "../../../errors.ts";
import { Descriptors, type Resting } from "./descriptors.ts";

export type { Held, Lock };

/** An open file. Positions and lengths are in bytes. */
export interface DataFile {
  /** Writes at a position; returns how many bytes were written, which may be fewer. */
  write(bytes: Uint8Array, at: number): number;
  /** {@linkcode write} without holding up the loop; the bytes stay as they are until it is done. */
  writeLater(bytes: Uint8Array, at: number): Promise<number>;
  /** Reads from a position; returns how many bytes were read, 0 at the end. */
  read(into: Uint8Array, at: number): number;
  /** {@linkcode read} without holding up the loop. */
  readLater(into: Uint8Array, at: number): Promise<number>;
  /** Resolves when everything written is on the medium. */
  sync(): Promise<void>;
  /** {@linkcode sync} that holds up the loop, for a medium that is fast. */
  syncNow?(): void;
  truncate(length: number): void;
  size(): number;
  close(): void;
  /**
   * Says that nothing will be written any more, and all of it is on the medium: the file need not be open
   * while nobody reads it.
   */
  rest?(): void;
  /** Keeps it open from now on: it is about to lose its name. */
  keep?(): void;
}

/** A file system. Errors carry the system's `code` (`ENOSPC`, `EIO`, `ENOENT` …). */
export interface Files {
  /**
   * Opens for reading and writing; `create` makes a new file, which is its owner's alone, and fails where
   * one is.
   */
  open(path: string, mode: "read" | "write" | "create"): DataFile;
  /** Makes a directory, and those above it, unless it is there. A new one is its owner's alone. */
  makeDirectory(directory: string): void;
  /** Holds a directory against other processes; throws an {@linkcode ExitError} if one has it. */
  lock(directory: string): Lock;
  /** Whether a process holds a directory. */
  isLocked(directory: string): boolean;
  /** The names in a directory. */
  list(directory: string): string[];
  /**
   * Gives a file another's name, without holding up the loop: what the other took on the disk may have to be
   * given back. Until it has ended nobody else writes, replaces or removes either of them.
   */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): void;
  /**
   * Removes a file, unless it is gone already, without holding up the loop: to give back what a large
   * file takes is many milliseconds' work.
   */
  removeLater(path: string): Promise<void>;
  /** A second name for a file; throws `EXDEV` where that is not possible. */
  link(from: string, to: string): void;
  /** Copies a file; the copy shares the original's place on disk where the file system can do that. */
  copy(from: string, to: string): Promise<void>;
  /** Resolves when new, renamed and removed names are on the medium. */
  syncDirectory(directory: string): Promise<void>;
  /** Bytes that can still be written, `Infinity` where that is not known. */
  free(directory: string): number;
}

/** The permission bits of what is made: items are nobody else's business. */
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

/** The names of the system's error numbers. */
const codes = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** The `code` of a system error, `""` of any other. What Deno does not permit is `EACCES`. */
export function codeOf(error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) return "EACCES";
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === "string") return code;
  // Deno sets a code on few errors, and the number on all of them.
  const number = error instanceof Error ? /\(os error (\d+)\)/.exec(error.message) : null;
  return number === null ? "" : codes.get(Number(number[1])) ?? "EOTHER";
}

/** Whether the error says that there is no room: on the disk, for this user, or for a file so large. */
export function isNoRoom(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT", "EFBIG"].includes(codeOf(error));
}

/** The descriptors of the machine's files that rest. */
export const descriptors = new Descriptors();

class SystemFile implements DataFile, Resting {
  readonly #path: string;
  /** -1 while it rests and is closed. */
  #fd: number;
  #rests = false;
  /** Reads under way. */
  #reads = 0;

  constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
  }

  write(bytes: Uint8Array, at: number): number {
    assert(!this.#rests, "nothing is written to a file that rests");
    return fs.writeSync(this.#fd, bytes, 0, bytes.length, at);
  }

  writeLater(bytes: Uint8Array, at: number): Promise<number> {
    assert(!this.#rests, "nothing is written to a file that rests");
    return new Promise((resolve, reject) =>
      fs.write(
        this.#fd,
        bytes,
        0,
        bytes.length,
        at,
        (error, count) => error ? reject(error) : resolve(count),
      )
    );
  }

  read(into: Uint8Array, at: number): number {
    return fs.readSync(this.#opened(), into, 0, into.length, at);
  }

  readLater(into: Uint8Array, at: number): Promise<number> {
    const room = this.#rests && this.#fd < 0 ? descriptors.room() : undefined;
    if (room !== undefined) return room.then(() => this.readLater(into, at));
    return new Promise((resolve, reject) => {
      if (this.#reads++ === 0) descriptors.busy(true);
      const done = (error: unknown, count = 0) => {
        // Also where it could not be opened: who waits behind it is not woken by anybody else.
        if (--this.#reads === 0) descriptors.busy(false);
        if (error) reject(error);
        else resolve(count);
      };
      try {
        fs.read(this.#opened(), into, 0, into.length, at, done);
      } catch (error) {
        done(error);
      }
    });
  }

  sync(): Promise<void> {
    assert(!this.#rests, "a file that rests is synced");
    return new Promise((resolve, reject) =>
      fs.fdatasync(this.#fd, (error) => error ? reject(error) : resolve())
    );
  }

  syncNow(): void {
    assert(!this.#rests, "a file that rests is synced");
    fs.fdatasyncSync(this.#fd);
  }

  truncate(length: number): void {
    assert(!this.#rests, "a file that rests keeps its length");
    fs.ftruncateSync(this.#fd, length);
  }

  size(): number {
    return fs.fstatSync(this.#opened()).size;
  }

  close(): void {
    descriptors.forget(this);
    if (this.#fd >= 0) fs.closeSync(this.#fd);
    this.#fd = -1;
    // It is not opened again.
    this.#rests = false;
  }

  rest(): void {
    this.#rests = true;
    descriptors.use(this);
  }

  keep(): void {
    this.#opened();
    this.#rests = false;
    descriptors.forget(this);
  }

  get isBusy(): boolean {
    return this.#reads > 0;
  }

  doze(): void {
    fs.closeSync(this.#fd);
    this.#fd = -1;
  }

  #opened(): number {
    if (!this.#rests) return this.#fd;
    if (this.#fd < 0) this.#fd = descriptors.open(this.#path, "r");
    descriptors.use(this);
    return this.#fd;
  }
}

/** Open descriptors of the directories that are locked. */
const held = new Map<string, number>();

/** The machine's own file system. */
export const systemFiles: Files = {
  open: (path, mode) =>
    new SystemFile(
      path,
      descriptors.open(
        path,
        mode === "read" ? "r" : mode === "write" ? "r+" : "wx+",
        FILE_MODE,
      ),
    ),
  makeDirectory: (directory) =>
    void fs.mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE }),
  lock(directory) {
    const lock = lockDirectory(directory);
    let fd: number;
    try {
      fd = fs.openSync(directory, "r");
    } catch (error) {
      lock.close();
      throw cannotOpen(directory, messageOf(error));
    }
    const end = outliveFileSizeLimit();
    held.set(directory, fd);
    return {
      loss: () => lock.loss(),
      close() {
        held.delete(directory);
        end();
        fs.closeSync(fd);
        lock.close();
      },
    };
  },
  isLocked: isDirectoryLocked,
  list: (directory) => fs.readdirSync(directory),
  rename: (from, to) =>
    new Promise((resolve, reject) =>
      fs.rename(from, to, (error) => error ? reject(error) : resolve())
    ),
  remove: (path) => fs.unlinkSync(path),
  removeLater: (path) =>
    new Promise((resolve, reject) =>
      fs.unlink(path, (error) => error && error.code !== "ENOENT" ? reject(error) : resolve())
    ),
  link: (from, to) => fs.linkSync(from, to),
  copy: (from, to) =>
    new Promise((resolve, reject) =>
      fs.copyFile(from, to, (error) => error ? reject(error) : resolve())
    ),
  async syncDirectory(directory) {
    // One that cannot be opened now is no reason to distrust its medium: so what is locked is open.
    const kept = held.get(directory);
    const fd = kept ?? fs.openSync(directory, "r");
    try {
      await new Promise<void>((resolve, reject) =>
        fs.fsync(fd, (error) => error ? reject(error) : resolve())
      );
    } finally {
      if (kept === undefined) fs.closeSync(fd);
    }
  },
  free(directory) {
    const { bavail, bsize } = fs.statfsSync(directory);
    return bavail * bsize;
  },
};

/** Reads a whole file. */
export function readWhole(files: Files, path: string): Uint8Array<ArrayBuffer> {
  const file = files.open(path, "read");
  try {
    const bytes = new Uint8Array(file.size());
    const count = readFully(file, bytes, 0);
    return bytes.subarray(0, count);
  } finally {
    file.close();
  }
}

/** Reads until `into` is full or the file ends; returns the bytes read. */
export function readFully(
  file: DataFile,
  into: Uint8Array,
  at: number,
): number {
  let done = 0;
  while (done < into.length) {
    const count = file.read(
      done === 0 ? into : into.subarray(done),
      at + done,
    );
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** {@linkcode readFully} without holding up the loop. */
export async function readFullyLater(
  file: DataFile,
  into: Uint8Array,
  at: number,
): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const count = await file.readLater(
      done === 0 ? into : into.subarray(done),
      at + done,
    );
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Writes all of it, or throws. */
export function writeFully(file: DataFile, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length;) {
    const rest = done === 0 ? bytes : bytes.subarray(done);
    done += someOf(file.write(rest, at + done));
  }
}

/**
 * {@linkcode writeFully} for what nobody waits for: megabytes take milliseconds, and many more while the
 * file system writes to its journal.
 */
export async function writeFullyLater(
  file: DataFile,
  bytes: Uint8Array,
  at: number,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += someOf(await file.writeLater(done === 0 ? bytes : bytes.subarray(done), at + done));
  }
}

function someOf(count: number): number {
  if (count > 0) return count;
  throw Object.assign(new Error("the file system took no bytes"), { code: "EIO" });
}

/**
 * Puts a whole file in the place of another, so that after a power cut there is the old one or the
 * new one. The directory is not yet synced.
 */
export async function replaceFile(
  files: Files,
  path: string,
  bytes: Uint8Array,
): Promise<void> {
  const fresh = `${path}.new`;
  removeIfThere(files, fresh);
  const file = files.open(fresh, "create");
  try {
    await writeFullyLater(file, bytes, 0);
    await file.sync();
  } catch (error) {
    file.close();
    removeIfThere(files, fresh);
    throw error;
  }
  file.close();
  await files.rename(fresh, path);
}

/** Removes a file, unless it is gone already. */
export function removeIfThere(files: Files, path: string): void {
  try {
    files.remove(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}
