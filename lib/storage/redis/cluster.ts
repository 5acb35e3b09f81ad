/**
 * A Redis Cluster: a link to each master, a map from slot to link, and what to do when Redis says
 * that the map is out of date.
 *
 * ioredis has a cluster client of its own. It sends each command by itself or demands that all
 * commands of a pipeline have one node, resends what was not confirmed and bounds none of that by a
 * time; so only its connections are used here.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { ByteBuffer } from "../../bytes.ts";
import { StoreError } from "../../errors.ts";
import { type Address, nameOf } from "./address.ts";
import { causeOf, kindOf } from "./failure.ts";
import { Link, type LinkSettings } from "./link.ts";
import type { Nodes, NodeSettings } from "./nodes.ts";
import { type Reply, Request } from "./request.ts";
import { slotOf, SLOTS } from "./slots.ts";

/** How often a request follows the cluster to another node without a pause. */
const MOST_REDIRECTIONS = 6;
/** How long before the same is tried again where the cluster asks for patience, in milliseconds. */
const PATIENCE = 50;
/**
 * How long a node may take to tell the map, in milliseconds, before another is asked; twice as long when
 * all have been asked, for the machine may be busy.
 */
const MAP_TIMEOUT = 400;
/** How often the map is asked for while something is wrong, and while nothing is, in milliseconds. */
const MAP_INTERVAL_AMISS = 150;
const MAP_INTERVAL = 10_000;
/** Requests that wait for the map at most. */
const MOST_WAITING = 10_000;

/** A node that did not answer in time. */
class LateError extends StoreError {}

export class Cluster implements Nodes {
  readonly #slots: (Link | undefined)[] = new Array(SLOTS);
  readonly #links = new Map<string, Link>();
  #serving: readonly Link[] = [];
  /** Every node that was ever heard of and is not known to be gone. */
  #known = new Map<string, Address>();
  readonly #settings: LinkSettings;
  /** Room for a whole Redis key, with the prefix in it. */
  readonly #whole: Uint8Array;
  #mapping: Promise<void> | undefined;
  #mappedAt = -Infinity;
  #cause = "";
  #amiss = true;
  /** Requests whose slot has no link yet. */
  #unplaced: Request[] = [];
  /** Requests that Redis asked to send again later. */
  #later: { readonly request: Request; readonly at: number }[] = [];
  #closed = false;

  readonly #seeds: readonly Address[];
  readonly #prefix: Uint8Array;
  /** The address by which one that Redis tells is reached from here. */
  readonly #reach: (told: Address) => Address;

  constructor(
    seeds: readonly Address[],
    prefix: Uint8Array,
    settings: NodeSettings,
    reach: (told: Address) => Address,
  ) {
    this.#seeds = seeds;
    this.#prefix = prefix;
    this.#reach = reach;

    this.#whole = new Uint8Array(prefix.length + 250);
    this.#whole.set(prefix);
    this.#settings = {
      ...settings,
      redirect: (request, error, link) => this.#redirect(request, error, link),
      changed: (link) => {
        if (!isWell(link) && this.#serving.includes(link)) this.#amiss = true;
      },
    };
  }

  send(request: Request): void {
    const key = request.key;
    this.#whole.set(key, this.#prefix.length);
    const slot = slotOf(this.#whole.subarray(0, this.#prefix.length + key.length));
    const link = this.#slots[slot];
    if (link !== undefined) return link.enqueue(request);
    if (this.#closed) return request.fail(new StoreError("The Redis store is closed"));
    if (
      this.#unplaced.length >= MOST_WAITING || (this.#cause !== "" && this.#mapping === undefined)
    ) {
      return request.fail(this.#away());
    }
    this.#unplaced.push(request);
    this.#map();
  }

  masters(): readonly Link[] {
    return this.#serving;
  }

  tick(now: number): void {
    for (const link of this.#links.values()) link.tick(now);
    if (this.#later.length > 0) {
      const due = this.#later.filter((one) => one.at <= now);
      this.#later = this.#later.filter((one) => one.at > now);
      for (const { request } of due) this.send(request);
    }
    for (const request of this.#unplaced) if (request.deadline <= now) request.fail(this.#away());
    if (now - this.#mappedAt > (this.#amiss ? MAP_INTERVAL_AMISS : MAP_INTERVAL)) this.#map();
  }

  renewLogins(): void {
    for (const link of this.#links.values()) void link.renewLogin();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#mapping;
    for (const { request } of this.#later) request.fail(this.#away());
    await Promise.all(Array.from(this.#links.values(), (link) => link.close()));
  }

  /** Finds out which node has which slot, once for all who ask at the same time. */
  #map(): void {
    if (this.#closed) return;
    this.#mapping ??= this.#findMap().finally(() => {
      this.#mapping = undefined;
      this.#mappedAt = performance.now();
      const waiting = this.#unplaced;
      this.#unplaced = [];
      for (const request of waiting) {
        if (this.#cause === "" && request.redirections++ < MOST_REDIRECTIONS) this.send(request);
        else request.fail(this.#away());
      }
    });
  }

  async #findMap(): Promise<void> {
    const { timeout } = this.#settings;
    let cause: unknown;
    for (let patience = MAP_TIMEOUT;; patience *= 2) {
      cause = await this.#askAll(Math.min(patience, timeout));
      if (cause === undefined) {
        if (this.#cause !== "") this.#settings.log("The Redis cluster can be used again", "notice");
        this.#cause = "";
        return;
      }
      if (this.#closed) return;
      if (!(cause instanceof LateError) || patience >= timeout) break;
    }
    // Causes may alternate, as nodes are asked in turn; the state is one.
    if (this.#cause === "") {
      const text = causeOf(cause);
      this.#settings.log(`Cannot use the Redis cluster: ${text}; requests fail until that changes`);
    }
    this.#cause = causeOf(cause);
    this.#amiss = true;
  }

  /**
   * Asks one node after another for the map.
   *
   * @return what went wrong where none has told it: with the last of them, or that one was late
   */
  async #askAll(patience: number): Promise<unknown> {
    let cause: unknown = new StoreError("no node is known");
    // Replicas too: they know who has become master. Links that are up come first.
    const addresses = new Map<string, Address>();
    const links = [...this.#links.values()].filter(isWell);
    for (const link of shuffled(links)) addresses.set(nameOf(link), link);
    for (const one of shuffled([...this.#known.values()])) addresses.set(nameOf(one), one);
    for (const one of this.#seeds) addresses.set(nameOf(one), one);
    for (const address of addresses.values()) {
      if (this.#closed) break;
      try {
        const map = await this.#askMap(address, patience) as Reply[];
        // It was never in the cluster, or is no longer: others may be.
        if (map.length === 0) throw new StoreError(`Redis at ${nameOf(address)} knows no slots`);
        this.#learn(map, address);
        return undefined;
      } catch (error) {
        if (!(cause instanceof LateError)) cause = error;
      }
    }
    return cause;
  }

  async #askMap(address: Address, patience: number): Promise<Reply> {
    // It is given up here; the link's own limit comes later.
    const deadline = performance.now() + 2 * patience;
    const words = ["CLUSTER", "SLOTS"];
    const link = this.#links.get(nameOf(address));
    if (link !== undefined) return await within(link.call(words, deadline), patience);
    const visit = new Link(address, {
      ...this.#settings,
      log: () => {},
      changed: () => {},
      redirect: () => false,
    });
    try {
      return await within(visit.call(words, deadline), patience);
    } catch (error) {
      if (!/cluster support disabled/.test(causeOf(error))) throw error;
      throw new StoreError(
        `Redis at ${visit.address} is not part of a cluster: leave out --redis-cluster`,
      );
    } finally {
      await visit.close();
    }
  }

  #learn(map: readonly Reply[], told: Address): void {
    const used = new Set<Link>();
    const known = new Map<string, Address>();
    const slots = new Array<Link | undefined>(SLOTS);
    for (const range of map) {
      const [first, last, ...nodes] = range as [number, number, ...Reply[]];
      const addresses = nodes.map((node) => {
        const [host, port] = node as [Buffer | null, number];
        return this.#addressOf(host?.toString() ?? "", port, told);
      });
      for (const address of addresses) known.set(nameOf(address), address);
      const link = this.#linkTo(addresses[0]);
      used.add(link);
      slots.fill(link, first, last + 1);
    }
    for (let slot = 0; slot < SLOTS; slot++) this.#slots[slot] = slots[slot];
    this.#known = known;
    this.#serving = [...used];
    this.#amiss = !this.#serving.every(isWell);
    for (const [name, link] of this.#links) {
      // What still waits for a node that hangs need not wait until it is overdue.
      if (used.has(link) || (link.waiting > 0 && isWell(link))) continue;
      this.#links.delete(name);
      link.close((request) => this.send(request));
    }
  }

  /** The address of a node that one has told; without a name it is on the same machine. */
  #addressOf(host: string, port: number, told: Address): Address {
    return host === "" || host === "?" ? { host: told.host, port } : this.#reach({ host, port });
  }

  #linkTo(address: Address): Link {
    const name = nameOf(address);
    let link = this.#links.get(name);
    if (link === undefined) {
      link = new Link(address, this.#settings);
      this.#links.set(name, link);
    }
    return link;
  }

  /** Takes on a request that the cluster refused without having done anything. */
  #redirect(request: Request, error: Error, link: Link): boolean {
    const kind = kindOf(error);
    switch (kind) {
      case "MOVED":
      case "ASK": {
        const [, slot, place] = error.message.split(" ");
        const colon = place.lastIndexOf(":");
        const port = Number(place.slice(colon + 1));
        const target = this.#linkTo(this.#addressOf(place.slice(0, colon), port, link));
        if (kind === "MOVED") {
          this.#slots[Number(slot)] = target;
          this.#map();
        }
        this.#settings.counters.redirections++;
        // Nodes may send it to and fro while they agree on who has the slot, which takes them a moment.
        if (++request.redirections > MOST_REDIRECTIONS) {
          if (this.#postpone(request)) return true;
          this.#settings.counters.results.add("error");
          const said = causeOf(error);
          request.fail(
            new StoreError(`The nodes of the Redis cluster disagree on a slot: ${said}`),
          );
          return true;
        }
        if (kind === "ASK") target.enqueue(new Asking(request));
        target.enqueue(request);
        return true;
      }
      case "CLUSTERDOWN":
      case "READONLY":
        this.#amiss = true;
        this.#map();
        return this.#postpone(request);
      case "TRYAGAIN":
        return this.#postpone(request);
      default:
        return false;
    }
  }

  #postpone(request: Request): boolean {
    const at = performance.now() + PATIENCE;
    // In the end the client is told what Redis said.
    if (at > request.deadline - PATIENCE) return false;
    this.#later.push({ request, at });
    return true;
  }

  #away(): StoreError {
    if (this.#closed) return new StoreError("The Redis store is closed");
    return new StoreError(
      `Cannot use the Redis cluster: ${this.#cause || "no node serves this key's slot"}`,
    );
  }
}

/** `ASKING`: lets the next request pass to a slot that is being moved. */
class Asking extends Request {
  readonly name = "asking";

  readonly #next: Request;

  constructor(next: Request) {
    super(next.key, next.deadline);
    this.#next = next;
  }

  override get changes(): boolean {
    return this.#next.changes;
  }

  override get isBound(): boolean {
    return true;
  }

  encode(out: ByteBuffer): void {
    out.ascii("*1\r\n$6\r\nASKING\r\n");
  }

  protected answer(): void {}

  /** What is refused to it is refused to the next; that is told before the next has its own reply. */
  protected refuse(error: Error): void {
    // Where the whole link goes away, the next one finds another way.
    if (this.link?.state !== "closed") this.#next.fail(error);
  }
}

/** Whether the node answers, as far as is known. */
function isWell(link: Link): boolean {
  return link.state === "ready" && !link.isLate;
}

function shuffled<T>(all: readonly T[]): T[] {
  return all.map((one) => ({ one, at: Math.random() })).sort((a, b) => a.at - b.at)
    .map(({ one }) => one);
}

/** The result, or an error when it takes longer than so many milliseconds. */
async function within<T>(result: Promise<T>, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LateError(`No answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer!);
  }
}
