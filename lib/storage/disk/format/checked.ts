/**
 * A line of JSON and one with the CRC-32 of its bytes, as the manifest and all small files and objects of
 * copies are.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import { bytesOf } from "../../../bytes.ts";

/** The two lines. */
export function encodeChecked(value: object): Uint8Array<ArrayBuffer> {
  const json = JSON.stringify(value);
  return bytesOf(`${json}\n${crc32(json).toString(16).padStart(8, "0")}\n`);
}

/** What the lines say; `undefined` where they are damaged, or of another `kind`. */
export function decodeChecked(
  bytes: Uint8Array,
  kind: string,
): Record<string, unknown> | undefined {
  const [json, sum, rest] = Buffer.from(bytes).toString("utf8").split("\n");
  if (rest !== "" || crc32(json!).toString(16).padStart(8, "0") !== sum) return undefined;
  const said = JSON.parse(json!);
  return said.kvs === kind ? said : undefined;
}
