/**
 * The users of a users file, and how a password is checked against a hash without stopping the server.
 *
 * @module
 */

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { User } from "../../commands/session.ts";
import { binaryString, bytesOf } from "../../bytes.ts";
import { Exit, ExitError, messageOf } from "../../errors.ts";
import type { KnownUser, UserDirectory } from "./directory.ts";
import { modeProblem } from "./file_mode.ts";
import { matches, parseHash, type PasswordHash } from "./scrypt.ts";
import { Turns } from "./turns.ts";
import { parseUserFile, type UserEntry } from "./user_file.ts";

/** What a guess at an unknown user is compared with where the file has no hash at all. */
const nobody = parseHash(`$scrypt$ln=15,r=8,p=1$${"A".repeat(22)}$${"A".repeat(43)}`)!;

/** Hashes that are made concurrently: half of the processors. */
const CONCURRENTLY = Math.max(1, Math.floor(navigator.hardwareConcurrency / 2));

/** Users whose passwords are known by hashes alone. */
export class HashedUsers implements UserDirectory {
  #entries = new Map<string, UserEntry>();
  #byCertificate = new Map<string, UserEntry>();
  /** How many hashes each check makes, so that its time says nothing of the user. */
  #most = 1;
  #example: PasswordHash = nobody;
  /**
   * For a hash whose password was given once, that password's keyed digest: clients that connect for every
   * page cost one hash, not one each. Only what was right stands here, so that guesses put nothing out.
   */
  readonly #known = new Map<string, Uint8Array>();
  readonly #key = randomBytes(32);
  readonly #turns = new Turns(CONCURRENTLY);

  /**
   * Reads a users file.
   *
   * @throws {ExitError} 1, as for a password file, if the file cannot be used
   */
  constructor(readonly path: string) {
    const problem = this.reload();
    if (problem !== undefined) throw new ExitError(problem, Exit.no);
  }

  get size(): number {
    return this.#entries.size;
  }

  reload(): string | undefined {
    let content: string;
    try {
      const mode = modeProblem(this.path);
      if (mode?.isError) return mode.sentence;
      content = Deno.readTextFileSync(this.path);
    } catch (error) {
      return `cannot read the users file '${this.path}': ${messageOf(error)}`;
    }
    const users = parseUserFile(content);
    if (typeof users === "string") return `the users file '${this.path}': ${users}`;
    // Names and what clients send are compared as bytes.
    this.#entries = new Map(users.map((user) => [binaryString(bytesOf(user.name)), user]));
    this.#byCertificate = new Map(
      users.flatMap((user) => user.certificates.map((name) => [name, user] as const)),
    );
    this.#most = Math.max(1, ...users.map(({ hashes }) => hashes.size));
    const hashes = users.flatMap((user) => [...user.hashes]);
    this.#example = hashes[0]?.[1] ?? nobody;
    const current = new Set(hashes.map(([text]) => text));
    for (const text of this.#known.keys()) if (!current.has(text)) this.#known.delete(text);
    return undefined;
  }

  check(
    name: Uint8Array,
    password: Uint8Array,
    address: string,
  ): User | undefined | Promise<User | undefined> {
    const entry = this.#entries.get(binaryString(name));
    const digest = createHmac("sha256", this.#key).update(password).digest();
    const known = this.#recall(entry, digest);
    if (known !== undefined) return known;
    // It is compared when its turn comes: by then the receive buffer holds other bytes.
    const kept = password.slice();
    return this.#turns.run(address, () => this.#compare(entry, kept, digest));
  }

  certified(names: readonly string[]): User | undefined {
    for (const name of names) {
      const entry = this.#byCertificate.get(name);
      if (entry !== undefined) return userOf(entry, certificateCredential(name));
    }
    return undefined;
  }

  renew(user: User): User | undefined {
    const { name, credential } = user as KnownUser;
    const entry = this.#entries.get(binaryString(bytesOf(name)));
    if (entry === undefined) return undefined;
    const holds = entry.hashes.has(credential) ||
      entry.certificates.some((name) => certificateCredential(name) === credential);
    return holds ? userOf(entry, credential) : undefined;
  }

  /** The user whose password with this digest was right before. */
  #recall(entry: UserEntry | undefined, digest: Uint8Array): KnownUser | undefined {
    for (const text of entry?.hashes.keys() ?? []) {
      const known = this.#known.get(text);
      if (known !== undefined && timingSafeEqual(known, digest)) return userOf(entry!, text);
    }
    return undefined;
  }

  async #compare(
    entry: UserEntry | undefined,
    password: Uint8Array,
    digest: Uint8Array,
  ): Promise<User | undefined> {
    // Many clients may log in together when they start: the first of them has hashed for all.
    const known = this.#recall(entry, digest);
    if (known !== undefined) return this.renew(known);
    const hashes = [...entry?.hashes ?? []];
    const most = this.#most;
    let found: string | undefined;
    for (let i = 0; i < most; i++) {
      const [text, hash] = hashes[i] ?? [undefined, this.#example];
      const isRight = await matches(password, hash);
      if (isRight && text !== undefined) found = text;
    }
    if (entry === undefined || found === undefined) return undefined;
    // The file may have been read again meanwhile.
    const now = this.#entries.get(binaryString(bytesOf(entry.name)));
    if (now === undefined || !now.hashes.has(found)) return undefined;
    this.#known.set(found, digest);
    return userOf(now, found);
  }
}

function userOf({ name, rights }: UserEntry, credential: string): KnownUser {
  return { name, rights, credential };
}

/** No hash looks like this. */
function certificateCredential(name: string): string {
  return `certificate ${name}`;
}
