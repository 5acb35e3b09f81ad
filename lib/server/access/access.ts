/**
 * Who may come in, and how: TLS and users of one server, and how they change while it runs.
 *
 * @module
 */

import { Exit, ExitError } from "../../errors.ts";
import type { Say } from "../../log_level.ts";
import { CertificateError, Tls } from "../../net/tls/mod.ts";
import type { Counters } from "../../observe/counters.ts";
import type { Figure } from "../../protocol/outcome.ts";
import type { Configuration } from "../configuration.ts";
import type { Encryption } from "../listen.ts";
import { Users } from "../users.ts";

/** A certificate that ends sooner than this is warned of, in milliseconds: 14 days. */
const SOON = 14 * 24 * 3600 * 1000;

/** TLS and users. */
export class Access {
  readonly users: Users | undefined;
  readonly tls: Tls | undefined;
  readonly #configuration: Configuration;
  readonly #log: Say;

  /**
   * Reads what the options name.
   *
   * @throws {ExitError} with a sentence where that cannot be used
   */
  constructor(configuration: Configuration, counters: Counters, log: Say) {
    const { authFile, tls } = configuration;
    this.#configuration = configuration;
    this.#log = log;
    this.users = authFile === undefined ? undefined : new Users(authFile);
    if (tls === undefined) return;
    try {
      this.tls = new Tls(tls, () => counters.ssl_handshake_errors++);
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      throw new ExitError(error.message, Exit.usage);
    }
    this.#warnOfExpiry();
  }

  /** What listeners encrypt with, where they do. */
  get encryption(): Encryption | undefined {
    const { tls } = this.#configuration;
    return this.tls === undefined ? undefined : { by: this.tls, choice: tls! };
  }

  /** Reads certificates and users again; what cannot be used changes nothing, and is said. */
  async reload(): Promise<void> {
    const { users } = this;
    await this.refreshCertificates();
    if (users === undefined) return;
    const problem = users.reload();
    if (problem === undefined) {
      this.#log(`read ${users.path} again: ${users.size} users`, "notice");
    } else this.#log(`the users stay as they are: ${problem}`);
  }

  /** Reads the certificates again; what is wrong with them, if anything: then the old ones stay. */
  async refreshCertificates(): Promise<string | undefined> {
    const { tls } = this;
    if (tls === undefined) return undefined;
    try {
      await tls.renew();
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      this.#log(`the certificates stay as they are: ${error.message}`);
      return error.message;
    }
    const until = new Date(tls.expires).toISOString();
    this.#log(`read the certificates again: ${tls.subject}, until ${until}`, "notice");
    this.#warnOfExpiry();
    return undefined;
  }

  /** What `stats settings` has beside memcached's own lines, where there is something to say. */
  get settings(): Figure[] {
    const { tls } = this;
    return tls === undefined ? [] : [["ssl_cert_ends", new Date(tls.expires).toISOString()]];
  }

  close(): void {
    this.tls?.close();
  }

  #warnOfExpiry(): void {
    const { expires, subject } = this.tls!;
    const remaining = expires - Date.now();
    if (remaining > SOON) return;
    const when = new Date(expires).toISOString();
    this.#log(`the certificate of ${subject} ${remaining > 0 ? "ends" : "has ended"} at ${when}`);
  }
}
