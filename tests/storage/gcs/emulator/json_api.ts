/**
 * The JSON API: objects, listings, uploads and what the client programs ask of a bucket
 * (cloud.google.com/storage/docs/json_api/v1).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { gunzipSync } from "node:zlib";
import {
  type Bucket,
  hashesOf,
  type ObjectFields,
  type Preconditions,
  type StoredObject,
} from "./bucket.ts";
import { invalid } from "./errors.ts";
import { selectFields } from "./fields.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";
import { readMultipart } from "./multipart.ts";

/** One request to the JSON API, taken apart. */
export interface JsonRequest {
  readonly http: HttpRequest;
  readonly bucket: Bucket;
  /** The object's name, where the path has one. */
  readonly name: string | undefined;
  readonly query: URLSearchParams;
}

/** `GET /b/BUCKET` and `/b/BUCKET/storageLayout`. */
export function getBucket({ bucket, query }: JsonRequest): HttpResponse {
  return answer({
    kind: "storage#bucket",
    id: bucket.name,
    name: bucket.name,
    location: "US-CENTRAL1",
    locationType: "region",
    storageClass: "STANDARD",
    metageneration: "1",
  }, query);
}

/** `GET /b/BUCKET/iam/testPermissions`. */
export function testPermissions(
  { query }: JsonRequest,
  allows: (permission: string) => boolean,
): HttpResponse {
  const permissions = query.getAll("permissions").filter(allows);
  return answer({ kind: "storage#testIamPermissionsResponse", permissions }, query);
}

/** `GET /b/BUCKET/o`. */
export function listObjects(request: JsonRequest): HttpResponse {
  const { bucket, query } = request;
  const page = bucket.list({
    prefix: query.get("prefix") ?? "",
    delimiter: query.get("delimiter") ?? "",
    maxResults: Math.min(1000, Number(query.get("maxResults") ?? 1000)),
    pageToken: query.get("pageToken") || undefined,
    startOffset: query.get("startOffset") ?? undefined,
  });
  const items = page.objects.map((object) => resourceOf(request, object));
  const { prefixes, nextPageToken } = page;
  return answer({
    kind: "storage#objects",
    ...nextPageToken === undefined ? {} : { nextPageToken },
    ...prefixes.length === 0 ? {} : { prefixes },
    ...items.length === 0 ? {} : { items },
  }, query);
}

/** `GET /b/BUCKET/o/OBJECT`, with `alt=media` its content. */
export function getObject(request: JsonRequest): HttpResponse {
  const { http, bucket, name, query } = request;
  const object = bucket.get(name!, conditionsOf(query));
  if (object === "unchanged") return { status: 304 };
  if (query.get("alt") !== "media") return answer(resourceOf(request, object), query);
  return contentOf(object, http.headers.get("range"), http.headers.get("accept-encoding"));
}

/**
 * The content of an object, or the range of it that was asked for. What is stored compressed is
 * decompressed for who does not accept it so (cloud.google.com/storage/docs/transcoding).
 */
export function contentOf(
  object: StoredObject,
  range: string | undefined,
  accepted: string | undefined,
): HttpResponse {
  const { md5Hash, crc32c } = hashesOf(object.content);
  const headers: Record<string, string> = {
    "content-type": object.contentType ?? "application/octet-stream",
    "x-goog-generation": object.generation,
    "x-goog-metageneration": String(object.metageneration),
    "x-goog-hash": `crc32c=${crc32c},md5=${md5Hash}`,
    "x-goog-stored-content-encoding": object.contentEncoding ?? "identity",
    "x-goog-stored-content-length": String(object.content.length),
    "etag": `"${object.generation}"`,
  };
  if (object.contentEncoding === "gzip") {
    if (!accepted?.includes("gzip")) {
      return { status: 200, headers, body: gunzipSync(object.content) };
    }
    headers["content-encoding"] = "gzip";
  }
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  if (from === undefined) return { status: 200, headers, body: object.content };
  const start = Number(from);
  const length = object.content.length;
  const end = Math.min(length, to === "" ? length : Number(to) + 1);
  if (start >= length) return { status: 416, headers: { "content-range": `bytes */${length}` } };
  headers["content-range"] = `bytes ${start}-${end - 1}/${length}`;
  return { status: 206, headers, body: object.content.subarray(start, end) };
}

/** `POST /upload/storage/v1/b/BUCKET/o`: media, multipart, or the start of a resumable upload. */
export function insertObject(request: JsonRequest): HttpResponse {
  const { http, bucket, query } = request;
  const conditions = conditionsOf(query);
  const type = http.headers.get("content-type");
  switch (query.get("uploadType")) {
    case "media": {
      const name = query.get("name") ?? "";
      const object = bucket.insert(name, http.body, { contentType: type }, conditions);
      return answer(resourceOf(request, object), query);
    }
    case "multipart": {
      const { metadata, contentType, content } = readMultipart(type ?? "", http.body);
      const fields = fieldsOf({ contentType, ...metadata }) as ObjectFields;
      const name = String(metadata.name ?? query.get("name") ?? "");
      const object = bucket.insert(name, content, fields, conditions, metadata.crc32c);
      return answer(resourceOf(request, object), query);
    }
    case "resumable": {
      const metadata = readJson(http.body);
      const id = bucket.uploads.start({
        name: String(metadata.name ?? query.get("name") ?? ""),
        fields: fieldsOf({
          contentType: http.headers.get("x-upload-content-type"),
          ...metadata,
        }) as ObjectFields,
        conditions,
        checksum: metadata.crc32c,
      });
      // The session's address has all that its start was asked with.
      const location = `http://${http.headers.get("host")}${http.target}&upload_id=${id}`;
      return { status: 200, headers: { location, "x-guploader-uploadid": id } };
    }
    default:
      throw invalid("Required parameter: uploadType");
  }
}

/** `PUT` to a resumable upload: the next part, or with `bytes *` a question how far it is. */
export function resumeUpload(request: JsonRequest): HttpResponse {
  const { http, bucket, query } = request;
  const id = query.get("upload_id") ?? "";
  const progress = bucket.uploads.put(id, http.headers.get("content-range"), http.body);
  if ("object" in progress) return answer(resourceOf(request, progress.object), query);
  if (progress.kept === 0) return { status: 308 };
  return { status: 308, headers: { range: `bytes=0-${progress.kept - 1}` } };
}

/** `DELETE` of a resumable upload: it is given up. */
export function cancelUpload({ bucket, query }: JsonRequest): HttpResponse {
  bucket.uploads.cancel(query.get("upload_id") ?? "");
  return { status: 499 };
}

/** `PATCH /b/BUCKET/o/OBJECT`. */
export function patchObject(request: JsonRequest): HttpResponse {
  const { http, bucket, name, query } = request;
  const object = bucket.patch(name!, fieldsOf(readJson(http.body)), conditionsOf(query));
  return answer(resourceOf(request, object), query);
}

/** `DELETE /b/BUCKET/o/OBJECT`. */
export function deleteObject({ bucket, name, query }: JsonRequest): HttpResponse {
  bucket.delete(name!, conditionsOf(query));
  return { status: 204 };
}

function conditionsOf(query: URLSearchParams): Preconditions {
  const of = (parameter: string) => {
    const value = query.get(parameter);
    if (value === null) return undefined;
    if (!/^\d+$/.test(value)) throw invalid(`Invalid value for ${parameter}: ${value}`);
    return value;
  };
  return {
    generation: of("generation"),
    generationMatch: of("ifGenerationMatch"),
    generationNotMatch: of("ifGenerationNotMatch"),
    metagenerationMatch: of("ifMetagenerationMatch"),
    metagenerationNotMatch: of("ifMetagenerationNotMatch"),
  };
}

const writable = [
  "contentType",
  "cacheControl",
  "contentEncoding",
  "contentDisposition",
  "contentLanguage",
  "storageClass",
  "customTime",
  "temporaryHold",
  "metadata",
] as const;

function fieldsOf(resource: Record<string, unknown>): Partial<Record<keyof ObjectFields, never>> {
  const fields: Record<string, unknown> = {};
  for (const name of writable) if (resource[name] !== undefined) fields[name] = resource[name];
  for (const [key, value] of Object.entries(resource.metadata ?? {})) {
    if (value !== null && typeof value !== "string") {
      throw invalid(`Invalid value for metadata '${key}': it must be a string`);
    }
  }
  return fields;
}

function resourceOf({ http, bucket, query }: JsonRequest, object: StoredObject) {
  const fields = query.get("fields");
  // Hashing is most of the emulator's work, and seldom asked for.
  const hashes = fields === null || /\*|md5Hash|crc32c/.test(fields);
  const { content, created, metageneration, ...rest } = object;
  const origin = `http://${http.headers.get("host")}`;
  const path = `storage/v1/b/${bucket.name}/o/${encodeURIComponent(object.name)}`;
  return {
    kind: "storage#object",
    id: `${bucket.name}/${object.name}/${object.generation}`,
    bucket: bucket.name,
    selfLink: `${origin}/${path}`,
    mediaLink: `${origin}/download/${path}?generation=${object.generation}&alt=media`,
    storageClass: "STANDARD",
    ...rest,
    metageneration: String(metageneration),
    size: String(content.length),
    timeCreated: created,
    etag: object.generation,
    ...hashes ? hashesOf(content) : {},
  };
}

function readJson(body: Uint8Array): Record<string, unknown> {
  if (body.length === 0) return {};
  try {
    return JSON.parse(Buffer.from(body).toString());
  } catch {
    throw invalid("Parse Error");
  }
}

/** A resource as JSON, or the fields of it that were asked for. */
function answer(resource: unknown, query: URLSearchParams): HttpResponse {
  return {
    status: 200,
    headers: { "content-type": "application/json; charset=UTF-8" },
    body: JSON.stringify(selectFields(resource, query.get("fields") ?? undefined)),
  };
}
