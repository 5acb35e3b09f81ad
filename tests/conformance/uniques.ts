/**
 * Replies without what differs by nature from server to server: cas uniques, and the version.
 *
 * @module
 */

import { bytesOfBinaryString } from "../../lib/bytes.ts";

/** The header of a frame of the binary protocol, and where its status and cas unique stand, in bytes. */
const HEADER_LENGTH = 24;
const STATUS = 6;
const CAS = 16;
const REPLY = "\x81";
/** The opcode of Version, whose reply says a version. */
const VERSION = "\x0b";

/** A reply without what differs by nature, and what the script may want of it. */
export class Uniques {
  /** The cas uniques in the order in which they were shown. */
  readonly seen: string[] = [];

  /**
   * Puts the n-th unique that was seen in the place of `{n}`, and of `{cas  n}`, which is as long as
   * its eight bytes in a frame.
   */
  fill(sent: string): string {
    return sent
      .replace(
        /\{(\d+)([+-]\d+)?\}/g,
        (_, n, more = "0") => `${BigInt(this.seen[Number(n) - 1] ?? "0") + BigInt(more)}`,
      )
      .replace(/\{cas +(\d+)\}/g, (_, n) => bytesOfUnique(this.seen[Number(n) - 1] ?? "0"));
  }

  /**
   * Puts `#n` (in a frame the number n) in the place of the n-th unique, and nothing in the place of
   * the version. Values are passed over, whatever they look like.
   */
  hide(reply: string): string {
    let hidden = "";
    for (let at = 0; at < reply.length;) {
      const [part, end] = reply[at] === REPLY ? this.#frameAt(reply, at) : this.#lineAt(reply, at);
      hidden += part;
      at = end;
    }
    return hidden;
  }

  /** The line that begins there, with its value, and where it ends. */
  #lineAt(reply: string, at: number): [hidden: string, end: number] {
    const end = reply.indexOf("\n", at) + 1 || reply.length;
    const line = reply.slice(at, end);
    const value = /^(VALUE [^ ]+ \d+ (\d+))( \d+)?(\r\n)$/s.exec(line);
    if (value !== null) {
      const [, start, length, unique] = value;
      const hidden = unique === undefined ? "" : ` #${this.#numberOf(unique.slice(1))}`;
      const valueEnd = end + Number(length) + 2;
      return [`${start}${hidden}\r\n${reply.slice(end, valueEnd)}`, valueEnd];
    }
    const meta = /^(VA (\d+)|HD|EN|NF|NS|EX)( .*)?\r\n$/s.exec(line);
    if (meta !== null) {
      const [, , length] = meta;
      const valueEnd = length === undefined ? end : end + Number(length) + 2;
      return [this.#withoutFlag(line) + reply.slice(end, valueEnd), valueEnd];
    }
    const hidden = line.replace(/^VERSION [^\r]+/, "VERSION")
      .replace(/^(ME .* cas=)(\d+)/, (_, start, unique) => `${start}#${this.#numberOf(unique)}`);
    return [hidden, end];
  }

  /** A meta line whose flag c says no number; 0 is no unique. */
  #withoutFlag(line: string): string {
    return line.replace(
      / c(\d+)(?=[ \r])/,
      (whole, unique) => unique === "0" ? whole : ` c#${this.#numberOf(unique)}`,
    );
  }

  /** The frame that begins there, and where it ends. */
  #frameAt(reply: string, at: number): [hidden: string, end: number] {
    const header = bytesOfBinaryString(reply.slice(at, at + HEADER_LENGTH));
    if (header.length < HEADER_LENGTH) return [reply.slice(at), reply.length];
    const view = new DataView(header.buffer);
    const end = at + HEADER_LENGTH + view.getUint32(8);
    const unique = view.getBigUint64(CAS);
    const number = unique === 0n ? 0 : this.#numberOf(`${unique}`);
    const isVersion = reply[at + 1] === VERSION && view.getUint16(STATUS) === 0;
    const start = isVersion
      ? `${reply.slice(at, at + 8)}\0\0\0\0${reply.slice(at + 12, at + CAS)}`
      : reply.slice(at, at + CAS);
    const body = isVersion ? "" : reply.slice(at + HEADER_LENGTH, end);
    return [start + bytesOfUnique(`${number}`) + body, end];
  }

  #numberOf(unique: string): number {
    const index = this.seen.indexOf(unique);
    return index >= 0 ? index + 1 : this.seen.push(unique);
  }
}

/** A unique as it stands in a frame: 64 bits, big endian. */
function bytesOfUnique(unique: string): string {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(unique));
  return String.fromCharCode(...bytes);
}
