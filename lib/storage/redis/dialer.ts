/**
 * The socket of a connection, by ioredis's own interface for it: a `Connector` makes a socket each
 * time that ioredis connects. That it is made here is what lets a whole batch be written to it.
 *
 * @module
 */

import { connect, type Socket } from "node:net";
import { Socket as UnconnectedSocket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { AbstractConnector } from "ioredis";
import { causeOf } from "./failure.ts";
import type { Sentinels } from "./sentinels.ts";

/** Where one Redis is. */
export interface Place {
  readonly host: string;
  readonly port: number;
  /** The Unix socket, which comes before host and port. */
  readonly path?: string;
  /** Who tells the address; it comes before all others. */
  readonly sentinels?: Sentinels;
}

/** Makes one socket after another to a place. */
export class Dialer extends AbstractConnector {
  /** Where the last socket leads. */
  #host = "";
  #port = 0;
  #tcp: Socket | undefined;
  readonly #place: Place;
  readonly #tls: ConnectionOptions | undefined;

  /** @param ending how long a socket that is given up may take to end, in milliseconds */
  constructor(place: Place, tls: ConnectionOptions | undefined, ending: number) {
    super(ending);
    this.#place = place;
    this.#tls = tls;
  }

  /** Whether bytes can be written. */
  get isWritable(): boolean {
    return this.#tcp?.writable ?? false;
  }

  write(bytes: Uint8Array): void {
    this.#tcp!.write(bytes);
  }

  /** Whether the socket leads to that address. */
  leadsTo(host: string, port: number): boolean {
    return this.#host === host && this.#port === port;
  }

  /** For ioredis. It never rejects: ioredis would not try again. */
  override async connect(): Promise<Socket> {
    this.connecting = true;
    this.firstError = undefined;
    let socket: Socket;
    try {
      const { path, sentinels } = this.#place;
      const { host, port } = await sentinels?.master() ?? this.#place;
      this.#host = host;
      this.#port = port;
      if (!this.connecting) throw new Error("the connection is closed");
      const target = path === undefined ? { host, port } : { path };
      socket = this.#tls === undefined
        ? connect(target)
        : connectTls({ ...target, ...this.#tls }) as Socket;
      socket.once("error", (error: Error) => this.firstError ??= error);
    } catch (error) {
      this.firstError = new Error(causeOf(error));
      socket = new UnconnectedSocket();
      socket.destroy();
    }
    this.stream = socket;
    this.#tcp = socket;
    return socket;
  }
}
