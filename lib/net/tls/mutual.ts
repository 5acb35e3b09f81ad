/**
 * A listener whose clients may, or must, show certificates; and one that takes TLS 1.3 alone. Both by
 * `node:tls`, as `Deno.listenTls` overlooks what asks for them.
 *
 * @module
 */

import type { Server, TLSSocket } from "node:tls";
import type { Socket } from "node:net";
import type { Transport } from "../transport.ts";
import type { Certificates } from "./certificates.ts";
import { namesOf } from "./der.ts";
import type { Handshake, Handshakes } from "./handshakes.ts";
import type { TlsAcceptor, TlsAddress } from "./listener.ts";
import { NodeTransport } from "./node_transport.ts";
import { checkedPeer, type ShownCertificate } from "./peer.ts";
import { ReadyQueue } from "./ready.ts";

/** What is asked of a client's certificate: nothing, that it is good if there is one, or that there is one. */
export type PeerPolicy = "none" | "request" | "require";

/** What a listener by `node:tls` asks of its clients. */
export interface Demands {
  readonly peer: PeerPolicy;
  /** Whether TLS 1.2 is refused. */
  readonly onlyTls13: boolean;
}

/** Below 0 there is no timer; 0 would be the usual two minutes. */
const NO_TIMEOUT = -1;

/** Accepts TLS connections whose handshakes are done and whose certificates are checked. */
export class MutualTlsListener implements TlsAcceptor {
  readonly addr: Deno.NetAddr;
  readonly #server: Server;
  readonly #handshakes: Handshakes;
  readonly #demands: Demands;
  readonly #ready = new ReadyQueue();
  /** The handshakes under way, by the client's address and port. */
  readonly #shaking = new Map<string, Handshake>();
  #certificates: Certificates;

  private constructor(
    server: Server,
    addr: Deno.NetAddr,
    certificates: Certificates,
    demands: Demands,
    handshakes: Handshakes,
  ) {
    this.#server = server;
    this.addr = addr;
    this.#certificates = certificates;
    this.#demands = demands;
    this.#handshakes = handshakes;
    server.on("connection", (socket: Socket) => this.#begin(socket));
    server.on("secureConnection", (socket: TLSSocket) => this.#admit(socket));
    server.on("tlsClientError", (_: Error, socket: TLSSocket) => {
      this.#handshakes.fail();
      socket.destroy();
    });
    server.on("error", () => {});
  }

  /** Rejects as `Deno.listen` throws where the address cannot be listened on. */
  static async open(
    { hostname, port, backlog }: TlsAddress,
    certificates: Certificates,
    demands: Demands,
    handshakes: Handshakes,
  ): Promise<MutualTlsListener> {
    const { createServer } = await import("node:tls");
    const server = createServer({
      ...contextOf(certificates, demands),
      requestCert: demands.peer !== "none",
      rejectUnauthorized: demands.peer === "require",
      // None of its own: Deno 2.9.6 does not end it with a handshake that fails, so that it would keep each
      // for two minutes, and 25 KB with it. `Handshakes` ends those that take too long.
      handshakeTimeout: NO_TIMEOUT,
    });
    await new Promise<void>((resolve, reject) => {
      const failed = (error: Error & { code?: string }) => reject(problemOf(error));
      server.once("error", failed);
      server.listen({ host: hostname, port, backlog }, () => {
        server.off("error", failed);
        resolve();
      });
    });
    const address = server.address() as { address: string; port: number };
    const addr = { transport: "tcp", hostname: address.address, port: address.port } as const;
    return new MutualTlsListener(server, addr, certificates, demands, handshakes);
  }

  accept(): Promise<Transport> {
    return this.#ready.accept();
  }

  renew(certificates: Certificates): Promise<void> {
    this.#server.setSecureContext(contextOf(certificates, this.#demands));
    this.#certificates = certificates;
    return Promise.resolve();
  }

  close(): void {
    this.#server.close();
    this.#ready.close();
  }

  #begin(socket: Socket): void {
    const name = nameOf(socket);
    const handshake = this.#handshakes.begin(() => {
      this.#end(name);
      socket.destroy();
    });
    this.#shaking.set(name, handshake);
    socket.on("error", () => {});
    socket.once("close", () => this.#end(name, handshake));
  }

  #end(name: string, handshake = this.#shaking.get(name)): void {
    handshake?.end();
    if (this.#shaking.get(name) === handshake) this.#shaking.delete(name);
  }

  #admit(socket: TLSSocket): void {
    this.#end(nameOf(socket));
    const { remoteAddress, remotePort, localAddress, localPort } = socket;
    socket.on("error", () => {});
    if (remoteAddress === undefined || localAddress === undefined) return void socket.destroy();
    let names: readonly string[] | undefined;
    if (this.#demands.peer !== "none") {
      const shown = shownBy(socket);
      const peer = checkedPeer(shown, this.#certificates.authorities, Date.now());
      const isMissing = shown === undefined && this.#demands.peer === "request";
      if (!isMissing && (peer === undefined || !socket.authorized)) {
        this.#handshakes.fail();
        return void socket.destroy();
      }
      if (peer !== undefined) names = namesOf(peer);
    }
    this.#ready.add(
      new NodeTransport(
        socket,
        { transport: "tcp", hostname: remoteAddress, port: remotePort! },
        { transport: "tcp", hostname: localAddress, port: localPort! },
        names,
      ),
    );
  }
}

function contextOf({ chain, key, ca }: Certificates, { onlyTls13 }: Demands) {
  return {
    cert: chain,
    key,
    ...ca === undefined ? {} : { ca: [ca] },
    minVersion: onlyTls13 ? "TLSv1.3" as const : "TLSv1.2" as const,
  };
}

/** The certificate that a client has shown, if any. */
function shownBy(socket: TLSSocket): ShownCertificate | undefined {
  const shown = socket.getPeerCertificate(true) as ShownCertificate | null | undefined;
  return shown?.raw === undefined ? undefined : shown;
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** The error as Deno's own listeners throw it. */
function problemOf(error: Error & { code?: string }): Error {
  if (error.code === "EADDRINUSE") return new Deno.errors.AddrInUse(error.message);
  if (error.code === "EADDRNOTAVAIL") return new Deno.errors.AddrNotAvailable(error.message);
  if (error.code === "EACCES") return new Deno.errors.PermissionDenied(error.message);
  return error;
}
