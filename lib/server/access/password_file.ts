/**
 * The users of `-Y FILE`, in memcached's format: `user:password`, one a line.
 *
 * @module
 */

import { binaryString } from "../../bytes.ts";
import type { User as SessionUser } from "../../commands/session.ts";
import { Exit, ExitError, messageOf } from "../../errors.ts";
import type { KnownUser, UserDirectory } from "./directory.ts";
import { modeProblem } from "./file_mode.ts";

/** How many users memcached reads; it drops those that follow. */
const MOST_USERS = 8;
/** The longest line, in bytes, without its end. */
const MOST_BYTES = 255;

const [COLON, CR, LF, NUL] = [0x3a, 0x0d, 0x0a, 0];

/** A user and a password, as bytes: neither has an encoding. */
interface User {
  readonly name: Uint8Array;
  readonly password: Uint8Array;
}

/**
 * Reads the content of a user file. A password ends at the first carriage return or the end of its line;
 * the last line needs no end. Of more than eight users the first eight count.
 *
 * memcached ends a password at a NUL byte and cuts a line after 255 bytes, and in both cases overlooks
 * the lines that follow: here such a line is an error.
 *
 * @returns the users, or what is wrong with the content, as the end of a sentence.
 */
export function parseUsers(content: Uint8Array): User[] | string {
  const users: User[] = [];
  for (let at = 0; at < content.length && users.length < MOST_USERS;) {
    const newline = content.indexOf(LF, at);
    const end = newline < 0 ? content.length : newline;
    const line = content.subarray(at, end);
    at = end + 1;
    const colon = line.indexOf(COLON);
    if (colon < 0 || line.includes(NUL)) {
      return "has a malformed entry. Should be 'user:password'";
    }
    const carriageReturn = line.indexOf(CR, colon);
    const whole = carriageReturn < 0 ? line : line.subarray(0, carriageReturn);
    if (whole.length > MOST_BYTES) return `has an entry of more than ${MOST_BYTES} bytes`;
    users.push({ name: whole.slice(0, colon), password: whole.slice(colon + 1) });
  }
  return users;
}

/** Who may use the server. */
export class PasswordFile implements UserDirectory {
  #users: readonly User[] = [];

  /**
   * Reads a user file.
   *
   * @throws {ExitError} 1, as memcached, if the file cannot be read or is malformed.
   */
  constructor(readonly path: string) {
    const problem = this.reload();
    if (problem !== undefined) throw new ExitError(problem, Exit.no);
  }

  /** How many users there are. */
  get size(): number {
    return this.#users.length;
  }

  /**
   * Reads the file again. A file that cannot be read or is malformed leaves the users as they are.
   *
   * @returns what is wrong with the file, in one line.
   */
  reload(): string | undefined {
    let content: Uint8Array;
    try {
      const mode = modeProblem(this.path);
      if (mode?.isError) return mode.sentence;
      content = Deno.readFileSync(this.path);
    } catch (error) {
      return `Could not open authfile [${this.path}] for reading, error ${messageOf(error)}`;
    }
    const users = parseUsers(content);
    if (typeof users === "string") return `Authfile [${this.path}] ${users}`;
    this.#users = users;
    return undefined;
  }

  /**
   * The user whose password this is. It takes the same time for every pair of up to 255 bytes each: how
   * long it takes tells nothing of the users.
   */
  check(name: Uint8Array, password: Uint8Array): SessionUser | undefined {
    let found = -1;
    for (const [i, user] of this.#users.entries()) {
      const isRight = Number(
        (differences(user.name, name) | differences(user.password, password)) === 0,
      );
      found += isRight * (i - found);
    }
    return found < 0 ? undefined : userOf(this.#users[found]!);
  }

  /** Nobody: there are no certificates in this file. */
  certified(): undefined {
    return undefined;
  }

  renew(user: SessionUser): SessionUser | undefined {
    const { credential } = user as KnownUser;
    return this.#users.map(userOf).find((other) => other.credential === credential);
  }
}

function userOf({ name, password }: User): KnownUser {
  return {
    name: binaryString(name),
    rights: undefined,
    credential: `${binaryString(name)}:${binaryString(password)}`,
  };
}

/** Whether two texts differ, as bits of which none is set if they do not. */
function differences(kept: Uint8Array, given: Uint8Array): number {
  let bits = kept.length ^ given.length;
  for (let i = 0; i < MOST_BYTES; i++) bits |= (kept[i] ?? 0) ^ (given[i] ?? 0);
  return bits;
}
