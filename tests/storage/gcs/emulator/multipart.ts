/**
 * The body of a multipart upload: metadata, then content
 * (cloud.google.com/storage/docs/uploading-objects#uploading-an-object, JSON API).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { invalid } from "./errors.ts";

/** What a multipart upload carries. */
export interface Multipart {
  readonly metadata: Record<string, unknown>;
  readonly contentType: string | undefined;
  readonly content: Uint8Array;
}

/**
 * RFC 2387, `multipart/related` of exactly two parts. Lines end with CR LF or, as the `gcloud`
 * program sends them, with LF alone.
 */
export function readMultipart(type: string, body: Uint8Array): Multipart {
  const boundary = /boundary=(?:"([^"]+)"|'([^']+)'|([^;]+))/.exec(type)?.slice(1).find(Boolean);
  if (boundary === undefined) throw invalid("Multipart content type has no boundary.");
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const mark = `--${boundary}`;
  const one = bytes.indexOf(mark);
  const two = bytes.indexOf(`\n${mark}`, one + mark.length) + 1;
  const end = bytes.lastIndexOf(`\n${mark}--`) + 1;
  if (one === -1 || two === 0 || end <= two) throw invalid("Malformed multipart body.");
  const first = readPart(bytes.subarray(one + mark.length, two));
  const second = readPart(bytes.subarray(two + mark.length, end));
  try {
    const metadata = JSON.parse(Buffer.from(first.content).toString());
    return { metadata, contentType: second.contentType, content: second.content };
  } catch {
    throw invalid("Metadata part is not valid JSON.");
  }
}

/** A part from the end of its boundary to the line end before the next. */
function readPart(bytes: Buffer): { contentType: string | undefined; content: Uint8Array } {
  const blank = /\r?\n\r?\n/.exec(bytes.toString("latin1", 0, 1024));
  if (blank === null) throw invalid("Malformed multipart body.");
  const head = bytes.toString("latin1", 0, blank.index);
  const tail = bytes.at(-2) === 13 ? 2 : 1;
  return {
    contentType: /content-type:\s*([^\r\n]+)/i.exec(head)?.[1],
    content: bytes.subarray(blank.index + blank[0].length, bytes.length - tail),
  };
}
