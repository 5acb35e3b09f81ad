/**
 * Reads what comes on a connection that speaks lines: replies to classic and to meta commands, which
 * share it.
 *
 * @module
 */

import { type Expect, type Reply, type ReplyReader, unreadable } from "./client_dialect.ts";
import { MetaReplies } from "./meta/parse_reply.ts";
import { TextReplies } from "./text/parse_reply.ts";
import { ReplyLines } from "./text/reply_lines.ts";

/**
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { bytesOf } from "../bytes.ts";
 *
 * const reader = new LineReader();
 * reader.push(bytesOf("STORED\r\nVALUE k 0 5\r\nhe"));
 * assertEquals(reader.next("stored"), { kind: "status", status: "done" });
 * assertEquals(reader.next("value"), undefined); // not all of it has come
 * reader.push(bytesOf("llo\r\nEND\r\n"));
 * const reply = reader.next("value");
 * assertEquals(reply?.kind === "values" && reply.values[0]?.text, "hello");
 * ```
 */
export class LineReader implements ReplyReader {
  readonly #lines = new ReplyLines();
  readonly #text = new TextReplies(this.#lines);
  readonly #meta = new MetaReplies(this.#lines);

  push(bytes: Uint8Array): void {
    this.#lines.push(bytes);
  }

  get pending(): boolean {
    return this.#lines.pending;
  }

  next(expect: Expect): Reply | undefined {
    if (typeof expect === "object") return this.#meta.next("mgs", expect.keys);
    switch (expect) {
      case "mg":
      case "mgs":
      case "ms":
      case "md":
      case "mt":
      case "ma":
      case "mn":
      case "meta":
        return this.#meta.next(expect);
      case "end":
        return undefined;
      case "mechanisms":
      case "authenticated":
        return unreadable(`a reply in lines where one to '${expect}' is expected`);
      default:
        return this.#text.next(expect);
    }
  }
}
