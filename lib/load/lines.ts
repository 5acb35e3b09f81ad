/**
 * The keys and values of a workload: many short runs of bytes in one piece of memory, which all
 * threads share.
 *
 * @module
 */

import { ByteBuffer } from "../bytes.ts";
import { Exit, ExitError, messageOf } from "../errors.ts";

const LF = 0x0a;
const CR = 0x0d;

/** Memory that may be handed to another thread without being copied. */
export interface SharedLines {
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** Where each line begins, and where the last one ends. */
  readonly starts: Float64Array<SharedArrayBuffer>;
  /** How many bytes there are between two lines. */
  readonly gap: number;
}

/** Lines by their place. */
export class Lines {
  constructor(readonly shared: SharedLines) {}

  /**
   * Reads a file of lines.
   *
   * @throws {ExitError} 64 if it cannot be read, 65 if it has no line.
   */
  static async read(path: string): Promise<Lines> {
    let bytes: Uint8Array<SharedArrayBuffer>;
    try {
      using file = await Deno.open(path);
      bytes = new Uint8Array(new SharedArrayBuffer((await file.stat()).size));
      let at = 0;
      const chunk = new Uint8Array(1024 * 1024);
      for (let count; at < bytes.length && (count = await file.read(chunk)) !== null;) {
        bytes.set(chunk.subarray(0, Math.min(count, bytes.length - at)), at);
        at += count;
      }
    } catch (error) {
      throw new ExitError(`cannot read '${path}': ${messageOf(error)}`, Exit.usage);
    }
    const end = bytes.at(-1) === LF ? bytes.length : bytes.length + 1;
    let count = end > bytes.length ? 1 : 0;
    for (const byte of bytes) if (byte === LF) count++;
    if (bytes.length === 0) throw new ExitError(`'${path}' has no line`, Exit.data);
    const starts = sharedStarts(count);
    let line = 0;
    for (let at = 0; at < bytes.length; at++) if (bytes[at] === LF) starts[++line] = at + 1;
    starts[count] = end;
    return new Lines({ bytes, starts, gap: bytes[starts[1]! - 2] === CR ? 2 : 1 });
  }

  /** Makes lines; `write` writes the one of a place. */
  static make(count: number, write: (out: ByteBuffer, index: number) => void): Lines {
    const out = new ByteBuffer(64 * 1024);
    const starts = sharedStarts(count);
    for (let index = 0; index < count; index++) {
      write(out, index);
      starts[index + 1] = out.length;
    }
    const bytes = new Uint8Array(new SharedArrayBuffer(out.length));
    bytes.set(out.view());
    return new Lines({ bytes, starts, gap: 0 });
  }

  get count(): number {
    return this.shared.starts.length - 1;
  }

  /** A line, as a view of the memory. */
  at(index: number): Uint8Array<SharedArrayBuffer> {
    const { bytes, starts, gap } = this.shared;
    return bytes.subarray(starts[index], starts[index + 1]! - gap);
  }
}

function sharedStarts(count: number): Float64Array<SharedArrayBuffer> {
  return new Float64Array(new SharedArrayBuffer((count + 1) * Float64Array.BYTES_PER_ELEMENT));
}
