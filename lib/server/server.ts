/**
 * The server's life: listeners and their connections, from ready to drained.
 *
 * @module
 */

import { bytesOf } from "../bytes.ts";
import type { Context } from "../commands/context.ts";
import type { Figure } from "../protocol/message.ts";
import { Rounds } from "../rounds.ts";
import { Connection, type Surroundings } from "./connection.ts";

/** What a client is told for whom there is no room (memcached's words). */
const TOO_MANY = bytesOf("ERROR Too many open connections\r\n");
/** How long clients may take to receive what is owed to them, in milliseconds. */
const DRAIN_TIME = 8000;
/** How long to wait when the system has no descriptor for another connection, in milliseconds. */
const ACCEPT_PAUSE = 100;

/** How a server treats its connections. */
export interface Policy {
  /** Close connections that have been silent for so long, in seconds; 0 for never. */
  readonly idleTimeout: number;
}

/** Who a connection is, for `stats conns`. */
interface Ends {
  readonly number: number;
  readonly addr: string;
  readonly listenAddr: string;
}

/** Serves connections from any number of listeners. */
export class Server implements Surroundings {
  /** Seconds since the start. */
  ticks = 0;
  readonly rounds = new Rounds();
  private readonly listeners: Deno.Listener[] = [];
  private readonly connections = new Map<Connection, Ends>();
  private readonly timer: ReturnType<typeof setInterval>;
  private draining = false;

  constructor(private readonly context: Context, private readonly policy: Policy) {
    this.timer = setInterval(() => this.tick(), 1000);
  }

  /** Connections open now. */
  get size(): number {
    return this.connections.size;
  }

  /** The lines of memcached's `stats conns`, under the number of the connection. */
  describe(): Figure[] {
    const figures: Figure[] = [];
    for (const [connection, { number, addr, listenAddr }] of this.connections) {
      figures.push(
        [`${number}:addr`, addr],
        [`${number}:listen_addr`, listenAddr],
        [`${number}:state`, connection.isReading ? "conn_read" : "conn_parse_cmd"],
        [`${number}:secs_since_last_cmd`, this.ticks - connection.active],
      );
    }
    return figures;
  }

  /** Accepts connections until the server ends. Never rejects. */
  async accept(listener: Deno.Listener): Promise<void> {
    this.listeners.push(listener);
    while (!this.draining) {
      try {
        for await (const conn of listener) this.admit(conn);
      } catch (error) {
        if (this.draining) return;
        this.context.log(`cannot accept a connection: ${error}`);
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE));
      }
    }
  }

  /**
   * Stops: no new connections, what was read is answered, then every connection is closed. Clients
   * that do not take their answers are not waited for longer than some seconds.
   */
  async drain(): Promise<void> {
    this.draining = true;
    clearInterval(this.timer);
    for (const listener of this.listeners) listener.close();
    for (const connection of this.connections.keys()) connection.end();
    const deadline = Date.now() + DRAIN_TIME;
    while (this.connections.size > 0 && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const connection of this.connections.keys()) connection.close();
  }

  private admit(conn: Deno.Conn): void {
    const { counters, maxConnections } = this.context;
    if (this.connections.size >= maxConnections) {
      counters.rejected_connections++;
      conn.write(TOO_MANY).catch(() => {}).finally(() => conn.close());
      return;
    }
    counters.total_connections++;
    // Each batch is one write, so there is nothing to gain from holding small packets back.
    if ("setNoDelay" in conn) (conn as Deno.TcpConn).setNoDelay();
    // As memcached: the system finds out that the other end is gone, and what lies between two silent
    // ends is reminded of them, at the pace of `net.ipv4.tcp_keepalive_time`.
    if ("setKeepAlive" in conn) (conn as Deno.TcpConn).setKeepAlive();
    const connection = new Connection(conn, this.context, this);
    this.connections.set(connection, {
      number: counters.total_connections,
      addr: addressOf(conn.remoteAddr),
      listenAddr: addressOf(conn.localAddr),
    });
    connection.serve().finally(() => this.connections.delete(connection));
  }

  private tick(): void {
    this.ticks++;
    const { idleTimeout } = this.policy;
    if (idleTimeout === 0) return;
    for (const connection of this.connections.keys()) {
      if (this.ticks - connection.active <= idleTimeout) continue;
      this.context.counters.idle_kicks++;
      connection.close();
    }
  }
}

function addressOf(addr: Deno.Addr): string {
  if (addr.transport !== "tcp") return `unix:${"path" in addr ? addr.path ?? "" : ""}`;
  return addr.hostname.includes(":")
    ? `tcp6:[${addr.hostname}]:${addr.port}`
    : `tcp:${addr.hostname}:${addr.port}`;
}
