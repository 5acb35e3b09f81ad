/**
 * All dialects that a client speaks.
 *
 * @module
 */

import { binaryRequests } from "./binary/format_request.ts";
import { BinaryReader } from "./binary/parse_reply.ts";
import type { ClientDialect, Protocol } from "./client_dialect.ts";
import { LineReader } from "./line_reader.ts";
import { metaRequests } from "./meta/format_request.ts";
import { textRequests } from "./text/format_request.ts";

const newLineReader = () => new LineReader();

/** The dialects by their names. A connection of text takes meta commands too, and the reverse. */
export const clientDialects: Readonly<Record<Protocol, ClientDialect>> = {
  text: { name: "text", requests: textRequests, newReader: newLineReader },
  meta: { name: "meta", requests: metaRequests, newReader: newLineReader },
  binary: { name: "binary", requests: binaryRequests, newReader: () => new BinaryReader() },
};
