/**
 * An insert in one request: metadata, then content
 * (cloud.google.com/storage/docs/uploading-objects#uploading-an-object, JSON API).
 *
 * @module
 */

import { bytesOf } from "../../bytes.ts";
import type { Request } from "./transport.ts";

/**
 * A request, and the place in its body that takes the content's bytes before it is sent.
 *
 * @param path the upload's address, with `uploadType=multipart`.
 * @param length the content's, in bytes.
 * @param boundary what no content holds.
 */
export function multipart(
  path: string,
  resource: Readonly<Record<string, unknown>>,
  length: number,
  boundary: string,
): { readonly request: Request; readonly content: Uint8Array } {
  const head = bytesOf(
    `--${boundary}\r\nContent-Type: application/json\r\n\r\n${JSON.stringify(resource)}\r\n` +
      `--${boundary}\r\nContent-Type: application/octet-stream\r\n\r\n`,
  );
  const tail = bytesOf(`\r\n--${boundary}--\r\n`);
  // One part: each part of a `Blob` costs as much as half a request.
  const body = new Uint8Array(head.length + length + tail.length);
  body.set(head);
  body.set(tail, head.length + length);
  const contentType = `multipart/related; boundary=${boundary}`;
  return {
    request: { method: "POST", path, contentType, body },
    content: body.subarray(head.length, head.length + length),
  };
}
