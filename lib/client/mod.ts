/**
 * A client of kvs and of any memcached: pipelined connections, several servers by ketama, the text,
 * meta and binary protocols, TLS, log-in, and keys and values of any bytes.
 *
 * ```ts ignore
 * import { Client } from "@kvs/client";
 *
 * using client = new Client({ servers: ["127.0.0.1:11211"] });
 * await client.set("greeting", "hello", { exptime: 60 });
 * console.log((await client.get("greeting"))?.text);
 * ```
 *
 * @module
 */

export { Client, type ClientOptions, type RawReply, type StoreOptions } from "./client.ts";
export { type Address, parseAddress } from "./address.ts";
export type { ClientTls } from "../net/tls/client.ts";
export { Connection, type ConnectionOptions, type Credentials } from "./connection.ts";
export {
  LoginError,
  RequestError,
  ServerError,
  TimeoutError,
  UnreachableError,
  UnreadableError,
} from "./errors.ts";
export type { KeyEntry } from "./keys.ts";
export type {
  MetaArithmeticOptions,
  MetaCommands,
  MetaDeleteOptions,
  MetaGetOptions,
  MetaItem,
  MetaSetOptions,
  MetaStatus,
} from "./meta.ts";
export { Ring } from "./ring.ts";
export { type Key, KeyError } from "../protocol/key.ts";
export { type Protocol, Value } from "../protocol/client_dialect.ts";
export { exptimeAfter, exptimeAt } from "../exptime.ts";
