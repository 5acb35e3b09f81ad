/**
 * In what state Redis is, and what the operator is told of it. That a Redis cannot be reached its
 * {@linkcode Link} has told; here is what one that can be reached refuses.
 *
 * @module
 */

import type { Say } from "../../log_level.ts";
import type { Ledger } from "./ledger.ts";
import type { Link } from "./link.ts";
import type { Nodes } from "./nodes.ts";

/** A state, why it is so, and what follows from it; the latter where no link tells the operator. */
interface State {
  readonly state: "ok" | "away" | "full";
  readonly reason: string;
  readonly consequence: string;
}

const WELL: State = { state: "ok", reason: "", consequence: "" };

/** The health of the Redis behind a store. */
export class Health {
  readonly #nodes: Nodes;
  readonly #ledger: Ledger;
  readonly #log: Say;
  /** Whether the operator was told of a state that is not over. */
  #isTold = false;

  constructor(nodes: Nodes, ledger: Ledger, log: Say) {
    this.#nodes = nodes;
    this.#ledger = ledger;
    this.#log = log;
  }

  /** The state now. */
  get now(): State {
    const masters = this.#nodes.masters();
    if (masters.length === 0) return away("no node of the cluster is known");
    for (const { state, address, cause } of masters) {
      if (state === "ready") continue;
      return away(`Redis at ${address}: ${cause || "a connection is being made"}`);
    }
    const { refusal } = this.#ledger;
    if (refusal !== "") return { state: "away", reason: refusal, consequence: "requests fail" };
    const full = masters.find(isFull);
    if (full === undefined) return WELL;
    const reason = `Redis at ${full.address} has no memory left, and evicts nothing`;
    return { state: "full", reason, consequence: "it stores nothing new" };
  }

  /** Tells the operator when a state begins and when it is over. Causes may alternate; the state is one. */
  look(): void {
    const { state, reason, consequence } = this.now;
    if (consequence !== "" && !this.#isTold) {
      this.#isTold = true;
      this.#log(`${reason}; ${consequence} until that changes`);
    } else if (state === "ok" && this.#isTold) {
      this.#isTold = false;
      this.#log("Redis does all that it is asked again", "notice");
    }
  }
}

function away(reason: string): State {
  return { state: "away", reason, consequence: "" };
}

/** Whether it has as much as it may, and makes no room, as it was when it was asked last. */
function isFull({ info }: Link): boolean {
  const most = Number(info.get("maxmemory") ?? 0);
  return most > 0 && info.get("maxmemory_policy") === "noeviction" &&
    Number(info.get("used_memory") ?? 0) >= most;
}
