/**
 * Requests of the emulator's own tests.
 *
 * @module
 */

import type { Emulator } from "./mod.ts";

/**
 * An answer whose body is JSON, or text where it is not. The request's body is a `Blob`, which `fetch`
 * does not send again by itself.
 */
export async function ask(
  emulator: Emulator,
  method: string,
  path: string,
  { body, headers }: { body?: BodyInit; headers?: Record<string, string> } = {},
) {
  const blob = method === "GET" || method === "HEAD" ? undefined : await new Response(body).blob();
  const response = await fetch(emulator.endpoint + path, { method, body: blob, headers });
  const text = await response.text();
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: response.status, headers: response.headers, text, json };
}

/** A multipart insert. */
export function insert(
  emulator: Emulator,
  name: string,
  content: string,
  { query = "", resource = {} }: { query?: string; resource?: Record<string, unknown> } = {},
) {
  const body = `--b\r\nContent-Type: application/json\r\n\r\n${
    JSON.stringify({ name, ...resource })
  }\r\n--b\r\nContent-Type: text/plain\r\n\r\n${content}\r\n--b--\r\n`;
  const path = `/upload/storage/v1/b/bucket/o?uploadType=multipart${query}`;
  const headers = { "content-type": "multipart/related; boundary=b" };
  return ask(emulator, "POST", path, { body, headers });
}

/** The path of the bucket's objects. */
export const objects = "/storage/v1/b/bucket/o";
