/**
 * How other servers that speak the documented API differ from Google's: each is a switch, and what
 * such servers were seen to do (Google's storage-testbench 0.45, fake-gcs-server 1.55).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { HttpResponse } from "./http.ts";

/** What is different; nothing without a switch. */
export interface Deviations {
  /** A 404 says no more than its status. */
  plainMissing?: boolean;
  /** A delete is answered 200 with an empty body, not 204. */
  deletesWith200?: boolean;
  /** The XML API tells no `x-goog-meta-*`. */
  noXmlMetadata?: boolean;
  /** A resource of no bytes has no `size`. */
  noZeroSize?: boolean;
  /** Checksums are neither told nor looked at. */
  noChecksums?: boolean;
  /** An insert's checksum is not looked at; that of what was stored is told. */
  ignoresChecksums?: boolean;
  /** An insert whose checksum is wrong is answered 412, as a failed precondition is, not 400. */
  damagedWith412?: boolean;
  /** A delete's precondition is not looked at, nor is a read's `ifGenerationNotMatch`. */
  fewPreconditions?: boolean;
  /** A read is answered with the whole content, whatever range it asks for. */
  noRanges?: boolean;
}

/** An answer as such a server gives it. */
export function deviate(
  response: HttpResponse,
  { method, xml }: { readonly method: string; readonly xml: boolean },
  deviations: Deviations,
): HttpResponse {
  if (deviations.plainMissing && response.status === 404) {
    return { status: 404, headers: { "content-type": "text/plain" }, body: "Not Found\n" };
  }
  if (deviations.deletesWith200 && method === "DELETE" && response.status === 204) {
    return { status: 200, headers: { "content-type": "text/html" }, body: "" };
  }
  if (deviations.damagedWith412 && method === "POST" && response.status === 400) {
    return { ...response, status: 412 };
  }
  const headers = Object.fromEntries(
    Object.entries(response.headers ?? {}).filter(([name]) =>
      !(deviations.noXmlMetadata && xml && name.startsWith("x-goog-meta-")) &&
      !(deviations.noChecksums && name === "x-goog-hash")
    ),
  );
  const isJson = headers["content-type"]?.startsWith("application/json");
  if (!isJson || !(deviations.noZeroSize || deviations.noChecksums)) {
    return { ...response, headers };
  }
  const resource = JSON.parse(Buffer.from(response.body as string).toString());
  for (const one of [resource, ...resource.items ?? []]) {
    if (deviations.noZeroSize && one.size === "0") delete one.size;
    if (deviations.noChecksums) {
      delete one.crc32c;
      delete one.md5Hash;
    }
  }
  return { ...response, headers, body: JSON.stringify(resource) };
}

/** The body with one bit of it changed, in the middle; an empty one as it is. */
export function changed(body: Uint8Array, at = body.length >> 1): Uint8Array {
  // Not slice(): a Buffer's shares its memory.
  const copy = new Uint8Array(body);
  if (copy.length > 0) copy[at] ^= 4;
  return copy;
}
