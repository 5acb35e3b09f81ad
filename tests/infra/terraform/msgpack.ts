/**
 * MessagePack, as far as Terraform writes its values in it: docs/plugin-protocol/object-wire-format.md of
 * Terraform.
 *
 * @module
 */

/** What is known only after an apply. */
export const UNKNOWN = Symbol("known after apply");

/** A value of Terraform's language. */
export type Value =
  | null
  | boolean
  | number
  | string
  | typeof UNKNOWN
  | Value[]
  | { [name: string]: Value };

/** Reads one value. */
export function unpack(bytes: Uint8Array): Value {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (size: number) => bytes.subarray(at, at += size);
  const number = (size: 1 | 2 | 4, signed = false): number => {
    const name = `get${signed ? "Int" : "Uint"}${size * 8}` as "getInt8";
    const value = view[name](at);
    at += size;
    return value;
  };
  const text = (size: number) => new TextDecoder().decode(take(size));
  const list = (size: number): Value => Array.from({ length: size }, () => value());
  const object = (size: number): Value =>
    Object.fromEntries(Array.from({ length: size }, () => [value() as string, value()]));
  /** An extension is an unknown value, with or without what is known of it. */
  const extension = (size: number): Value => {
    take(1 + size);
    return UNKNOWN;
  };
  const value = (): Value => {
    const sign = number(1);
    if (sign < 0x80) return sign;
    if (sign < 0x90) return object(sign & 15);
    if (sign < 0xa0) return list(sign & 15);
    if (sign < 0xc0) return text(sign & 31);
    if (sign >= 0xe0) return sign - 256;
    switch (sign) {
      case 0xc0:
        return null;
      case 0xc2:
      case 0xc3:
        return sign === 0xc3;
      case 0xc7:
        return extension(number(1));
      case 0xca:
        return view.getFloat32((at += 4) - 4);
      case 0xcb:
        return view.getFloat64((at += 8) - 8);
      case 0xcc:
      case 0xcd:
      case 0xce:
        return number(1 << (sign - 0xcc) as 1);
      case 0xcf:
        return Number(view.getBigUint64((at += 8) - 8));
      case 0xd0:
      case 0xd1:
      case 0xd2:
        return number(1 << (sign - 0xd0) as 1, true);
      case 0xd3:
        return Number(view.getBigInt64((at += 8) - 8));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return extension(1 << (sign - 0xd4));
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return text(number(1 << (sign - 0xc4) as 1));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return text(number(1 << (sign - 0xd9) as 1));
      case 0xdc:
      case 0xdd:
        return list(number(2 << (sign - 0xdc) as 2));
      case 0xde:
      case 0xdf:
        return object(number(2 << (sign - 0xde) as 2));
    }
    throw new Error(`MessagePack with ${sign.toString(16)} is not read here`);
  };
  return value();
}

/** Writes one value. Numbers are doubles, lengths have 32 bits: Terraform reads any size. */
export function pack(value: Value): Uint8Array {
  const parts: Uint8Array[] = [];
  const head = (sign: number, size: number) => {
    const bytes = new Uint8Array(5);
    bytes[0] = sign;
    new DataView(bytes.buffer).setUint32(1, size);
    parts.push(bytes);
  };
  const write = (value: Value): void => {
    if (value === null) parts.push(Uint8Array.of(0xc0));
    else if (value === UNKNOWN) parts.push(Uint8Array.of(0xd4, 0, 0));
    else if (typeof value === "boolean") parts.push(Uint8Array.of(value ? 0xc3 : 0xc2));
    else if (typeof value === "number") {
      const bytes = new Uint8Array(9);
      bytes[0] = 0xcb;
      new DataView(bytes.buffer).setFloat64(1, value);
      parts.push(bytes);
    } else if (typeof value === "string") {
      const bytes = new TextEncoder().encode(value);
      head(0xdb, bytes.length);
      parts.push(bytes);
    } else if (Array.isArray(value)) {
      head(0xdd, value.length);
      value.forEach(write);
    } else if (typeof value === "object") {
      const entries = Object.entries(value);
      head(0xdf, entries.length);
      for (const [name, inner] of entries) {
        write(name);
        write(inner);
      }
    }
  };
  write(value);
  return new Uint8Array(parts.flatMap((part) => [...part]));
}
