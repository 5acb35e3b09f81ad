/**
 * What a connection is to the commands: who it is, and what it has under way.
 *
 * @module
 */

import type { TimedBatch } from "../observe/timing.ts";
import type { Outcome } from "../protocol/outcome.ts";
import type { Request } from "../protocol/request.ts";
import { Batch } from "../storage/contract.ts";
import { valueLength } from "../storage/item_cursor.ts";
import { Right, type Rights } from "./rights.ts";

/** Who uses a connection. */
export interface User {
  readonly name: string;
  /** What the user may do; `undefined` for everything. */
  readonly rights: Rights | undefined;
}

/** The owner of a session is told when values that were waited for have grown by so many bytes. */
const GROWTH = 256 * 1024;

/** The session of one connection. */
export class Session {
  /** What the connection has asked in one go, and what its replies depend on. */
  readonly batch = new Batch();
  /** The batch in hand, where its requests are timed. */
  timed: TimedBatch | undefined = undefined;
  /** Who has logged in; `undefined` for nobody in particular. */
  user: User | undefined = undefined;
  /** What the user may do; `undefined` for everything. */
  rights: Rights | undefined = undefined;
  /** Whether a login is being checked, which the server takes its time for and not the client. */
  checking = false;
  /** Wrong pairs of user and password. */
  wrongLogins = 0;
  /** Bytes of values that were waited for, have come from the store and are in no reply yet. */
  arrived = 0;
  /** Is told when {@linkcode arrived} has grown much. */
  owner: { grew(): void } | undefined = undefined;
  /** Is told when somebody is let in. */
  admitted: (() => void) | undefined = undefined;
  #told = 0;

  /**
   * @param id the connection's number, as `stats conns` and `watch` tell it
   * @param authenticated whether it may do something, or must log in first
   * @param address where its client is
   */
  constructor(readonly id: number, public authenticated: boolean, readonly address = "") {}

  /** Lets a user in, or changes what the user may do. */
  admit(user: User): void {
    this.authenticated = true;
    this.user = user;
    this.rights = user.rights;
    this.admitted?.();
  }

  /** Whether a value that is to be stored must not even be received: its key is not the user's to write. */
  refusesValue(request: Request): boolean {
    return this.rights !== undefined && !this.rights.permits(Right.write, request);
  }

  /** Whether a listing, or a stream of what happens, may show a key, or what has none. */
  shows(key: Uint8Array | undefined): boolean {
    const { rights } = this;
    if (rights === undefined) return true;
    return key === undefined ? rights.has(Right.list) : rights.shows(key);
  }

  /** Counts a value that was waited for. */
  arrive(outcome: Outcome): void {
    if (outcome.code !== "value") return;
    this.arrived += valueLength(outcome.item);
    if (this.arrived - this.#told < GROWTH) return;
    this.#told = this.arrived;
    this.owner?.grew();
  }

  /** Counts it no more: it is in a reply, or is needed no longer. */
  depart(outcome: Outcome): void {
    if (outcome.code !== "value") return;
    this.arrived -= valueLength(outcome.item);
    this.#told = Math.min(this.#told, this.arrived);
  }
}
