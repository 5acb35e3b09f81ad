/**
 * `kvs-server hash-password`: the hash of a password for a users file.
 *
 * @module
 */

import { promptSecret } from "@std/cli";
import { bytesOf } from "../../bytes.ts";
import { Exit, ExitError } from "../../errors.ts";
import { hashPassword } from "./scrypt.ts";

/** The longest password, in bytes: as long as a login may be. */
const MOST = 16 * 1024;
const LF = 0x0a;
const CR = 0x0d;

/**
 * Asks for a password, or reads it from standard input up to the end of its first line, and returns its
 * hash. A password is never an argument: others see those.
 *
 * @throws {ExitError} 64 where there is none
 */
export async function hashFromInput(): Promise<string> {
  const password = Deno.stdin.isTerminal() ? ask() : await readLine();
  if (password.length === 0) {
    throw new ExitError("hash-password: no password was given", Exit.usage);
  }
  if (password.includes(0)) {
    throw new ExitError("hash-password: a password has no NUL byte in it", Exit.usage);
  }
  return await hashPassword(password);
}

function ask(): Uint8Array {
  const first = promptSecret("Password:") ?? "";
  if (first !== (promptSecret("Once more:") ?? "")) {
    throw new ExitError("hash-password: the two are not the same", Exit.usage);
  }
  return bytesOf(first);
}

async function readLine(): Promise<Uint8Array> {
  const bytes = new Uint8Array(MOST + 2);
  let length = 0;
  for (;;) {
    const end = bytes.subarray(0, length).indexOf(LF);
    if (end >= 0) return bytes.subarray(0, end > 0 && bytes[end - 1] === CR ? end - 1 : end);
    const count = await Deno.stdin.read(bytes.subarray(length));
    if (count === null) return bytes.subarray(0, length);
    length += count;
    if (length > MOST) throw new ExitError("hash-password: the password is too long", Exit.usage);
  }
}
