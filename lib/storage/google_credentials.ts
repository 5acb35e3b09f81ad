/**
 * Google's access tokens, found by the Google Cloud Storage library's own way (application default
 * credentials: cloud.google.com/docs/authentication/application-default-credentials), and renewed in
 * the background while the one in use still holds.
 *
 * @module
 */

import type { Say } from "../log_level.ts";
import { messageOf, StoreError } from "../errors.ts";
import type { Awaitable } from "./contract.ts";

/** The part of the library's auth client that is used. */
interface AuthClient {
  getRequestHeaders(): Promise<Headers | Record<string, string>>;
  /** `expiry_date` in milliseconds since 1970. */
  readonly credentials: { readonly expiry_date?: number | null };
}

/**
 * How long before its end a token can be had anew, in milliseconds: the library and the metadata
 * server give out the same one until about then, which is no failure.
 */
const renewable = 5 * 60_000;

/** How long a token is relied on that does not say when it ends, in milliseconds. */
const kept = 60_000;

/** The pause between two attempts to renew, in milliseconds. */
const leastPause = 250;
const greatestPause = 15_000;

/** The greatest delay that a timer takes, in milliseconds. */
const greatestDelay = 2 ** 31 - 1;

/** Returns the access token that is in force. */
export class Credentials {
  readonly #log: Say;
  #client: AuthClient;
  #header: string | undefined;
  /** When the header ends, in milliseconds since 1970. */
  #ends = 0;
  #asking: Promise<string> | undefined;
  /** Whether the service refused the last header: the client would go on to give it out. */
  #refused = false;
  /** Whether the last renewal failed. */
  #failing = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  readonly #listeners: (() => void)[] = [];

  private constructor(client: AuthClient, log: Say) {
    this.#client = client;
    this.#log = log;
  }

  /**
   * Finds the credentials.
   *
   * @throws {StoreError} where there are none, or Google does not take them.
   */
  static async find(log: Say): Promise<Credentials> {
    const credentials = new Credentials(await newClient().catch(rethrow), log);
    await credentials.authorization();
    return credentials;
  }

  /**
   * The `Authorization` header's value, immediately where one is known that holds.
   *
   * @throws {StoreError} where a new token is needed and cannot be had.
   */
  authorization(): Awaitable<string> {
    if (this.#header !== undefined && Date.now() < this.#ends) return this.#header;
    return this.#ask();
  }

  /** The access token alone. */
  async token(): Promise<string> {
    return (await this.authorization()).replace(/^Bearer /, "");
  }

  /** Calls back whenever there is a new token. */
  onRenewal(call: () => void): void {
    this.#listeners.push(call);
  }

  /** The service does not take this header (any longer): the next request has a new one. */
  refuse(header: string): void {
    // Of many requests that were refused together the first brings about the new one.
    if (header !== this.#header) return;
    this.#header = undefined;
    this.#refused = true;
  }

  /** Renews no more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #ask(): Promise<string> {
    return this.#asking ??= this.#renew().catch(rethrow).finally(() => this.#asking = undefined);
  }

  async #renew(): Promise<string> {
    if (this.#refused) this.#client = await newClient();
    this.#refused = false;
    const headers = new Headers(await this.#client.getRequestHeaders());
    const header = headers.get("authorization") ?? "";
    const isNew = header !== this.#header;
    this.#header = header;
    this.#ends = this.#client.credentials.expiry_date ?? Date.now() + kept;
    if (this.#failing) this.#log("Google's access token can be renewed again", "notice");
    this.#failing = false;
    const remaining = this.#ends - Date.now();
    this.#schedule(remaining > renewable ? remaining - renewable + leastPause : remaining / 4);
    if (isNew) { for (const call of this.#listeners) call(); }
    return header;
  }

  #schedule(delay: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(
      () => this.#ask().catch((error) => this.#fail(error)),
      Math.min(greatestDelay, Math.max(leastPause, delay)),
    );
    Deno.unrefTimer(this.#timer);
  }

  #fail(error: Error): void {
    const remaining = this.#ends - Date.now();
    if (!this.#failing) {
      const left = Math.max(0, Math.round(remaining / 1000));
      this.#log(`Cannot renew Google's access token, which holds for ${left} s: ${error.message}`);
    }
    this.#failing = true;
    this.#schedule(Math.min(greatestPause, remaining > 0 ? remaining / 4 : greatestPause));
  }
}

function rethrow(error: unknown): never {
  const [line] = messageOf(error).split("\n");
  throw new StoreError(`There are no Google credentials that work: ${line.slice(0, 300)}`);
}

async function newClient(): Promise<AuthClient> {
  const { Storage } = await import("@google-cloud/storage");
  // Objects need no project. Left to look for one, the library may ask a service that refuses.
  return await new Storage({ projectId: "kvs" }).authClient.getClient() as AuthClient;
}
