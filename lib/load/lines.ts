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
   * Reads a file or pipe of lines, all of which end in LF, or all in CRLF; the last one may lack its
   * end.
   *
   * @throws {ExitError} 64 if it cannot be read, 65 if it has no line or lines of both kinds.
   */
  static async read(path: string): Promise<Lines> {
    let bytes: Uint8Array<SharedArrayBuffer>;
    try {
      bytes = await readAll(path);
    } catch (error) {
      throw new ExitError(`cannot read '${path}': ${messageOf(error)}`, Exit.usage);
    }
    if (bytes.length === 0) throw new ExitError(`'${path}' has no line`, Exit.data);
    const ended = bytes.at(-1) === LF;
    let count = ended ? 0 : 1;
    for (const byte of bytes) if (byte === LF) count++;
    const starts = sharedStarts(count);
    const first = bytes.indexOf(LF);
    const gap = first > 0 && bytes[first - 1] === CR ? 2 : 1;
    let line = 0;
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] !== LF) continue;
      line++;
      if ((gap === 2) !== (at > 0 && bytes[at - 1] === CR)) {
        const [these, those] = gap === 2 ? ["LF", "CRLF"] : ["CRLF", "LF"];
        throw new ExitError(
          `line ${line} of '${path}' ends in ${these}, those before it in ${those}`,
          Exit.data,
        );
      }
      starts[line] = at + 1;
    }
    if (!ended) starts[count] = bytes.length + gap;
    return new Lines({ bytes, starts, gap });
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

/** The bytes of a file, or of a pipe until its end. */
async function readAll(path: string): Promise<Uint8Array<SharedArrayBuffer>> {
  using file = await Deno.open(path);
  const parts: Uint8Array[] = [];
  let length = 0;
  while (true) {
    const part = new Uint8Array(1024 * 1024);
    const count = await file.read(part);
    if (count === null) break;
    parts.push(part.subarray(0, count).slice());
    length += count;
  }
  const bytes = new Uint8Array(new SharedArrayBuffer(length));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
