/** Cloud Storage's JSON API, as far as the scripts use it: buckets, their policies, small objects. */

import { createHash } from "node:crypto";
import { ApiError, type Cloud, type Json, type Recorded } from "./cloud.ts";

const bucketPath = (name: string) => `buckets/${name}`;
const objectPath = (bucket: string, name: string) => `objects/${bucket}/${name}`;

function bucket(cloud: Cloud, name: string): Json {
  if (!cloud.resources.has(bucketPath(name))) {
    throw new ApiError(404, "The specified bucket does not exist.", "notFound");
  }
  return cloud.get(bucketPath(name));
}

/** Every object's document, with its content beside it. */
export function objects(cloud: Cloud, bucketName: string): Json[] {
  const prefix = objectPath(bucketName, "");
  return [...cloud.resources].filter(([path]) => path.startsWith(prefix)).map(([, it]) => it);
}

/** The two parts of a multipart upload: the object's document, and its content. */
function multipart(body: Uint8Array): { metadata: Json; content: Uint8Array } {
  // latin1 by hand, so that an index into the text is an index into the bytes.
  const text = Array.from(body, (byte) => String.fromCharCode(byte)).join("");
  const boundary = text.slice(0, text.indexOf("\n")).trim();
  const head = text.indexOf("{");
  const second = text.indexOf(`\n${boundary}`, head);
  const start = text.slice(second + 1).match(/\r?\n\r?\n/)!;
  const begin = second + 1 + start.index! + start[0].length;
  const end = text.lastIndexOf(`\n${boundary}`) - (text.includes(`\r\n${boundary}`) ? 1 : 0);
  return { metadata: JSON.parse(text.slice(head, second)), content: body.subarray(begin, end) };
}

export function storageApi(
  cloud: Cloud,
  { method, path, body }: Recorded,
  raw: { body: Uint8Array; query: URLSearchParams },
): Json {
  const rest = path.replace(/^(upload\/)?storage\/v1\//, "").split("/");
  const [, name, kind] = rest;
  if (rest[0] !== "b") return undefined;
  if (name === undefined) {
    if (method === "GET") return { kind: "storage#buckets", items: cloud.list("buckets") };
    if (method === "POST") {
      if (cloud.resources.has(bucketPath(body.name))) {
        throw new ApiError(409, "The requested bucket name is not available.", "conflict");
      }
      return cloud.add(bucketPath(body.name), {
        kind: "storage#bucket",
        metageneration: "1",
        ...body,
      });
    }
  }
  const found = bucket(cloud, name);
  if (kind === undefined) {
    if (method === "GET") return found;
    if (method === "PATCH") return Object.assign(found, body);
    if (method === "DELETE") {
      if (objects(cloud, name).length > 0) {
        throw new ApiError(409, "The bucket you tried to delete is not empty.", "conflict");
      }
      cloud.delete(bucketPath(name));
      return new Response(null, { status: 204 });
    }
  }
  if (kind === "storageLayout") return { bucket: name, locationType: "region" };
  if (kind === "managedFolders") return { kind: "storage#managedFolders", items: [] };
  if (kind === "iam") {
    if (method === "PUT") cloud.policies.set(bucketPath(name), body);
    return cloud.policies.get(bucketPath(name)) ??
      { kind: "storage#policy", etag: "CAE=", version: 1 };
  }
  if (kind === "o") {
    const object = rest.slice(3).join("/");
    if (object === "" && method === "GET") {
      const prefix = raw.query.get("prefix") ?? "";
      return {
        kind: "storage#objects",
        items: objects(cloud, name).filter((it) => it.name.startsWith(prefix)),
      };
    }
    if (object === "" && method === "POST") {
      const { metadata, content } = multipart(raw.body);
      const document = {
        kind: "storage#object",
        ...metadata,
        bucket: name,
        generation: "1",
        metageneration: "1",
        size: String(content.length),
        md5Hash: createHash("md5").update(content).digest("base64"),
      };
      cloud.resources.set(objectPath(name, metadata.name), document);
      return document;
    }
    if (!cloud.resources.has(objectPath(name, object))) {
      throw new ApiError(404, `No such object: ${name}/${object}`, "notFound");
    }
    if (method === "GET") return cloud.get(objectPath(name, object));
    if (method === "DELETE") {
      cloud.delete(objectPath(name, object));
      return new Response(null, { status: 204 });
    }
  }
  return undefined;
}
