/** Frames of the binary protocol from their parts, as text of one character a byte. */

import { Magic, Opcode, Status } from "../../../lib/protocol/binary/frame.ts";

export { Opcode, Status };

/** What a frame has beside magic and opcode; what is left out is empty or 0. */
export interface Parts {
  readonly extras?: string;
  readonly key?: string;
  readonly value?: string;
  readonly opaque?: number;
  /** A number, or {@linkcode unique}. */
  readonly cas?: bigint | string;
  /** Of a reply; of a request its vbucket, which means nothing. */
  readonly status?: number;
  readonly dataType?: number;
  /** What the header says of the lengths, where that is not so. */
  readonly keyLength?: number;
  readonly extrasLength?: number;
  readonly bodyLength?: number;
}

/** A frame. */
export function frame(magic: number, opcode: number, parts: Parts): string {
  const { extras = "", key = "", value = "", opaque = 0, cas = 0n, status = 0 } = parts;
  const body = extras + key + value;
  return u8(magic) + u8(opcode) + u16(parts.keyLength ?? key.length) +
    u8(parts.extrasLength ?? extras.length) + u8(parts.dataType ?? 0) + u16(status) +
    u32(parts.bodyLength ?? body.length) + u32(opaque) +
    (typeof cas === "string" ? cas : u64(cas)) + body;
}

/** A request. */
export function ask(opcode: number, parts: Parts = {}): string {
  return frame(Magic.request, opcode, parts);
}

/** A reply. */
export function reply(opcode: number, parts: Parts = {}): string {
  return frame(Magic.reply, opcode, parts);
}

/** The words of the statuses that are errors. */
const words: Readonly<Record<number, string>> = {
  [Status.notFound]: "Not found",
  [Status.exists]: "Data exists for key.",
  [Status.tooLarge]: "Too large.",
  [Status.invalidArguments]: "Invalid arguments",
  [Status.notStored]: "Not stored.",
  [Status.notNumeric]: "Non-numeric server-side value for incr or decr",
  [Status.authFailure]: "Auth failure.",
  [Status.unknownCommand]: "Unknown command",
  [Status.outOfMemory]: "Out of memory",
};

/** The reply that says an error, in its words. */
export function failure(opcode: number, status: number, opaque = 0): string {
  return reply(opcode, { status, value: words[status]!, opaque });
}

/** In the place of a cas: the n-th unique that a script was shown. */
export function unique(n: number): string {
  return `{cas ${String(n).padStart(2)}}`;
}

/** The extras of set, add and replace. */
export function storing(flags = 0, exptime = 0): string {
  return u32(flags) + u32(exptime);
}

/** The extras of incr and decr; without an exptime no item is made. */
export function counting(delta: bigint, initial = 0n, exptime = 0xffffffff): string {
  return u64(delta) + u64(initial) + u32(exptime);
}

function u8(value: number): string {
  return String.fromCharCode(value & 0xff);
}

function u16(value: number): string {
  return u8(value >>> 8) + u8(value);
}

/** 32 bits, big endian. */
export function u32(value: number): string {
  return u16(value >>> 16) + u16(value);
}

/** 64 bits, big endian. */
export function u64(value: bigint): string {
  return u32(Number(value >> 32n & 0xffffffffn)) + u32(Number(value & 0xffffffffn));
}
