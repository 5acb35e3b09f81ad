/**
 * The TLS of a server: its certificates, its listeners, and how they come by new certificates.
 *
 * @module
 */

import { messageOf } from "../../errors.ts";
import {
  CertificateError,
  type CertificateFiles,
  type Certificates,
  readCertificates,
} from "./certificates.ts";
import { Handshakes, MOST_HANDSHAKES } from "./handshakes.ts";
import { type TlsAcceptor, type TlsAddress, TlsListener } from "./listener.ts";
import { MutualTlsListener, type PeerPolicy } from "./mutual.ts";

export type { PeerPolicy, TlsAcceptor };
export { CertificateError };

/** How a server speaks TLS. */
export interface TlsSettings extends CertificateFiles {
  /** Whether TLS 1.2 is refused. */
  readonly onlyTls13: boolean;
}

/** TLS for one server. */
export class Tls {
  readonly #settings: TlsSettings;
  readonly #handshakes: Handshakes;
  readonly #listeners: TlsAcceptor[] = [];
  #certificates: Certificates;
  #refreshed: number;
  #renewing: Promise<void> = Promise.resolve();
  #isClosed = false;

  /**
   * @param failed counts a handshake that came to nothing
   * @throws {CertificateError} where the certificates cannot be used
   */
  constructor(settings: TlsSettings, failed: () => void) {
    this.#settings = settings;
    this.#certificates = readCertificates(settings);
    this.#handshakes = new Handshakes(failed);
    this.#refreshed = performance.now();
  }

  /** Handshakes that may be under way. */
  readonly mostHandshakes = MOST_HANDSHAKES;

  /** Handshakes under way. */
  get handshakes(): number {
    return this.#handshakes.size;
  }

  /** When the certificate of the server ends, in milliseconds since 1970. */
  get expires(): number {
    return this.#certificates.expires;
  }

  /** Whose the certificate is. */
  get subject(): string {
    return this.#certificates.subject;
  }

  /** Whole seconds since the certificates were read. */
  get age(): number {
    return Math.floor((performance.now() - this.#refreshed) / 1000);
  }

  /** Listens; rejects as `Deno.listen` throws. */
  async listen(address: TlsAddress, peer: PeerPolicy): Promise<TlsAcceptor> {
    const { onlyTls13 } = this.#settings;
    const listener = peer === "none" && !onlyTls13
      ? TlsListener.open(address, this.#certificates, this.#handshakes)
      : await MutualTlsListener.open(
        address,
        this.#certificates,
        { peer, onlyTls13 },
        this.#handshakes,
      );
    this.#listeners.push(listener);
    return listener;
  }

  /**
   * Reads the files again. New connections are shown what is in them; those that are open keep theirs.
   *
   * @throws {CertificateError} where the new certificates cannot be used: the old ones stay. Where the system
   * has nothing for another socket, those of some listeners may be new
   */
  renew(): Promise<void> {
    const renewing = this.#renewing.then(async () => {
      const certificates = readCertificates(this.#settings);
      for (const listener of this.#listeners) {
        // A listener that is closed must not listen again.
        if (this.#isClosed) return;
        try {
          await listener.renew(certificates);
        } catch (error) {
          const { hostname, port } = listener.addr;
          throw new CertificateError(
            `cannot listen on ${hostname} port ${port} with new certificates: ${messageOf(error)}`,
          );
        }
      }
      this.#certificates = certificates;
      this.#refreshed = performance.now();
    });
    // One after the other; each caller learns of its own.
    this.#renewing = renewing.catch(() => {});
    return renewing;
  }

  /** Ends the handshakes that are under way; listeners are closed by who accepts from them. */
  close(): void {
    this.#isClosed = true;
    this.#handshakes.close();
  }
}
