/**
 * A listener whose clients may, or must, show certificates; and one that takes TLS 1.3 alone. Both by
 * `node:tls`, as `Deno.listenTls` overlooks what asks for them.
 *
 * @module
 */

import type { Server, TLSSocket } from "node:tls";
import type { Socket } from "node:net";
import { freeDescriptors } from "../free_descriptors.ts";
import type { Transport } from "../transport.ts";
import type { Certificates } from "./certificates.ts";
import { namesOf } from "./der.ts";
import type { Handshake, Handshakes } from "./handshakes.ts";
import type { TlsAcceptor, TlsAddress } from "./listener.ts";
import { NodeAcceptor } from "./node_acceptor.ts";
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

/** Descriptors that those who wait leave to others. */
const SPARED = 32;
/** Below 0 there is no timer; 0 would be the usual two minutes. */
const NO_TIMEOUT = -1;

/** Accepts TLS connections whose handshakes are done and whose certificates are checked. */
export class MutualTlsListener implements TlsAcceptor {
  readonly addr: Deno.NetAddr;
  readonly #acceptor: NodeAcceptor;
  /** Makes the handshakes. */
  readonly #server: Server;
  readonly #handshakes: Handshakes;
  readonly #demands: Demands;
  readonly #backlog: number;
  readonly #ready = new ReadyQueue();
  /** The handshakes under way, by the client's address and port. */
  readonly #shaking = new Map<string, Handshake>();
  /** Those whose handshakes have yet to begin: `node:net` does not leave them in the system's queue, so it is here. */
  readonly #waiting: Socket[] = [];
  #isLeading = false;
  #certificates: Certificates;

  private constructor(
    acceptor: NodeAcceptor,
    server: Server,
    certificates: Certificates,
    demands: Demands,
    backlog: number,
    handshakes: Handshakes,
  ) {
    this.#acceptor = acceptor;
    this.#server = server;
    this.addr = acceptor.addr;
    this.#certificates = certificates;
    this.#demands = demands;
    this.#backlog = backlog;
    this.#handshakes = handshakes;
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
    const acceptor = await NodeAcceptor.open(
      { host: hostname, port, backlog },
      (socket) => listener.#arrive(socket),
    );
    const listener = new MutualTlsListener(
      ...[acceptor, server, certificates, demands, backlog, handshakes] as const,
    );
    return listener;
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
    this.#acceptor.close();
    for (const socket of this.#waiting.splice(0)) socket.destroy();
    this.#ready.close();
  }

  #arrive(socket: Socket): void {
    socket.on("error", () => {});
    const isFull = this.#waiting.length >= this.#backlog ||
      this.#waiting.length > 0 && freeDescriptors(SPARED) < SPARED;
    if (isFull) return void socket.destroy();
    this.#waiting.push(socket);
    if (!this.#isLeading) void this.#lead();
  }

  /** Begins the handshakes of those that wait, as there is room for them. */
  async #lead(): Promise<void> {
    this.#isLeading = true;
    while (this.#waiting.length > 0) {
      const room = this.#ready.room() ?? this.#handshakes.room();
      if (room !== undefined) {
        await room;
        continue;
      }
      const socket = this.#waiting.shift()!;
      if (socket.destroyed) continue;
      this.#begin(socket);
      this.#server.emit("connection", socket);
    }
    this.#isLeading = false;
  }

  #begin(socket: Socket): void {
    const name = nameOf(socket);
    const handshake = this.#handshakes.begin(() => {
      this.#end(name);
      socket.destroy();
    });
    this.#shaking.set(name, handshake);
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
