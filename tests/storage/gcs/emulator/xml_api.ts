/**
 * The XML API's `GET` and `HEAD` of an object: content and metadata in one answer
 * (cloud.google.com/storage/docs/xml-api/get-object).
 *
 * @module
 */

import type { Bucket, StoredObject } from "./bucket.ts";
import { contentOf } from "./json_api.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";

/** `GET /BUCKET/OBJECT` or `HEAD /BUCKET/OBJECT`. */
export function getXml(request: HttpRequest, bucket: Bucket, name: string): HttpResponse {
  const { headers } = request;
  const etag = /^"(\d+)"$/;
  const object = bucket.get(name, {
    generationMatch: headers.get("x-goog-if-generation-match") ??
      etag.exec(headers.get("if-match") ?? "")?.[1],
    generationNotMatch: etag.exec(headers.get("if-none-match") ?? "")?.[1],
    metagenerationMatch: headers.get("x-goog-if-metageneration-match"),
  });
  if (object === "unchanged") return { status: 304 };
  const response = contentOf(object, headers.get("range"), headers.get("accept-encoding"));
  return { ...response, headers: { ...headersOf(object), ...response.headers } };
}

function headersOf(object: StoredObject): Record<string, string> {
  const headers: Record<string, string> = {
    "content-type": object.contentType ?? "application/octet-stream",
    "etag": `"${object.generation}"`,
    "last-modified": new Date(object.updated).toUTCString(),
    "x-goog-generation": object.generation,
    "x-goog-metageneration": String(object.metageneration),
    "x-goog-storage-class": object.storageClass ?? "STANDARD",
  };
  if (object.cacheControl !== undefined) headers["cache-control"] = object.cacheControl;
  if (object.customTime !== undefined) headers["x-goog-custom-time"] = object.customTime;
  for (const key in object.metadata) headers[`x-goog-meta-${key}`] = object.metadata[key];
  return headers;
}
