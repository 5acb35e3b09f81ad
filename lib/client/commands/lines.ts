/**
 * Lines of UTF-8 out of a stream of bytes.
 *
 * @module
 */

/** The longest line in bytes: no text of the engine is longer than 2^29 - 24. */
const LONGEST_LINE = 2 ** 29 - 32;

const LF = 0x0a;
const CR = 0x0d;

/** A line that cannot be read. */
export class LineError extends Error {
  override name = "LineError";
}

/**
 * The lines of a stream of UTF-8, without their line ends; the last one may lack its own.
 *
 * @throws {LineError} at a line that is not UTF-8, or too long for memory.
 */
export async function* linesOf(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let parts: Uint8Array[] = [];
  let length = 0;
  let first = true;
  const take = (end: Uint8Array): string => {
    // A line of a megabyte comes in many pieces, which are put together once.
    let bytes = parts.length === 0 ? end : joined([...parts, end], length + end.length);
    parts = [];
    length = 0;
    if (bytes.at(-1) === CR) bytes = bytes.subarray(0, -1);
    let line: string;
    try {
      line = decoder.decode(bytes);
    } catch {
      throw new LineError("it is not UTF-8");
    }
    if (first && line.startsWith("\ufeff")) line = line.slice(1);
    first = false;
    return line;
  };
  for await (const chunk of stream) {
    let start = 0;
    for (let end; (end = chunk.indexOf(LF, start)) >= 0; start = end + 1) {
      yield take(chunk.subarray(start, end));
    }
    if (start === chunk.length) continue;
    parts.push(chunk.slice(start));
    length += chunk.length - start;
    if (length > LONGEST_LINE) throw new LineError(`it is longer than ${LONGEST_LINE} bytes`);
  }
  if (length > 0) yield take(new Uint8Array());
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
