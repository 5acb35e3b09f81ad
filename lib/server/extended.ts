/**
 * The words of memcached's `-o`, those of 1.6.45 with extstore, and what each means here.
 *
 * Most speak of slabs, LRU lists, the hash table, worker threads or extstore. kvs has none of these: such
 * a word is accepted, its value checked as memcached checks it and shown by `stats settings`.
 *
 * @module
 */

import { suggestion } from "../cli/parse.ts";
import { Exit, ExitError } from "../errors.ts";

/** What `-o` asked for. */
export interface Extended {
  /** Seconds of silence after which a connection is closed; `undefined` if the word was not given. */
  readonly idleTimeout: number | undefined;
  /** Whether `stats sizes` counts. */
  readonly trackSizes: boolean;
  /** Whether a connection too many is told so and closed, or waits until another one ends. */
  readonly maxconnsFast: boolean;
  /** Bytes that replies in hand may take, over all of memcached's threads; 0 for no limit. */
  readonly replyMemory: number;
  /** What the words of TLS said, by their names without `ssl_`. */
  readonly ssl: ReadonlyMap<string, string>;
  /** Values for `stats settings`, under its names, that differ from memcached's defaults. */
  readonly settings: ReadonlyMap<string, string>;
  /** The words that change nothing, as they were given. */
  readonly ignored: readonly string[];
}

/** A check of a value: what is wrong with it, or nothing. */
type Check = (value: string) => string | undefined;

/** The value that `stats settings` shows for a word, and under which name. */
type Shown = readonly [name: string, show: (value: string) => string][];

interface Word {
  /** Absent where the word takes no value. */
  readonly value?: Check;
  /** Whether the value may be left out. */
  readonly optional?: boolean;
  /** Whether the word has a meaning here. */
  readonly works?: boolean;
  /** Why kvs refuses the word. */
  readonly refusal?: string;
  readonly shown?: Shown;
}

const anything: Check = () => undefined;

function whole(min = 0, max = 2 ** 32 - 1): Check {
  return (value) =>
    /^\d+$/.test(value) && Number(value) >= min && Number(value) <= max
      ? undefined
      : `a whole number from ${min} to ${max}`;
}

function decimal(above: number, max = Infinity): Check {
  const range = max === Infinity
    ? `greater than ${above}`
    : `greater than ${above}, at most ${max}`;
  return (value) =>
    /^\d*\.?\d+$/.test(value) && Number(value) > above && Number(value) <= max
      ? undefined
      : `a number ${range}`;
}

function oneOf(...words: string[]): Check {
  return (value) => words.includes(value) ? undefined : `one of ${words.join(", ")}`;
}

const same = (name: string): Shown => [[name, (value) => value]];
const times = (name: string, unit: number): Shown => [[name, (value) => `${Number(value) * unit}`]];
const fixed = (name: string, digits: number): Shown => [
  [name, (value) => Number(value).toFixed(digits)],
];
const constant = (name: string, value: string): Shown => [[name, () => value]];

const MIB = 2 ** 20;
const NO_PROXY = "kvs has no proxy";

const words: Readonly<Record<string, Word>> = {
  idle_timeout: { value: whole(0, 2 ** 31 - 1), works: true },
  track_sizes: { works: true },
  maxconns_fast: { works: true },
  no_maxconns_fast: { works: true },
  // memcached 1.6 has no newer defaults to turn on.
  modern: { works: true },
  no_modern: {
    works: true,
    shown: [
      ["slab_chunk_max", () => `${MIB}`],
      ["slab_reassign", () => "no"],
      ["slab_automove", () => "0"],
      ["hash_algorithm", () => "jenkins"],
      ["lru_crawler", () => "no"],
      ["lru_segmented", () => "no"],
      ["lru_maintainer_thread", () => "no"],
    ],
  },

  hashpower: { value: whole(12, 32), shown: same("hashpower_init") },
  no_hashexpand: {},
  hash_algorithm: { value: oneOf("jenkins", "murmur3", "xxh3"), shown: same("hash_algorithm") },
  slab_reassign: { shown: constant("slab_reassign", "yes") },
  no_slab_reassign: { shown: constant("slab_reassign", "no") },
  slab_automove: {
    value: whole(0, 2),
    optional: true,
    shown: [["slab_automove", (value) => value || "1"]],
  },
  no_slab_automove: { shown: constant("slab_automove", "0") },
  slab_automove_ratio: { value: decimal(0, 1), shown: fixed("slab_automove_ratio", 2) },
  slab_automove_window: { value: whole(3, 1800), shown: same("slab_automove_window") },
  slab_automove_freeratio: { value: decimal(0, 1), shown: fixed("slab_automove_freeratio", 3) },
  slab_sizes: { value: anything },
  slab_chunk_max: { value: whole(1, 1024), shown: times("slab_chunk_max", 1024) },
  no_chunked_items: { shown: constant("slab_chunk_max", `${MIB}`) },
  tail_repair_time: { value: whole(10), shown: same("tail_repair_time") },
  lru_crawler: { shown: constant("lru_crawler", "yes") },
  no_lru_crawler: { shown: constant("lru_crawler", "no") },
  lru_crawler_sleep: { value: whole(0, 1_000_000), shown: same("lru_crawler_sleep") },
  lru_crawler_tocrawl: { value: whole(), shown: same("lru_crawler_tocrawl") },
  lru_maintainer: {
    shown: [["lru_maintainer_thread", () => "yes"], ["lru_segmented", () => "yes"]],
  },
  no_lru_maintainer: {
    shown: [["lru_maintainer_thread", () => "no"], ["lru_segmented", () => "no"]],
  },
  hot_lru_pct: { value: whole(1, 79), shown: same("hot_lru_pct") },
  warm_lru_pct: { value: whole(1, 79), shown: same("warm_lru_pct") },
  hot_max_factor: { value: decimal(0), shown: fixed("hot_max_factor", 2) },
  warm_max_factor: { value: decimal(0), shown: fixed("warm_max_factor", 2) },
  temporary_ttl: {
    value: whole(),
    shown: [["temp_lru", () => "yes"], ["temporary_ttl", (value) => value]],
  },
  watcher_logbuf_size: { value: whole(), shown: times("watcher_logbuf_size", 1024) },
  worker_logbuf_size: { value: whole(), shown: times("worker_logbuf_size", 1024) },
  read_buf_mem_limit: {
    value: whole(0, 4095),
    works: true,
    shown: times("read_buf_mem_limit", MIB),
  },
  resp_obj_mem_limit: { value: anything, optional: true },
  inline_ascii_resp: {},
  no_inline_ascii_resp: {},
  no_drop_privileges: {},
  // Only memcached's debug build knows it: its tests give it to every server.
  relaxed_privileges: {},

  ext_path: { value: anything },
  ext_page_size: { value: whole() },
  ext_wbuf_size: { value: whole(), shown: times("ext_wbuf_size", MIB) },
  ext_threads: { value: whole() },
  ext_io_depth: { value: whole() },
  ext_item_size: { value: whole(), shown: same("ext_item_size") },
  ext_item_age: { value: whole(), shown: same("ext_item_age") },
  ext_low_ttl: { value: whole(), shown: same("ext_low_ttl") },
  ext_recache_rate: { value: whole(), shown: same("ext_recache_rate") },
  ext_compact_under: { value: whole(), shown: same("ext_compact_under") },
  ext_drop_under: { value: whole(), shown: same("ext_drop_under") },
  ext_max_sleep: { value: whole(), shown: same("ext_max_sleep") },
  ext_max_frag: { value: decimal(0), shown: fixed("ext_max_frag", 2) },
  ext_drop_unread: { shown: constant("ext_drop_unread", "yes") },

  drop_privileges: {
    refusal: "kvs has no such filter; systemd's SystemCallFilter and Deno's permissions do that",
  },
  sock_cookie_id: { value: anything, refusal: "kvs cannot mark its sockets" },
  ssl_chain_cert: { value: anything, works: true },
  ssl_key: { value: anything, works: true },
  ssl_verify_mode: { value: whole(0, 3), works: true },
  // 1 is PEM, memcached's default; 2 would be DER.
  ssl_keyformat: { value: oneOf("1"), works: true },
  ssl_ciphers: {
    value: anything,
    refusal: "Deno's TLS has no choice of ciphers: those of TLS 1.3, and of TLS 1.2 those with " +
      "forward secrecy and authenticated encryption",
  },
  ssl_ca_cert: { value: anything, works: true },
  ssl_wbuf_size: { value: whole(), shown: times("ssl_wbuf_size", 1024) },
  ssl_session_cache: { shown: constant("ssl_session_cache", "yes") },
  ssl_kernel_tls: { refusal: "Deno's TLS runs in the process, not in the kernel" },
  // memcached's 0 and 1 are TLS 1.0 and 1.1.
  ssl_min_version: { value: oneOf("2", "3", "tlsv1.2", "tlsv1.3"), works: true },
  proxy_config: { value: anything, refusal: NO_PROXY },
  proxy_arg: { value: anything, refusal: NO_PROXY },
  proxy_uring: { refusal: NO_PROXY },
  proxy_memprofile: { refusal: NO_PROXY },
};

/**
 * Reads what `-o` was given, in order: a later word takes the place of an earlier one.
 *
 * @throws {ExitError} 64, in one line, for a word that memcached does not know, one that kvs refuses, and
 * a value that is missing or wrong.
 */
export function readExtended(given: readonly string[]): Extended {
  let idleTimeout: number | undefined;
  let trackSizes = false;
  let maxconnsFast = true;
  let replyMemory = 0;
  const ssl = new Map<string, string>();
  const settings = new Map<string, string>();
  const ignored: string[] = [];
  for (const part of given) {
    const equals = part.indexOf("=");
    const name = equals < 0 ? part : part.slice(0, equals);
    const value = equals < 0 ? undefined : part.slice(equals + 1);
    const word = Object.hasOwn(words, name) ? words[name]! : undefined;
    if (word === undefined) {
      throw wrong(`unknown word '${name}'${suggestion(name, Object.keys(words))}`);
    }
    if (word.refusal !== undefined) throw wrong(`${name} is refused: ${word.refusal}`);
    check(name, value, word);
    if (!word.works) ignored.push(part);
    for (const [setting, show] of word.shown ?? []) settings.set(setting, show(value ?? ""));
    if (name.startsWith("ssl_")) ssl.set(name.slice("ssl_".length), value ?? "");
    if (name === "idle_timeout") idleTimeout = Number(value);
    else if (name === "read_buf_mem_limit") replyMemory = Number(value) * MIB;
    else if (name === "track_sizes") trackSizes = true;
    else if (name === "maxconns_fast") maxconnsFast = true;
    else if (name === "no_maxconns_fast" || name === "no_modern") maxconnsFast = false;
  }
  return { idleTimeout, trackSizes, maxconnsFast, replyMemory, ssl, settings, ignored };
}

function check(name: string, value: string | undefined, word: Word): void {
  if (word.value === undefined) {
    if (value !== undefined) throw wrong(`${name} takes no value, received '${value}'`);
  } else if (value === undefined) {
    if (!word.optional) throw wrong(`${name} needs a value`);
  } else {
    const expected = word.value(value);
    if (expected !== undefined) throw wrong(`${name} takes ${expected}, received '${value}'`);
  }
}

function wrong(message: string): ExitError {
  return new ExitError(`-o/--extended: ${message}`, Exit.usage);
}
