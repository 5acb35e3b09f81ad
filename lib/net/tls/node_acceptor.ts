/**
 * TCP connections by `node:net`, which `node:tls` can encrypt.
 *
 * A server of Deno 2.9.6's `node:net` accepts nothing any more, and says nothing, once it had no descriptor for a
 * connection. So the last descriptor is never left to one; and where others have taken it, another server takes
 * the place of this one as soon as there are descriptors again.
 *
 * @module
 */

import type { Server, Socket } from "node:net";
import { freeDescriptors } from "../free_descriptors.ts";

/** Milliseconds between two looks whether there are descriptors. */
const LOOK = 1000;

/** Where it listens. */
export interface NodeAddress {
  readonly host: string;
  readonly port: number;
  readonly backlog: number;
}

/** A server that accepts as long as it is open. */
export class NodeAcceptor {
  readonly addr: Deno.NetAddr;
  readonly #address: NodeAddress;
  readonly #arrived: (socket: Socket) => void;
  readonly #timer: ReturnType<typeof setInterval>;
  #server: Server;
  /** Whether there was no descriptor since this server listens. */
  #wasShort = false;
  #isOpening = false;
  #isClosed = false;

  private constructor(server: Server, address: NodeAddress, arrived: (socket: Socket) => void) {
    const { address: hostname, port } = server.address() as { address: string; port: number };
    this.addr = { transport: "tcp", hostname, port };
    this.#address = { ...address, port };
    this.#arrived = arrived;
    this.#server = this.#take(server);
    this.#timer = setInterval(() => this.#look(), LOOK);
    Deno.unrefTimer(Number(this.#timer));
  }

  /**
   * Rejects as `Deno.listen` throws where the address cannot be listened on.
   *
   * @param arrived is told each connection, which is not read yet
   */
  static async open(
    address: NodeAddress,
    arrived: (socket: Socket) => void,
  ): Promise<NodeAcceptor> {
    return new NodeAcceptor(await listen(address), address, arrived);
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#server.close();
  }

  #take(server: Server): Server {
    server.on("error", () => {});
    server.on("connection", (socket: Socket) => {
      if (freeDescriptors(1) === 1) return this.#arrived(socket);
      this.#wasShort = true;
      socket.destroy();
    });
    return server;
  }

  #look(): void {
    if (freeDescriptors(1) === 0) this.#wasShort = true;
    else if (this.#wasShort && !this.#isOpening) void this.#openAnother();
  }

  async #openAnother(): Promise<void> {
    this.#isOpening = true;
    this.#server.close();
    try {
      const server = await listen(this.#address);
      this.#server = this.#take(server);
      this.#wasShort = false;
      if (this.#isClosed) server.close();
    } catch {
      // The next look tries it again.
    }
    this.#isOpening = false;
  }
}

async function listen({ host, port, backlog }: NodeAddress): Promise<Server> {
  const { createServer } = await import("node:net");
  const server = createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error & { code?: string }) => reject(problemOf(error));
    server.once("error", failed);
    server.listen({ host, port, backlog }, () => {
      server.off("error", failed);
      resolve();
    });
  });
  return server;
}

/** The error as Deno's own listeners throw it. */
function problemOf(error: Error & { code?: string }): Error {
  if (error.code === "EADDRINUSE") return new Deno.errors.AddrInUse(error.message);
  if (error.code === "EADDRNOTAVAIL") return new Deno.errors.AddrNotAvailable(error.message);
  if (error.code === "EACCES") return new Deno.errors.PermissionDenied(error.message);
  return error;
}
