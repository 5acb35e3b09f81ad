/**
 * A listener whose clients speak TLS and show no certificate, by `Deno.listenTls`.
 *
 * @module
 */

import { isShortage } from "../shortage.ts";
import type { Acceptor, Transport } from "../transport.ts";
import type { Certificates } from "./certificates.ts";
import type { Handshakes } from "./handshakes.ts";
import { ReadyQueue } from "./ready.ts";

/** What a listener on TLS needs. */
export interface TlsAddress {
  readonly hostname: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Connections that may wait to be accepted. */
  readonly backlog: number;
}

/** What accepts TLS connections, and can take other certificates while it listens. */
export interface TlsAcceptor extends Acceptor {
  readonly addr: Deno.NetAddr;
  /** New connections are shown these certificates from now on; those that are open stay as they are. */
  renew(certificates: Certificates): Promise<void>;
}

/** While nothing can be accepted for want of descriptors, in milliseconds. */
const PAUSE = 100;
/** Tries to find a free port. */
const TRIES = 5;

/** A socket that is listened on; there are two for a moment when certificates are renewed. */
interface Socket {
  readonly listener: Deno.TlsListener;
  isClosed: boolean;
  /** Goes on where it waits for room. */
  wake: () => void;
  /** Resolves when nothing more is accepted from it. */
  ended: Promise<void>;
}

/** Accepts TLS connections, with their handshakes done. */
export class TlsListener implements TlsAcceptor {
  readonly addr: Deno.NetAddr;
  readonly #backlog: number;
  readonly #handshakes: Handshakes;
  readonly #ready = new ReadyQueue();
  #socket: Socket;

  private constructor(listener: Deno.TlsListener, backlog: number, handshakes: Handshakes) {
    this.#backlog = backlog;
    this.#handshakes = handshakes;
    this.addr = listener.addr as Deno.NetAddr;
    this.#socket = this.#run(listener);
  }

  /** Throws as `Deno.listen` does where the address cannot be listened on. */
  static open(
    address: TlsAddress,
    certificates: Certificates,
    handshakes: Handshakes,
  ): TlsListener {
    for (let i = 1;; i++) {
      // A second socket takes the first one's place when certificates are renewed. It may, with
      // `SO_REUSEPORT`; another server may not share the port, which a socket without that finds out.
      const probe = Deno.listen({ hostname: address.hostname, port: address.port });
      const { port } = probe.addr;
      probe.close();
      try {
        const listener = listenTls({ ...address, port }, certificates);
        return new TlsListener(listener, address.backlog, handshakes);
      } catch (error) {
        // A free port may have been taken meanwhile.
        if (address.port !== 0 || i === TRIES) throw error;
      }
    }
  }

  accept(): Promise<Transport> {
    return this.#ready.accept();
  }

  async renew(certificates: Certificates): Promise<void> {
    const { hostname, port } = this.addr;
    const before = this.#socket;
    this.#socket = this.#run(listenTls({ hostname, port, backlog: this.#backlog }, certificates));
    // What came to the old socket until now is taken from it before it is closed.
    await new Promise((resolve) => setTimeout(resolve, 1));
    closeSocket(before);
    // The system knows of one socket only when nothing waits for the old one any more.
    await before.ended;
  }

  close(): void {
    closeSocket(this.#socket);
    this.#ready.close();
  }

  #run(listener: Deno.TlsListener): Socket {
    const socket = { listener, isClosed: false, wake: () => {}, ended: Promise.resolve() };
    socket.ended = this.#acceptFrom(socket);
    return socket;
  }

  /** Accepts from one socket until it is closed: as many as there is room for, others wait in the system's queue. */
  async #acceptFrom(socket: Socket): Promise<void> {
    while (!socket.isClosed) {
      const room = this.#ready.room() ?? this.#handshakes.room();
      if (room !== undefined) {
        await new Promise<void>((resolve) => {
          socket.wake = resolve;
          room.then(resolve);
        });
        continue;
      }
      try {
        void this.#shake(await socket.listener.accept());
      } catch (error) {
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
          return;
        }
        // The system has no descriptor at the moment; or only the client has gone.
        if (isShortage(error)) await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    }
  }

  async #shake(conn: Deno.TlsConn): Promise<void> {
    const handshake = this.#handshakes.begin(() => close(conn));
    try {
      await conn.handshake();
      handshake.end();
      this.#ready.add(conn);
    } catch {
      // Scans, plain text and clients that go away are no news.
      this.#handshakes.fail();
      handshake.end();
      close(conn);
    }
  }
}

function listenTls(
  { hostname, port, backlog }: TlsAddress,
  { chain, key }: Certificates,
): Deno.TlsListener {
  return Deno.listenTls({
    hostname,
    port,
    tcpBacklog: backlog,
    reusePort: true,
    cert: chain,
    key,
  });
}

function closeSocket(socket: Socket): void {
  socket.isClosed = true;
  socket.listener.close();
  socket.wake();
}

function close(conn: Deno.TlsConn): void {
  try {
    conn.close();
  } catch {
    // It was closed when its time was over.
  }
}
