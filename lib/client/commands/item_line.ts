/**
 * An item as a line of JSON: what `get --json` and `dump` print and `restore` reads.
 *
 * `{"key":"k","value":"v","flags":0,"expires":1700000000}`: a key or value that is not UTF-8 stands
 * as `keyBase64` or `valueBase64`; `expires` is in seconds since 1970 and left out for never, so
 * that a dump that lies about for a day does not live a day longer. `restore` also takes `ttl`, in
 * seconds from now.
 *
 * @module
 */

import { bytesOf } from "../../bytes.ts";

/** What a line says of an item. */
export interface Item {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** 32 bits. */
  readonly flags: number;
  /** In seconds since 1970; 0 for never. */
  readonly expires: number;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A field of JSON that holds bytes: as text under its name if they are UTF-8, else as base64. */
export function bytesField(name: string, bytes: Uint8Array): Record<string, string> {
  try {
    return { [name]: utf8.decode(bytes) };
  } catch {
    return base64Field(name, bytes);
  }
}

function base64Field(name: string, bytes: Uint8Array): Record<string, string> {
  return { [`${name}Base64`]: bytes.toBase64() };
}

/**
 * The line of an item, without its line end; `undefined` for a value of some hundred megabytes, of
 * which the engine makes no text.
 */
export function itemLine({ key, value, flags, expires }: Item): string | undefined {
  const others = { flags, ...(expires === 0 ? {} : { expires }) };
  // Control characters take six letters each in JSON, bytes in base64 four thirds.
  for (const field of [() => bytesField("value", value), () => base64Field("value", value)]) {
    try {
      return JSON.stringify({ ...bytesField("key", key), ...field(), ...others });
    } catch (error) {
      if (!(error instanceof RangeError) && !isTooLong(error)) throw error;
    }
  }
  return undefined;
}

/** How the engine says that a text would be longer than it takes. */
function isTooLong(error: unknown): boolean {
  return error instanceof Error &&
    /string longer than|too long|Invalid string/i.test(error.message);
}

/**
 * The item of a line; `now` is the time in seconds since 1970, for lines with a `ttl`.
 *
 * @throws {SyntaxError} that says what is wrong with the line.
 */
export function readItemLine(line: string, now: number): Item {
  const fields = JSON.parse(line);
  if (typeof fields !== "object" || fields === null) throw new SyntaxError("not a JSON object");
  const { flags = 0, expires = 0, ttl = 0 } = fields;
  if (!Number.isInteger(flags) || flags < 0 || flags > 0xffffffff) {
    throw new SyntaxError(`"flags" takes a number of 32 bits, received ${JSON.stringify(flags)}`);
  }
  for (const [name, seconds] of Object.entries({ expires, ttl })) {
    if (typeof seconds !== "number" || seconds < 0) {
      throw new SyntaxError(`"${name}" takes seconds, received ${JSON.stringify(seconds)}`);
    }
  }
  return {
    key: readBytes(fields, "key"),
    value: readBytes(fields, "value"),
    flags,
    expires: ttl > 0 ? now + Math.ceil(ttl) : Math.ceil(expires),
  };
}

function readBytes(fields: Record<string, unknown>, name: string): Uint8Array {
  const text = fields[name];
  if (typeof text === "string") {
    if (text.isWellFormed()) return bytesOf(text);
    throw new SyntaxError(`"${name}" has half a character: \\ud800 to \\udfff stand in pairs`);
  }
  const base64 = fields[`${name}Base64`];
  if (typeof base64 === "string") {
    try {
      return Uint8Array.fromBase64(base64);
    } catch {
      throw new SyntaxError(`"${name}Base64" is not base64`);
    }
  }
  throw new SyntaxError(`neither "${name}" nor "${name}Base64" is a text`);
}
