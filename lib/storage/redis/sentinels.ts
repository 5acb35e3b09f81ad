/**
 * Redis Sentinel: who is the master at present (redis.io/docs/latest/develop/reference/sentinel-clients).
 *
 * @module
 */

import type { ConnectionOptions } from "node:tls";
import { Redis } from "ioredis";
import { StoreError } from "../../errors.ts";
import { type Address, nameOf } from "./address.ts";
import { causeOf } from "./failure.ts";
import type { Login } from "./handshake.ts";

/** How often a Sentinel is asked whether the master is still the same, in milliseconds. */
const INTERVAL = 1000;
/** How long a Sentinel may take, in milliseconds, before another is asked. */
const PATIENCE = 500;
/** Sentinels that are remembered at most: those of the options, and those that they know. */
const MOST = 32;

/** How Sentinels are reached. */
export interface SentinelSettings {
  /** The master's name there. */
  readonly name: string;
  readonly seeds: readonly Address[];
  readonly login?: Login;
  readonly tls?: ConnectionOptions;
  /** The address by which one that Redis tells is reached from here. */
  readonly reach: (told: Address) => Address;
}

/** The Sentinels of one master. */
export class Sentinels {
  readonly #settings: SentinelSettings;
  /** The one that answered last comes first. */
  #known: Address[];
  #askedAt = -Infinity;
  #watching = false;

  constructor(settings: SentinelSettings) {
    this.#settings = settings;
    this.#known = [...settings.seeds];
  }

  get name(): string {
    return this.#settings.name;
  }

  /**
   * The address of the master.
   *
   * @throws {StoreError} where no Sentinel knows it
   */
  async master(): Promise<Address> {
    this.#askedAt = performance.now();
    let cause = "";
    for (const sentinel of [...this.#known]) {
      try {
        const master = await this.#ask(sentinel);
        this.#known = [sentinel, ...this.#known.filter((one) => one !== sentinel)];
        return master;
      } catch (error) {
        cause = `${nameOf(sentinel)}: ${causeOf(error)}`;
      }
    }
    throw new StoreError(`no Sentinel tells the master '${this.name}' (${cause})`);
  }

  /** The master that was told cannot be used: the next time another Sentinel is asked first. */
  doubt(): void {
    this.#known.push(this.#known.shift()!);
  }

  /**
   * Asks now and then who is the master; called every few dozen milliseconds with `performance.now()`.
   *
   * @param moved told of the master when a Sentinel has named it
   */
  watch(now: number, named: (master: Address) => void): void {
    if (this.#watching || now - this.#askedAt < INTERVAL) return;
    this.#watching = true;
    // While no Sentinel answers, the master that is known is as good as any.
    this.master().then(named, () => {}).finally(() => this.#watching = false);
  }

  async #ask({ host, port }: Address): Promise<Address> {
    const { name, login, tls, reach } = this.#settings;
    const redis = new Redis({
      host,
      port,
      ...(login !== undefined && { username: login.user, password: login.password }),
      ...(tls !== undefined && { tls }),
      lazyConnect: true,
      retryStrategy: null,
      enableReadyCheck: false,
      disableClientInfo: true,
      connectTimeout: PATIENCE,
      commandTimeout: PATIENCE,
      disconnectTimeout: PATIENCE,
    });
    let cause: unknown;
    redis.on("error", (error) => cause ??= error);
    try {
      const told = await redis.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name) as
        | [string, string]
        | null;
      if (told === null) throw new StoreError(`it watches no master '${name}'`);
      this.#learn(await redis.call("SENTINEL", "SENTINELS", name).catch(() => []) as string[][]);
      return reach({ host: told[0], port: Number(told[1]) });
    } catch (error) {
      // ioredis's own error says no more than that it is closed.
      throw cause ?? error;
    } finally {
      redis.disconnect();
    }
  }

  /** Takes in the other Sentinels that one knows: fields and values, one after another. */
  #learn(told: readonly string[][]): void {
    for (const fields of told) {
      const field = (name: string) => fields[fields.indexOf(name) + 1];
      if (!fields.includes("ip") || !fields.includes("port")) continue;
      const address = this.#settings.reach({ host: field("ip"), port: Number(field("port")) });
      const isNew = this.#known.every((one) => nameOf(one) !== nameOf(address));
      if (isNew && this.#known.length < MOST) this.#known.push(address);
    }
  }
}
