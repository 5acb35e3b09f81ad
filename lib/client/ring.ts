/**
 * Which of several servers has a key: ketama, as libmemcached does it with
 * `MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED` (PHP's `OPT_LIBKETAMA_COMPATIBLE`, pylibmc's
 * `ketama_weighted`), so that programs in several languages find each other's keys, and a server
 * more or less moves only the keys that it takes over or leaves.
 *
 * @module
 */

import process from "node:process";
import { type Address, DEFAULT_PORT } from "./address.ts";

const POINTS_PER_SERVER = 160;
/** An MD5 sum is 16 bytes and makes four points. */
const POINTS_PER_HASH = 4;

/** Points on a circle of 2^32, each belonging to a server; a key's is the next one clockwise. */
export class Ring {
  /** The points in ascending order. */
  readonly #points: Uint32Array;
  /** The server of each point, by its place in the list. */
  readonly #servers: Uint16Array;
  /** Not imported: that takes a client as long as all the rest of its start, and one server has no ring. */
  readonly #crypto = process.getBuiltinModule("node:crypto");

  constructor(servers: readonly Address[]) {
    const points: { at: number; server: number }[] = [];
    const total = servers.reduce((sum, { weight }) => sum + weight, 0);
    servers.forEach((server, index) => {
      const name = server.port === DEFAULT_PORT ? server.host : `${server.host}:${server.port}`;
      const hashes = hashesOf(server.weight / total, servers.length);
      for (let i = 0; i < hashes; i++) {
        const hash = this.#md5(`${name}-${i}`);
        for (let j = 0; j < POINTS_PER_HASH; j++) {
          points.push({ at: hash.readUInt32LE(4 * j), server: index });
        }
      }
    });
    points.sort((a, b) => a.at - b.at || a.server - b.server);
    this.#points = Uint32Array.from(points, ({ at }) => at);
    this.#servers = Uint16Array.from(points, ({ server }) => server);
  }

  /** The place in the list of the server that has a key. */
  serverOf(key: string | Uint8Array): number {
    const hash = this.#md5(key).readUInt32LE(0);
    const points = this.#points;
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (points[middle]! < hash) low = middle + 1;
      else high = middle;
    }
    return this.#servers[low === points.length ? 0 : low]!;
  }

  #md5(text: string | Uint8Array) {
    return this.#crypto.createHash("md5").update(text).digest();
  }
}

/** How many hashes a server gets for its share, in the single precision of libmemcached. */
function hashesOf(share: number, servers: number): number {
  const { fround } = Math;
  const perServer = fround(fround(fround(share) * POINTS_PER_SERVER) / POINTS_PER_HASH);
  return Math.floor(fround(fround(perServer * servers) + fround(1e-10)));
}
