/**
 * What an answer of the service says beside its status: the status decides, these explain.
 *
 * @module
 */

import { StoreError } from "../../errors.ts";
import type { Answer } from "./transport.ts";

/** The length at most of what the service says, in characters. */
const longest = 300;

/** The service refused what no retry would mend: a right, a bucket that is not there, a bad request. */
export class Refused extends StoreError {
  override name = "Refused";
}

/** An object as the JSON API shows it. Fields that an endpoint leaves out have their usual value. */
export interface Resource {
  readonly name: string;
  readonly size?: string | number;
  readonly generation: string;
  readonly crc32c?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The JSON in an answer; `undefined` where there is none that can be read. */
export function jsonOf(answer: Answer): unknown {
  try {
    return JSON.parse(textOf(answer)) ?? undefined;
  } catch {
    return undefined;
  }
}

/** The resource in an answer; `undefined` where there is none with a generation. */
export function resourceOf(answer: Answer): Resource | undefined {
  return asResource(jsonOf(answer));
}

/** The same of a part of an answer. An endpoint may write the generation as a number. */
export function asResource(value: unknown): Resource | undefined {
  const resource = value as Resource | undefined;
  const generation = String(resource?.generation ?? "");
  return /^\d+$/.test(generation) ? { ...resource!, generation } : undefined;
}

/** A header's value; the first of several. */
export function headerOf({ headers }: Answer, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.[0];
}

/** The CRC-32C that the service keeps of the stored content, in base64; `undefined` for none. */
export function checksumOf({ headers }: Answer): string | undefined {
  const hashes = headers["x-goog-hash"];
  return /(?:^|[\s,])crc32c=([\w+/]+=*)/.exec([hashes].flat().join(","))?.[1];
}

/** Whether the content was decompressed on the way: its checksum is that of the stored bytes. */
export function isDecompressed(answer: Answer): boolean {
  const stored = headerOf(answer, "x-goog-stored-content-encoding") ?? "identity";
  return stored !== "identity" && headerOf(answer, "content-encoding") !== stored;
}

/** How long the service asks to wait, in milliseconds (RFC 9110, section 10.2.3); 0 for no such wish. */
export function retryAfterOf(answer: Answer): number {
  const value = headerOf(answer, "retry-after") ?? "";
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? 0 : Math.max(0, at - Date.now());
}

/** Whether the body of a 404 says that the bucket is not there, and not only the object. */
export function saysNoBucket(answer: Answer): boolean {
  return /NoSuchBucket|bucket does not exist/i.test(textOf(answer));
}

/** Whether a 403 is that a retention policy or a hold keeps the object as it is. */
export function saysRetained(answer: Answer): boolean {
  return /retentionPolicyNotMet|objectUnderActiveHold/i.test(textOf(answer));
}

/** What the service said was wrong: in JSON or XML, or else nothing that can be read. */
export function messageOf(answer: Answer): string {
  const { error } = (jsonOf(answer) ?? {}) as { error?: { message?: unknown } };
  const said = error?.message ?? /<Message>([^<]*)<\/Message>/.exec(textOf(answer))?.[1] ?? "";
  return String(said).split(/\s+/).join(" ").slice(0, longest);
}

function textOf({ body }: Answer): string {
  return new TextDecoder().decode(body);
}
