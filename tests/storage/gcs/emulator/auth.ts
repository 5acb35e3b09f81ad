/**
 * Optional authentication: an OAuth 2 token endpoint, and what each token allows.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { anonymous, forbidden, invalidCredentials } from "./errors.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";

/** Who may do what. */
export interface AuthOptions {
  /** How long a token holds, in seconds. */
  readonly lifetime: number;
  /** The permissions of an account by its address, such as `storage.objects.get`. */
  readonly accounts: Readonly<Record<string, readonly string[]>>;
}

/** Gives out tokens and checks them. */
export class Auth {
  readonly #tokens = new Map<string, { account: string; until: number }>();

  constructor(readonly options: AuthOptions) {}

  /** How many tokens were given out. */
  issued = 0;
  /** Whether no more are given out. */
  suspended = false;

  /** Makes every token invalid that was given out so far. */
  revoke(): void {
    this.#tokens.clear();
  }

  /**
   * RFC 8693: a token in exchange for a subject token, which here is the account's address. (Of the
   * kinds of Google credentials only `external_account` lets a file name this address.)
   */
  token(request: HttpRequest): HttpResponse {
    const form = new URLSearchParams(Buffer.from(request.body).toString());
    const account = form.get("subject_token") ?? "";
    const headers = { "content-type": "application/json" };
    if (this.suspended || !(account in this.options.accounts)) {
      const body = {
        error: "invalid_grant",
        error_description: "Invalid grant: account not found",
      };
      return { status: 400, headers, body: JSON.stringify(body) };
    }
    const token = `ya29.${crypto.randomUUID()}`;
    this.issued++;
    this.#tokens.set(token, { account, until: Date.now() + this.options.lifetime * 1000 });
    const body = {
      access_token: token,
      issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
      token_type: "Bearer",
      expires_in: this.options.lifetime,
    };
    return { status: 200, headers, body: JSON.stringify(body) };
  }

  /** Throws 401 or 403 where the request's token does not allow this. */
  check(request: HttpRequest, permission: string): void {
    const token = request.headers.get("authorization")?.replace(/^Bearer /, "");
    if (token === undefined) throw anonymous(permission);
    const grant = this.#tokens.get(token);
    if (grant === undefined || grant.until < Date.now()) throw invalidCredentials();
    if (!this.options.accounts[grant.account].includes(permission)) {
      throw forbidden(grant.account, permission);
    }
  }
}
