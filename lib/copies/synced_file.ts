/**
 * A file that is synced while it is written, so that the medium has most of it when the last byte has come:
 * neither waits for the other.
 *
 * @module
 */

import { type DataFile, writeFully } from "../storage/disk/fs/files.ts";

/** Bytes after which they are on their way to the medium. */
const AHEAD = 1 << 24;

/** Writes a file from its beginning to its end. */
export class SyncedFile {
  readonly #file: DataFile;
  #unsynced = 0;
  /** The sync that is under way. */
  #syncing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(file: DataFile) {
    this.#file = file;
  }

  /**
   * Writes all of these bytes.
   *
   * @throws {Error} the system's, of this or of a sync before it
   */
  write(bytes: Uint8Array, at: number): void {
    this.#throwFailure();
    writeFully(this.#file, bytes, at);
    this.#unsynced += bytes.length;
    if (this.#unsynced < AHEAD || this.#syncing !== undefined) return;
    this.#begin();
  }

  /** Resolves when all that was written is on the medium. */
  async sync(): Promise<void> {
    await this.#syncing;
    // What a sync has failed to bring there, a second one need not tell of.
    this.#throwFailure();
    await this.#begin();
    this.#throwFailure();
  }

  /** Closes the file once no sync of it is under way. */
  async close(): Promise<void> {
    await this.#syncing;
    this.#file.close();
  }

  #begin(): Promise<void> {
    this.#unsynced = 0;
    return this.#syncing = this.#file.sync()
      .catch((error) => void (this.#failure = { error }))
      .finally(() => this.#syncing = undefined);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
