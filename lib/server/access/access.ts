/**
 * Who may come in, and how: TLS and users of one server, and how they change while it runs.
 *
 * @module
 */

import type { Session } from "../../commands/session.ts";
import { counted } from "../../counted.ts";
import { Exit, ExitError } from "../../errors.ts";
import type { Say } from "../../log_level.ts";
import { CertificateError, Tls } from "../../net/tls/mod.ts";
import type { Counters } from "../../observe/counters.ts";
import type { Figure } from "../../protocol/outcome.ts";
import type { Configuration } from "../configuration.ts";
import type { Encryption, Place } from "../listen.ts";
import { authorityProblem } from "../tls_options.ts";
import { auditLine, AuditLog } from "./audit.ts";
import type { UserDirectory } from "./directory.ts";
import { type Reach, reachOf } from "./exposure.ts";
import { modeProblem } from "./file_mode.ts";
import { HashedUsers } from "./hashed_users.ts";
import { PasswordFile } from "./password_file.ts";

/** A certificate that ends sooner than this is warned of, in milliseconds: 14 days. */
const SOON = 14 * 24 * 3600 * 1000;

/** How often a server that runs on looks at its certificate, in milliseconds: once a day. */
const LOOK = 24 * 3600 * 1000;

/** A connection, as far as its user matters. */
export interface Member {
  readonly session: Session;
  end(): void;
}

/** TLS and users. */
export class Access {
  readonly users: UserDirectory | undefined;
  readonly tls: Tls | undefined;
  readonly audit: AuditLog;
  /** Who can reach a listener at which nobody has to show who they are. */
  openTo: Reach = "loopback";
  readonly #configuration: Configuration;
  readonly #log: Say;
  #looks: ReturnType<typeof setInterval> | undefined;

  /**
   * Reads what the options name.
   *
   * @throws {ExitError} with a sentence where that cannot be used
   */
  constructor(configuration: Configuration, counters: Counters, log: Say) {
    const { tls } = configuration;
    this.#configuration = configuration;
    this.#log = log;
    this.audit = new AuditLog((line, more) => log(auditLine(line, more), "notice"));
    this.users = openUsers(configuration);
    this.#warnOfMode();
    if (tls === undefined) return;
    try {
      this.tls = new Tls(tls, () => counters.ssl_handshake_errors++);
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      throw new ExitError(error.message, Exit.usage);
    }
    const problem = authorityProblem(configuration.endpoints, tls);
    if (problem !== undefined) log(problem);
    this.#warnOfExpiry();
    this.#looks = setInterval(() => this.#warnOfExpiry(), LOOK);
    Deno.unrefTimer(Number(this.#looks));
  }

  /** What listeners encrypt with, where they do. */
  get encryption(): Encryption | undefined {
    const { tls } = this.#configuration;
    return this.tls === undefined ? undefined : { by: this.tls, choice: tls! };
  }

  /**
   * Warns of listeners that a network reaches and at which nobody has to show who they are.
   *
   * @throws {ExitError} 64 where everybody reaches one, and the options do not say that this is meant
   */
  guard(listening: readonly Place[]): void {
    if (this.users !== undefined) return;
    for (const { addr, address, policy } of listening) {
      if (addr.transport !== "tcp" || policy === "require") continue;
      const reach = reachOf(addr.hostname, addressesOfMachine);
      if (reach === "loopback") continue;
      if (reach === "public" && !this.#configuration.insecure) {
        throw new ExitError(
          `${address} can be reached from everywhere, and nobody would have to log in: give users ` +
            "(-Y FILE, --users FILE), ask for clients' certificates (-Z, mtls:), listen on a private " +
            "address (-l), or say that it is meant (--insecure)",
          Exit.usage,
        );
      }
      this.openTo = this.openTo === "public" ? "public" : reach;
      this.#log(
        `whoever reaches ${address} can read and change everything; give users (-Y FILE, --users ` +
          "FILE) or ask for clients' certificates (-Z, mtls:)",
      );
    }
  }

  /**
   * Reads the users again, where there are any; those that cannot be used change nothing, and it is said why.
   *
   * @returns how many connections this has ended; what is wrong with the users, where that is something
   */
  refreshUsers(members: () => Iterable<Member>): number | string {
    const { users } = this;
    if (users === undefined) return 0;
    const problem = users.reload();
    if (problem !== undefined) {
      this.#log(`the users stay as they are: ${problem}`);
      return problem;
    }
    this.#warnOfMode();
    let ended = 0;
    for (const member of members()) {
      const { session } = member;
      if (session.user === undefined) continue;
      const user = users.renew(session.user);
      if (user !== undefined) session.admit(user);
      else {
        ended++;
        member.end();
      }
    }
    this.#log(`read ${users.path} again: ${counted(users.size, "user")}`, "notice");
    return ended;
  }

  /** Says in the audit log that there are new users, and how many connections of all threads that has ended. */
  auditReload(ended: number): void {
    if (this.users === undefined) return;
    this.audit.event(`reload users=${this.users.size} connections_ended=${ended}`);
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
    const { tls, openTo } = this;
    return [
      ...tls === undefined ? [] : [["ssl_cert_ends", new Date(tls.expires).toISOString()] as const],
      ...openTo === "loopback" ? [] : [["open_to", openTo] as const],
    ];
  }

  close(): void {
    clearInterval(this.#looks);
    this.tls?.close();
  }

  #warnOfMode(): void {
    if (this.users === undefined) return;
    const problem = modeProblem(this.users.path);
    if (problem !== undefined) this.#log(problem.sentence);
  }

  #warnOfExpiry(): void {
    const { expires, subject } = this.tls!;
    const remaining = expires - Date.now();
    if (remaining > SOON) return;
    const when = new Date(expires).toISOString();
    this.#log(`the certificate of ${subject} ${remaining > 0 ? "ends" : "has ended"} at ${when}`);
  }
}

function openUsers({ authFile, users }: Configuration): UserDirectory | undefined {
  if (users !== undefined) return new HashedUsers(users);
  return authFile === undefined ? undefined : new PasswordFile(authFile);
}

function addressesOfMachine(): string[] {
  return Deno.networkInterfaces().map(({ address }) => address);
}
