/**
 * Google's credentials as a request header, by the Google Cloud Storage library's own way to find
 * them (application default credentials: cloud.google.com/docs/authentication/application-default-credentials).
 *
 * @module
 */

import { messageOf, StoreError } from "../../errors.ts";

/** The part of the library's auth client that is used. */
interface AuthClient {
  getRequestHeaders(): Promise<Headers | Record<string, string>>;
}

/** How long a header is used before the library is asked again; it keeps the token, not we. */
const kept = 60_000;

/** Gives the `Authorization` header. */
export class Credentials {
  #client: AuthClient;
  #header: string | undefined;
  #until = 0;
  #asking: Promise<string> | undefined;

  private constructor(client: AuthClient) {
    this.#client = client;
  }

  /**
   * Finds the credentials.
   *
   * @throws {StoreError} where there are none, or Google does not take them.
   */
  static async find(): Promise<Credentials> {
    const credentials = new Credentials(await newClient());
    await credentials.authorization();
    return credentials;
  }

  /**
   * The header's value, at once where it is known.
   *
   * @throws {StoreError} where a new token is needed and cannot be had.
   */
  authorization(): string | Promise<string> {
    if (this.#header !== undefined && performance.now() < this.#until) return this.#header;
    return this.#asking ??= this.#ask().finally(() => this.#asking = undefined);
  }

  /** The service no longer takes the token: the next request gets a new one. */
  renew(): void {
    this.#header = undefined;
  }

  async #ask(): Promise<string> {
    try {
      // A client whose token was refused would go on to give that one out: take another client.
      if (this.#header === undefined && this.#until > 0) this.#client = await newClient();
      const headers = new Headers(await this.#client.getRequestHeaders());
      this.#header = headers.get("authorization") ?? "";
      this.#until = performance.now() + kept;
      return this.#header;
    } catch (error) {
      throw new StoreError(
        `There are no Google credentials that work: ${messageOf(error).split("\n")[0]}`,
      );
    }
  }
}

async function newClient(): Promise<AuthClient> {
  const { Storage } = await import("@google-cloud/storage");
  // Objects need no project. Left to look for one, the library may ask a service that refuses.
  return new Storage({ projectId: "kvs" }).authClient;
}
