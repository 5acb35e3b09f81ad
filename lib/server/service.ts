/**
 * What a server's connections and commands may know of it, beside the store and the limits.
 *
 * @module
 */

import type { AdjustableClock } from "../clock.ts";
import type { Context } from "../commands/context.ts";
import type { LiveSettings } from "./settings.ts";
import type { Users } from "./users.ts";

/** The context of all sessions. */
export interface Service extends Context {
  /** Who may log in; without users everybody is let in. */
  readonly users: Users | undefined;
  /** Whether users log in by SASL in the binary protocol, instead of by `set` in the text protocol. */
  readonly sasl: boolean;
  /** Whether items have cas uniques (memcached's `-C` makes each of them 0). */
  readonly hasCas: boolean;
  /** Whether `watch` is allowed (memcached's `-W` forbids it). */
  readonly allowWatch: boolean;
  /** Whether `stats sizes` counts. */
  readonly trackSizes: boolean;
  /** The character that ends the prefix of a key, for `stats detail`. */
  readonly prefixDelimiter: string;
  /** What commands change while the server runs. */
  readonly live: LiveSettings;
  /** The clock that `debugtime` moves, where the server was started for tests. */
  readonly debugClock: AdjustableClock | undefined;
}
