/**
 * The Redis nodes behind the store: one, or a cluster's ({@linkcode file://./cluster.ts}).
 *
 * @module
 */

import type { Place } from "./dialer.ts";
import { kindOf } from "./failure.ts";
import { Link, type LinkSettings } from "./link.ts";
import type { Request } from "./request.ts";

/** Where requests go. */
export interface Nodes {
  /** Sends the request to the node that has its key. */
  send(request: Request): void;
  /** The nodes that hold items. */
  masters(): readonly Link[];
  /** Looks after deadlines; called every few dozen milliseconds with `performance.now()`. */
  tick(now: number): void;
  /** Logs in again on every connection. */
  renewLogins(): void;
  close(): Promise<void>;
}

/** The settings of a link that {@linkcode Nodes} do not add. */
export type NodeSettings = Omit<LinkSettings, "redirect" | "changed">;

/** How often a read-only node's name may be looked up anew, in milliseconds. */
const LOOK_AGAIN = 2000;
/** What only a replica answers: that it is one, and that it has lost its master. */
const REPLICAS: readonly string[] = ["READONLY", "MASTERDOWN"];

/** One Redis. */
export class SingleNode implements Nodes {
  readonly #link: Link;
  readonly #links: readonly Link[];
  #cutAt = -Infinity;

  constructor(place: Place, settings: NodeSettings) {
    this.#link = new Link(place, {
      ...settings,
      changed: () => {},
      redirect: (_request, error) => this.#suspect(error),
    });
    this.#links = [this.#link];
  }

  send(request: Request): void {
    this.#link.enqueue(request);
  }

  masters(): readonly Link[] {
    return this.#links;
  }

  tick(now: number): void {
    this.#link.tick(now);
  }

  renewLogins(): void {
    void this.#link.renewLogin();
  }

  async close(): Promise<void> {
    await this.#link.close();
  }

  /** After a failover behind one name the connection still leads to what was the master. */
  #suspect(error: Error): boolean {
    const now = performance.now();
    if (REPLICAS.includes(kindOf(error)) && now - this.#cutAt > LOOK_AGAIN) {
      this.#cutAt = now;
      setTimeout(() => this.#link.cut("it has become a replica"), 0);
    }
    return false;
  }
}
