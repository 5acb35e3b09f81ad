/**
 * The server's life: listeners and their connections, from ready to drained.
 *
 * @module
 */

import { bytesOf, trimMemory } from "../bytes.ts";
import type { Context } from "../commands/context.ts";
import { type Count, PlainCount } from "../count.ts";
import type { ConnectionCount } from "../observe/figures/row.ts";
import { MAX_PREFIXES } from "../observe/prefixes.ts";
import { MAX_WATCHERS } from "../observe/watch.ts";
import type { Figure } from "../protocol/outcome.ts";
import { MAX_LISTINGS } from "../commands/listings.ts";
import type { Tls } from "../net/tls/mod.ts";
import type { Acceptor, Transport } from "../net/transport.ts";
import { Rounds } from "../rounds.ts";
import { othersTurn } from "../others_turn.ts";
import { accepting } from "./accepting.ts";
import { Admission, type AdmissionCounts, type Verdict } from "./admission.ts";
import { ClientMemory } from "./client_memory.ts";
import { type CloseReason, Connection, type Surroundings } from "./connection.ts";
import { Strangers } from "./access/strangers.ts";
import type { Protocol } from "./endpoint.ts";
import { SpareDescriptor } from "./descriptors.ts";
import { Episode } from "./episode.ts";
import { traceOfConnection } from "./trace.ts";
import { busiest, type Talker, type talkerOrders } from "./talkers.ts";

/** What a client is told for whom there is no room (memcached's words). */
const TOO_MANY = bytesOf("ERROR Too many open connections\r\n");
/** How long clients may take to receive what is owed to them, in milliseconds. */
const DRAIN_TIME = 8000;
/** How often is looked for room that a connection of another thread has left, in milliseconds. */
const LOOK_FOR_ROOM = 50;
/** Connections that `stats conns` describes before others have a turn. */
const DESCRIBED_A_TURN = 128;

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
  /** Bytes that all clients together may make the server hold. */
  readonly clientMemory?: number;
  /** Most connections of one IP address; 0 for no limit. */
  readonly perAddress?: number;
  /** Most new connections of one IP address in a second; 0 for no limit. */
  readonly perSecond?: number;
  /** Whether a Unix socket is listened on beside TCP: some connections are kept for it. */
  readonly hasUnix?: boolean;
  /** How long clients may take at the end to receive what is owed to them, in milliseconds. */
  readonly grace?: number;
  /** What is counted over all threads, where there are several. */
  readonly common?: Common;
  /** What its TLS listeners have in hand, where there are any. */
  readonly tls?: Pick<Tls, "handshakes" | "mostHandshakes"> | undefined;
}

/** What the servers of all threads count together. */
export interface Common extends AdmissionCounts {
  /** The numbers of listeners and connections. */
  readonly numbers: Count;
  /** Connections that have yet to log in. */
  readonly strangers: Count;
}

/** Who a connection is, for `stats conns`. */
interface Ends {
  readonly number: number;
  readonly addr: string;
  readonly listenAddr: string;
  /** The listener that it came by. */
  readonly listener: string;
}

/** Serves connections from any number of listeners. */
export class Server implements Surroundings {
  /** Seconds since the start. */
  ticks = 0;
  /** The second since 1970 of the last tick. */
  #second: number;
  readonly rounds = new Rounds();
  readonly memory: ClientMemory;
  readonly #admission: Admission;
  /** Nothing can be accepted for want of descriptors or memory. */
  readonly #shortage: Episode;
  /** Lets somebody be told that there are no more descriptors. */
  readonly #spare = new SpareDescriptor();
  /** Connections that were dead before they were accepted. */
  #dead = 0;
  /** The listeners and the numbers under which `stats conns` shows them. */
  readonly #listeners = new Map<Acceptor, number>();
  readonly #connections = new Map<Connection, Ends>();
  readonly #timer: ReturnType<typeof setInterval>;
  #draining = false;
  /** The last number that a listener or connection was given, as memcached's are file descriptors. */
  readonly #numbers: Count;
  /** Resolves when a connection has ended, where somebody waits for that. */
  #room: PromiseWithResolvers<void> | undefined;
  /** How often, and for how many milliseconds, no connection was accepted for want of room. */
  readonly #disabled = { count: 0, time: 0 };

  readonly #rejects: boolean;
  readonly #strangers: Strangers;

  readonly #context: Context;
  readonly #policy: Policy;

  constructor(context: Context, policy: Policy) {
    this.#context = context;
    this.#policy = policy;

    const { log, counters } = context;
    this.#rejects = policy.rejects ?? true;
    this.#numbers = policy.common?.numbers ?? new PlainCount();
    this.memory = new ClientMemory(policy.clientMemory ?? Infinity, log);
    this.#shortage = new Episode(log, "connections are accepted again");
    this.#admission = new Admission(
      {
        connections: context.maxConnections,
        perAddress: policy.perAddress ?? 0,
        perSecond: policy.perSecond ?? 0,
        hasUnix: policy.hasUnix ?? false,
      },
      counters,
      log,
      policy.common,
    );
    this.#strangers = new Strangers(mostStrangers(context), policy.common?.strangers);
    this.#second = Math.floor(context.clock.now() / 1000);
    this.#timer = setInterval(() => this.#tick(), 1000);
  }

  /** The second since 1970, as of the last tick; a clock that tests move is asked each time. */
  get seconds(): number {
    const { debugClock } = this.#context;
    return debugClock === undefined ? this.#second : Math.floor(debugClock.now() / 1000);
  }

  /** Connections open now. */
  get size(): number {
    return this.#connections.size;
  }

  /** All connections, with their sessions. */
  get members(): Iterable<Connection> {
    return this.#connections.keys();
  }

  /** Whether connections are accepted: not while one has no room and is not rejected either. */
  get isAccepting(): boolean {
    return this.#room === undefined;
  }

  /** How often no connection was accepted for want of room, and for how many milliseconds. */
  get listenDisabled(): { readonly count: number; readonly time: number } {
    return this.#disabled;
  }

  /** How many connections came by which listener, and speak which protocol. */
  connectionsBy(): ConnectionCount[] {
    const counts = new Map<string, Map<string, number>>();
    for (const [{ protocol }, { listener }] of this.#connections) {
      let of = counts.get(listener);
      if (of === undefined) counts.set(listener, of = new Map());
      of.set(protocol, (of.get(protocol) ?? 0) + 1);
    }
    return [...counts].flatMap(([listener, of]) =>
      [...of].map(([protocol, count]) => ({ listener, protocol, count }))
    );
  }

  /** The lines of `stats threads`, where there is one. */
  describeThreads(): Figure[] {
    return [["1:connections", this.size]];
  }

  /** The lines of `stats limits`. */
  describeLimits(): Figure[] {
    const { counters, listings, maxConnections, prefixes, watchers } = this.#context;
    const { memory } = this;
    const policy = this.#policy;
    return [
      ["max_connections", maxConnections],
      ["connections", this.size],
      ["rejected_connections", counters.rejected_connections],
      ["max_connections_per_ip", policy.perAddress ?? 0],
      ["connect_rate", policy.perSecond ?? 0],
      ["rejected_by_address", counters.rejected_by_address],
      ["dead_connections", this.#dead],
      ["max_strangers", mostStrangers(this.#context)],
      ["strangers", this.#strangers.size],
      ["strangers_closed", this.#strangers.closed],
      ["max_client_memory", Number.isFinite(memory.limit) ? memory.limit : 0],
      ["client_memory", memory.used],
      ["client_memory_waiting", memory.waiting],
      ["client_memory_kicks", memory.kicks],
      ["max_listings", MAX_LISTINGS],
      ["listings", listings.running],
      ["listing_kicks", listings.kicks],
      ["max_tls_handshakes", policy.tls?.mostHandshakes ?? 0],
      ["tls_handshakes", policy.tls?.handshakes ?? 0],
      ["max_watchers", MAX_WATCHERS],
      ["watchers", watchers.count],
      ["max_prefixes", MAX_PREFIXES],
      ["prefixes", prefixes.size],
    ];
  }

  /** The lines of memcached's `stats conns`, under the number of the listener or connection. */
  describe(): Figure[] | Promise<Figure[]> {
    const figures: Figure[] = [];
    for (const [{ addr }, number] of this.#listeners) {
      figures.push(
        [`${number}:addr`, addressOf(addr)],
        [`${number}:state`, "conn_listening"],
        [`${number}:secs_since_last_cmd`, this.ticks],
      );
    }
    const connections = this.#connections.entries();
    this.#describeSome(connections, figures);
    return this.#connections.size <= DESCRIBED_A_TURN
      ? figures
      : this.#describeOthers(connections, figures);
  }

  /** Describes some more connections; whether there are others. */
  #describeSome(
    connections: MapIterator<[Connection, Ends]>,
    figures: Figure[],
  ): boolean {
    for (let i = 0; i < DESCRIBED_A_TURN; i++) {
      const { value, done } = connections.next();
      if (done) return false;
      const [connection, { number, addr, listenAddr }] = value;
      figures.push(
        [`${number}:addr`, addr],
        [`${number}:listen_addr`, listenAddr],
        [`${number}:state`, connection.state],
        [`${number}:secs_since_last_cmd`, this.ticks - connection.active],
      );
    }
    return true;
  }

  async #describeOthers(
    connections: MapIterator<[Connection, Ends]>,
    figures: Figure[],
  ): Promise<Figure[]> {
    do {
      await othersTurn();
    } while (this.#describeSome(connections, figures));
    return figures;
  }

  /** The connections that have moved the most bytes, or asked the most, so many at most. */
  talkers(order: keyof typeof talkerOrders, most: number): Talker[] {
    return busiest(this.#connections.keys(), order, most);
  }

  /** Accepts connections until the server ends. Never rejects. */
  async accept(listener: Acceptor, protocol: Protocol = "auto"): Promise<void> {
    this.#listeners.set(listener, this.#numbers.add(1));
    const { transport } = listener.addr;
    const troubles = {
      shortage: (why: string) => this.#shortage.happen(`cannot accept connections: ${why}`),
      dead: () => void this.#dead++,
      refuse: (conn: Transport) => this.#refuse(conn),
    };
    this.#spare.hold();
    await this.#roomFor(transport);
    const name = addressOf(listener.addr);
    for await (const conn of accepting(listener, troubles, this.#spare)) {
      let verdict = this.#admission.enter(conn.remoteAddr);
      // Another listener or thread took the last room after this one had begun to accept.
      while (verdict === "full" && !this.#rejects && !this.#draining) {
        await this.#untilRoom(transport);
        verdict = this.#admission.enter(conn.remoteAddr);
      }
      this.#decide(conn, verdict, protocol, name);
      await this.#roomFor(transport);
    }
  }

  #decide(conn: Transport, verdict: Verdict, protocol: Protocol, listener: string): void {
    if (verdict === "admitted" && !this.#draining) return this.#admit(conn, protocol, listener);
    if (verdict === "admitted") this.#admission.leave(conn.remoteAddr);
    if (verdict === "full" && !this.#draining) return void this.#refuse(conn);
    conn.close();
  }

  /** Waits until there is room, where those that have none are not rejected. */
  async #roomFor(transport: string): Promise<void> {
    while (!this.#rejects && !this.#draining && this.#admission.isFull(transport)) {
      await this.#untilRoom(transport);
    }
  }

  /**
   * Stops: no new connections, what was read is answered, then every connection is closed. Clients
   * that do not take their answers are not waited for longer than some seconds.
   */
  async drain(): Promise<void> {
    this.#draining = true;
    clearInterval(this.#timer);
    for (const listener of this.#listeners.keys()) listener.close();
    this.#room?.resolve();
    for (const connection of this.#connections.keys()) connection.end();
    const deadline = performance.now() + (this.#policy.grace ?? DRAIN_TIME);
    while (this.#connections.size > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const connection of this.#connections.keys()) connection.close();
    this.#spare.close();
  }

  /** Waits until a connection has ended, or the server ends. */
  async #untilRoom(transport: string): Promise<void> {
    const start = performance.now();
    if (this.#room === undefined) {
      this.#room = Promise.withResolvers();
      this.#disabled.count++;
    }
    // A connection of another thread may be the one that ends, which nobody tells.
    const timer = this.#policy.common && setInterval(() => {
      if (!this.#admission.isFull(transport)) this.#room?.resolve();
    }, LOOK_FOR_ROOM);
    await this.#room.promise;
    clearInterval(timer);
    if (this.#room === undefined) return;
    this.#room = undefined;
    this.#disabled.time += performance.now() - start;
  }

  /** Tells a client that there is no room for it. */
  async #refuse(conn: Transport): Promise<void> {
    this.#context.counters.rejected_connections++;
    try {
      await conn.write(TOO_MANY);
    } catch {
      // It did not wait to be told.
    }
    conn.close();
  }

  #admit(conn: Transport, protocols: Protocol, listener: string): void {
    const { counters, watchers, users } = this.#context;
    const { remoteAddr } = conn;
    counters.total_connections++;
    try {
      // Each batch is one write, so there is nothing to gain from holding small packets back.
      if ("setNoDelay" in conn) (conn as Transport as Deno.TcpConn).setNoDelay();
      // As memcached: the system finds out that the other end is gone, and what lies between two silent
      // ends is reminded of them, at the pace of `net.ipv4.tcp_keepalive_time`.
      if ("setKeepAlive" in conn) (conn as Transport as Deno.TcpConn).setKeepAlive();
    } catch {
      // Some systems refuse that of a connection whose client is gone already.
      this.#dead++;
      this.#admission.leave(remoteAddr);
      return conn.close();
    }
    const number = this.#numbers.add(1);
    const name = addressOf(remoteAddr);
    const connection = new Connection(conn, this.#context, this, {
      id: number,
      name,
      host: hostOf(remoteAddr),
      user: conn.certificateNames && users?.certified(conn.certificateNames),
      protocols,
    });
    if (!connection.session.authenticated) this.#strangers.enter(connection);
    this.#connections.set(connection, {
      number,
      addr: name,
      listenAddr: addressOf(conn.localAddr),
      listener,
    });
    if (watchers.kinds !== 0) this.#tell("conn_new", conn, number);
    this.#trace(number, `new connection from ${name} by ${listener}`);
    connection.serve().finally(() => {
      this.#connections.delete(connection);
      this.#strangers.leave(connection);
      this.#admission.leave(remoteAddr);
      if (watchers.kinds !== 0) this.#tell("conn_close", conn, number, this.#reasonFor(connection));
      this.#trace(number, `connection closed: ${this.#reasonFor(connection)}`);
      this.#room?.resolve();
    });
  }

  /** Tells those who watch connections. */
  #tell(
    type: "conn_new" | "conn_close",
    conn: Transport,
    number: number,
    reason?: CloseReason,
  ): void {
    const { remoteAddr } = conn;
    const [host, port, transport] = remoteAddr.transport === "tcp"
      ? [remoteAddr.hostname.replace(V4_IN_V6, ""), remoteAddr.port, "tcp" as const]
      : ["unix", 0, "local" as const];
    this.#context.watchers.connection(type, host, port, transport, number, reason);
  }

  /** Says what `-vv` shows of a connection. */
  #trace(number: number, what: string): void {
    const { live, log } = this.#context;
    if (live.verbosity > 1) log(traceOfConnection(number, what), "debug");
  }

  #reasonFor(connection: Connection): CloseReason {
    if (this.#draining) return "shutdown";
    return connection.closeReason;
  }

  #tick(): void {
    this.ticks++;
    this.#second = Math.floor(this.#context.clock.now() / 1000);
    this.memory.tick();
    trimMemory();
    this.#admission.tick();
    this.#strangers.tick();
    this.#shortage.tick();
    const { idleTimeout } = this.#policy;
    for (const connection of this.#connections.keys()) {
      if (idleTimeout > 0 && connection.isIdle(idleTimeout)) {
        this.#context.counters.idle_kicks++;
        connection.closeReason = "idle_timeout";
        connection.close();
      } else if (this.ticks > connection.active) connection.rest();
    }
  }
}

/** Connections that may have yet to log in: they leave room for those that have. */
function mostStrangers({ maxConnections }: Context): number {
  return Math.max(1, Math.floor(maxConnections / 4));
}

/** An address without its port. */
function hostOf(addr: Deno.Addr): string {
  return addr.transport === "tcp" ? addr.hostname.replace(V4_IN_V6, "") : "unix";
}

function addressOf(addr: Deno.Addr): string {
  if (addr.transport !== "tcp") return `unix:${"path" in addr ? addr.path ?? "" : ""}`;
  const hostname = addr.hostname.replace(V4_IN_V6, "");
  return hostname.includes(":")
    ? `tcp6:[${hostname}]:${addr.port}`
    : `tcp:${hostname}:${addr.port}`;
}
