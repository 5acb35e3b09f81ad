/**
 * The server's life: listeners and their connections, from ready to drained.
 *
 * @module
 */

import { bytesOf } from "../bytes.ts";
import type { Context } from "../commands/context.ts";
import type { Figure } from "../protocol/outcome.ts";
import { Rounds } from "../rounds.ts";
import { type CloseReason, Connection, type Surroundings } from "./connection.ts";
import type { Protocol } from "./endpoint.ts";

/** What a client is told for whom there is no room (memcached's words). */
const TOO_MANY = bytesOf("ERROR Too many open connections\r\n");
/** How long clients may take to receive what is owed to them, in milliseconds. */
const DRAIN_TIME = 8000;
/** How long to wait when the system has no descriptor for another connection, in milliseconds. */
const ACCEPT_PAUSE = 100;

/** What stands before an IPv4 address that a socket for all of IPv6 sees. */
const V4_IN_V6 = /^::ffff:(?=\d+\.)/;

/** How a server treats its connections. */
export interface Policy {
  /** Close connections that have been silent for so long, in seconds; 0 for never. */
  readonly idleTimeout: number;
  /**
   * Whether a connection too many is told so and closed (memcached's `maxconns_fast`). Otherwise it waits
   * in the system's queue until another one ends.
   */
  readonly rejects?: boolean;
}

/** A connection, and what has passed through it. */
export interface Talker {
  readonly addr: string;
  /** Bytes. */
  readonly received: number;
  readonly sent: number;
  /** Times that requests were read from it. */
  readonly batches: number;
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
  /** The second since 1970 of the last tick. */
  private second: number;
  readonly rounds = new Rounds();
  /** The listeners and the numbers under which `stats conns` shows them. */
  private readonly listeners = new Map<Deno.Listener, number>();
  private readonly connections = new Map<Connection, Ends>();
  private readonly timer: ReturnType<typeof setInterval>;
  private draining = false;
  /** The last number that a listener or connection was given, as memcached's are file descriptors. */
  private numbers = 0;
  /** Resolves when a connection has ended, where somebody waits for that. */
  private room: PromiseWithResolvers<void> | undefined;
  /** How often, and for how many milliseconds, no connection was accepted for want of room. */
  private readonly disabled = { count: 0, time: 0 };

  private readonly rejects: boolean;

  constructor(private readonly context: Context, private readonly policy: Policy) {
    this.rejects = policy.rejects ?? true;
    this.second = Math.floor(context.clock.now() / 1000);
    this.timer = setInterval(() => this.tick(), 1000);
  }

  /** The second since 1970, as of the last tick; a clock that tests move is asked each time. */
  get seconds(): number {
    const { debugClock } = this.context;
    return debugClock === undefined ? this.second : Math.floor(debugClock.now() / 1000);
  }

  /** Connections open now. */
  get size(): number {
    return this.connections.size;
  }

  /** Whether connections are accepted: not while one has no room and is not rejected either. */
  get isAccepting(): boolean {
    return this.room === undefined;
  }

  /** How often no connection was accepted for want of room, and for how many milliseconds. */
  get listenDisabled(): { readonly count: number; readonly time: number } {
    return this.disabled;
  }

  /** The lines of memcached's `stats conns`, under the number of the listener or connection. */
  describe(): Figure[] {
    const figures: Figure[] = [];
    for (const [{ addr }, number] of this.listeners) {
      figures.push(
        [`${number}:addr`, addressOf(addr)],
        [`${number}:state`, "conn_listening"],
        [`${number}:secs_since_last_cmd`, this.ticks],
      );
    }
    for (const [connection, { number, addr, listenAddr }] of this.connections) {
      figures.push(
        [`${number}:addr`, addr],
        [`${number}:listen_addr`, listenAddr],
        [`${number}:state`, connection.state],
        [`${number}:secs_since_last_cmd`, this.ticks - connection.active],
      );
    }
    return figures;
  }

  /** The connections that have moved the most bytes, so many at most. */
  talkers(most: number): Talker[] {
    const talkers = [...this.connections].map(([{ received, sent, batches }, { addr }]) => ({
      addr,
      received,
      sent,
      batches,
    }));
    return talkers.sort((a, b) => b.received + b.sent - a.received - a.sent).slice(0, most);
  }

  /** Accepts connections until the server ends. Never rejects. */
  async accept(listener: Deno.Listener, protocol: Protocol = "auto"): Promise<void> {
    this.listeners.set(listener, ++this.numbers);
    while (!this.draining) {
      try {
        if (!this.rejects && this.isFull) await this.untilRoom();
        else this.admit(await listener.accept(), protocol);
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
    for (const listener of this.listeners.keys()) listener.close();
    this.room?.resolve();
    for (const connection of this.connections.keys()) connection.end();
    const deadline = Date.now() + DRAIN_TIME;
    while (this.connections.size > 0 && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const connection of this.connections.keys()) connection.close();
  }

  private get isFull(): boolean {
    return this.connections.size >= this.context.maxConnections;
  }

  /** Waits until a connection has ended, or the server ends. */
  private async untilRoom(): Promise<void> {
    const start = performance.now();
    if (this.room === undefined) {
      this.room = Promise.withResolvers();
      this.disabled.count++;
    }
    await this.room.promise;
    if (this.room === undefined) return;
    this.room = undefined;
    this.disabled.time += performance.now() - start;
  }

  private admit(conn: Deno.Conn, protocols: Protocol): void {
    const { counters, watchers } = this.context;
    if (this.isFull) {
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
    const number = ++this.numbers;
    const connection = new Connection(conn, this.context, this, { id: number, protocols });
    this.connections.set(connection, {
      number,
      addr: addressOf(conn.remoteAddr),
      listenAddr: addressOf(conn.localAddr),
    });
    if (watchers.kinds !== 0) this.tell("conn_new", conn, number);
    connection.serve().finally(() => {
      this.connections.delete(connection);
      if (watchers.kinds !== 0) this.tell("conn_close", conn, number, this.reasonFor(connection));
      this.room?.resolve();
    });
  }

  /** Tells those who watch connections. */
  private tell(
    type: "conn_new" | "conn_close",
    conn: Deno.Conn,
    number: number,
    reason?: CloseReason,
  ): void {
    const { remoteAddr } = conn;
    const [host, port, transport] = remoteAddr.transport === "tcp"
      ? [remoteAddr.hostname.replace(V4_IN_V6, ""), remoteAddr.port, "tcp" as const]
      : ["unix", 0, "local" as const];
    this.context.watchers.connection(type, host, port, transport, number, reason);
  }

  private reasonFor(connection: Connection): CloseReason {
    if (this.draining) return "shutdown";
    return connection.closeReason;
  }

  private tick(): void {
    this.ticks++;
    this.second = Math.floor(this.context.clock.now() / 1000);
    const { idleTimeout } = this.policy;
    if (idleTimeout === 0) return;
    for (const connection of this.connections.keys()) {
      if (this.ticks - connection.active <= idleTimeout) continue;
      this.context.counters.idle_kicks++;
      connection.closeReason = "idle_timeout";
      connection.close();
    }
  }
}

function addressOf(addr: Deno.Addr): string {
  if (addr.transport !== "tcp") return `unix:${"path" in addr ? addr.path ?? "" : ""}`;
  const hostname = addr.hostname.replace(V4_IN_V6, "");
  return hostname.includes(":")
    ? `tcp6:[${hostname}]:${addr.port}`
    : `tcp:${hostname}:${addr.port}`;
}
