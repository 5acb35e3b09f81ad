/**
 * The users of `--users FILE`: a JSON file of users with hashes of passwords, permissions and the names in
 * their certificates. docs/access.md describes it.
 *
 * @module
 */

import { bytesOf } from "../../bytes.ts";
import { repeatedKey } from "../../cli/json_keys.ts";
import { suggestion } from "../../cli/parse.ts";
import {
  type KeyedRight,
  keyedRights,
  type Prefixes,
  Right,
  rightNames,
  Rights,
} from "../../commands/rights.ts";
import { MAX_KEY } from "../../protocol/request.ts";
import { parseHash, type PasswordHash } from "./scrypt.ts";

/** A user as the file has it. */
export interface UserEntry {
  readonly name: string;
  readonly rights: Rights;
  /** The hashes of its passwords by their texts. Without one, no password opens it. */
  readonly hashes: ReadonlyMap<string, PasswordHash>;
  /** Names in certificates that are this user. */
  readonly certificates: readonly string[];
}

/** Passwords of one user, at most: each wrong guess costs as many hashes. */
const MOST_PASSWORDS = 4;
const WORDS = ["name", "passwords", "permissions", "certificates"];

/** What is wrong with a users file, and where. */
class Misplaced extends Error {
  constructor(place: string, what: string) {
    super(`${place} ${what}`);
  }
}

/** Reads the content of a users file; returns what is wrong with it, with its place, where it is none. */
export function parseUserFile(content: string): UserEntry[] | string {
  try {
    const twice = repeatedKey(content);
    const root = object(JSON.parse(content), "the file", ["users"]);
    if (twice !== undefined) throw new Misplaced(twice, "stands twice");
    const users = list(root.users, "users").map((user, i) => entry(user, `users[${i}]`));
    refuseRepeated(users.map(({ name }) => name), "user");
    refuseRepeated(users.flatMap(({ certificates }) => certificates), "certificate");
    return users;
  } catch (error) {
    if (error instanceof Misplaced) return error.message;
    if (error instanceof SyntaxError) return `is no JSON: ${error.message}`;
    throw error;
  }
}

function entry(value: unknown, place: string): UserEntry {
  const user = object(value, place, WORDS);
  const name = text(user.name, `${place}.name`);
  // Over text the name ends at the first blank of the login.
  if (/[ \0\r\n]/.test(name)) {
    throw new Misplaced(`${place}.name`, "has a blank or a line end in it");
  }
  const passwords = list(user.passwords ?? [], `${place}.passwords`);
  if (passwords.length > MOST_PASSWORDS) {
    throw new Misplaced(`${place}.passwords`, `are more than ${MOST_PASSWORDS}`);
  }
  const hashes = new Map<string, PasswordHash>();
  for (const [i, password] of passwords.entries()) {
    const at = `${place}.passwords[${i}]`;
    const written = text(password, at);
    const hash = parseHash(written);
    if (hash === undefined) {
      throw new Misplaced(
        at,
        "is no hash of kvs-server hash-password (a password never stands here)",
      );
    }
    hashes.set(written, hash);
  }
  const certificates = list(user.certificates ?? [], `${place}.certificates`)
    .map((name, i) => text(name, `${place}.certificates[${i}]`));
  return { name, hashes, certificates, rights: rights(user.permissions, `${place}.permissions`) };
}

function rights(value: unknown, place: string): Rights {
  const permissions = object(value, place, rightNames);
  const prefixes: { [Name in KeyedRight]?: readonly Uint8Array[] } = {};
  let mask = 0;
  for (const name of rightNames) {
    const permission = permissions[name];
    const at = `${place}.${name}`;
    if (permission === undefined || permission === false) continue;
    mask |= Right[name];
    if (permission === true) continue;
    const keyed = keyedRights.find((keyed) => keyed === name);
    if (keyed === undefined) {
      throw new Misplaced(at, "is true or false: it is not about single keys");
    }
    prefixes[keyed] = list(permission, at, "true, false or a list of prefixes").map((prefix, i) => {
      const bytes = bytesOf(text(prefix, `${at}[${i}]`));
      if (bytes.length > MAX_KEY) throw new Misplaced(`${at}[${i}]`, "is longer than any key");
      return bytes;
    });
  }
  if ((mask & Right.flush) !== 0 && Object.keys(prefixes).length > 0) {
    throw new Misplaced(
      `${place}.flush`,
      "empties everything, which a user of some prefixes may not",
    );
  }
  return new Rights(mask, prefixes as Prefixes);
}

function object(value: unknown, place: string, words: readonly string[]): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Misplaced(place, "must be an object");
  }
  for (const word of Object.keys(value)) {
    if (words.includes(word)) continue;
    throw new Misplaced(place, `has an unknown word '${word}'${suggestion(word, words)}`);
  }
  return value as Record<string, unknown>;
}

function list(value: unknown, place: string, what = "a list"): unknown[] {
  if (!Array.isArray(value)) throw new Misplaced(place, `must be ${what}`);
  return value;
}

function text(value: unknown, place: string): string {
  if (typeof value !== "string" || value === "") throw new Misplaced(place, "must be a text");
  return value;
}

function refuseRepeated(names: readonly string[], what: string): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Misplaced(`${what} '${twice}'`, "stands twice");
}
