/**
 * Protocol buffers, as far as Terraform's plugin protocol takes them: messages of numbers, bytes and messages.
 *
 * @module
 */

/** A message that is written field by field. */
export class Message {
  readonly #parts: Uint8Array[] = [];
  #size = 0;

  /** A number; nothing where it is 0, which the reader assumes. */
  number(field: number, value: number | boolean): this {
    if (Number(value) !== 0) this.#push(varints(field << 3, Number(value)));
    return this;
  }

  /** Bytes, text, or a message within. */
  bytes(field: number, value: Uint8Array | string | Message): this {
    const parts = value instanceof Message
      ? value.#parts
      : [typeof value === "string" ? new TextEncoder().encode(value) : value];
    const size = parts.reduce((sum, { length }) => sum + length, 0);
    this.#push(varints(field << 3 | 2, size));
    for (const part of parts) this.#push(part);
    return this;
  }

  finish(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#size);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  #push(part: Uint8Array): void {
    this.#parts.push(part);
    this.#size += part.length;
  }
}

function varints(...values: number[]): Uint8Array {
  const bytes: number[] = [];
  for (let value of values) {
    for (; value > 127; value = Math.floor(value / 128)) bytes.push(value % 128 | 128);
    bytes.push(value);
  }
  return new Uint8Array(bytes);
}

/** The fields of a message that are bytes, text or messages, the last of each number. */
export function fields(bytes: Uint8Array): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  let at = 0;
  const varint = () => {
    for (let value = 0, unit = 1;; unit *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const head = varint();
    if ((head & 7) === 0) varint();
    else if ((head & 7) === 2) {
      const size = varint();
      found.set(head >> 3, bytes.subarray(at, at += size));
    } else throw new Error(`a field of kind ${head & 7} is not read here`);
  }
  return found;
}
