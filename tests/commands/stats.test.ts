import { assert, assertEquals, assertMatch } from "@std/assert";
import { AdjustableClock } from "../../lib/clock.ts";
import type { StoreInfo } from "../../lib/storage/contract.ts";
import { Harness } from "../server/harness.ts";
import { WrappedStore } from "../server/wrapped_store.ts";
import { rules } from "./rules.ts";

/** The names of `stats` in memcached's order. */
const NAMES = `pid uptime time version libevent pointer_size rusage_user rusage_system
max_connections curr_connections total_connections rejected_connections connection_structures
response_obj_oom response_obj_count response_obj_bytes read_buf_count read_buf_bytes
read_buf_bytes_free read_buf_oom reserved_fds cmd_get cmd_set cmd_flush cmd_touch cmd_meta get_hits
get_misses get_expired get_flushed delete_misses delete_hits incr_misses incr_hits decr_misses
decr_hits cas_misses cas_hits cas_badval touch_hits touch_misses store_too_large store_no_memory
auth_cmds auth_errors bytes_read bytes_written limit_maxbytes accepting_conns
listen_disabled_num time_in_listen_disabled_us threads conn_yields hash_power_level hash_bytes
hash_is_expanding slab_reassign_rescues slab_reassign_chunk_rescues slab_reassign_inline_reclaim
slab_reassign_busy_items slab_reassign_busy_deletes slab_reassign_busy_nomem
slab_reassign_last_busy_status slab_reassign_running slabs_moved
lru_crawler_running lru_crawler_starts lru_maintainer_juggles malloc_fails log_worker_dropped
log_worker_written log_watcher_skipped log_watcher_sent log_watchers unexpected_napi_ids
round_robin_fallback bytes curr_items total_items slab_global_page_pool expired_unfetched
evicted_unfetched evicted_active evictions reclaimed crawler_reclaimed crawler_items_checked
lrutail_reflocked moves_to_cold moves_to_warm moves_within_lru direct_reclaims lru_bumps_dropped`
  .split(/\s+/);

/** The figures of a reply to `stats`, each a line of three words. */
function figuresOf(reply: string): Record<string, string> {
  const lines = reply.split("\r\n");
  assertEquals(lines.slice(-2), ["END", ""]);
  return Object.fromEntries(
    lines.slice(0, -2).map((line) => {
      assertMatch(line, /^STAT [^ ]+ [^ ]+$/);
      return line.split(" ").slice(1);
    }),
  );
}

async function figuresAfter(sent: string, harness: Harness): Promise<Record<string, string>> {
  await harness.exchange([sent]);
  return figuresOf(await harness.exchange(["stats\r\n"]));
}

Deno.test("stats: returns memcached's names in memcached's order, each line three words", async () => {
  await using harness = new Harness();
  const figures = figuresOf(await harness.exchange(["stats\r\n"]));
  assertEquals(Object.keys(figures), NAMES);
});

Deno.test("stats: all but three are numbers", async () => {
  await using harness = new Harness();
  const {
    version,
    libevent,
    slab_reassign_last_busy_status: busy,
    ...others
  } = figuresOf(await harness.exchange(["stats\r\n"]));
  assertEquals(busy, "none");
  assertMatch(version, /^\d+\.\d+\.\d+/);
  assertEquals(libevent, "none");
  assertEquals(Object.entries(others).filter(([, value]) => !/^\d+(\.\d{6})?$/.test(value)), []);
});

Deno.test("stats: counts what the commands did", async () => {
  await using harness = new Harness();
  const script = "set k 0 0 1\r\n1\r\nget k l m\r\ngets k\r\n" +
    "incr k 1\r\nincr l 1\r\nincr l 1\r\ndecr k 1\r\ndecr l 1\r\ndecr l 1\r\ndecr l 1\r\n" +
    "touch k 0\r\ntouch l 0\r\ngat 0 k l\r\n" +
    "cas k 0 0 1 3\r\n1\r\ncas k 0 0 1 1\r\n1\r\ncas k 0 0 1 1\r\n1\r\ncas l 0 0 1 1\r\n1\r\n" +
    "add k 0 0 1\r\n1\r\ndelete k\r\ndelete k\r\ndelete k\r\nflush_all\r\n" +
    `set k 0 0 1048576\r\n${"x".repeat(1048576)}\r\n`;
  const figures = await figuresAfter(script, harness);
  const expected = {
    cmd_get: "4",
    get_hits: "2",
    get_misses: "2",
    cmd_set: "6",
    incr_hits: "1",
    incr_misses: "2",
    decr_hits: "1",
    decr_misses: "3",
    cmd_touch: "4",
    touch_hits: "2",
    touch_misses: "2",
    cas_hits: "1",
    cas_badval: "2",
    cas_misses: "1",
    delete_hits: "1",
    delete_misses: "2",
    cmd_flush: "1",
    store_too_large: "1",
    curr_items: "0",
    total_items: "2",
  };
  const found = Object.keys(expected).map((name) => [name, figures[name]]);
  assertEquals(Object.fromEntries(found), expected);
});

Deno.test("stats: counts what meta commands did as what the others do", async () => {
  await using harness = new Harness();
  const script = "ms k 1 E5\r\n1\r\nmg k\r\nmg none\r\nmg k T0\r\nmg none T0\r\nmg made N0\r\n" +
    "ma k\r\nma k MD\r\nma none\r\nma none MD\r\nma new N0\r\nms k 1 E6\r\n1\r\n" +
    "ms k 1 C6 E7\r\n1\r\nms k 1 C6\r\n1\r\nms none 1 C6\r\n1\r\nms k 1 MA C6\r\n1\r\n" +
    "me k\r\nme none\r\nmd k I\r\nmd k\r\nmd k\r\nmn\r\n";
  const figures = await figuresAfter(script, harness);
  const expected = {
    cmd_get: "4",
    get_hits: "2",
    get_misses: "2",
    cmd_touch: "1",
    touch_hits: "1",
    touch_misses: "0",
    cmd_set: "6",
    incr_hits: "1",
    incr_misses: "1",
    decr_hits: "1",
    decr_misses: "1",
    cas_hits: "1",
    cas_badval: "1",
    cas_misses: "1",
    cmd_meta: "2",
    delete_hits: "1",
    delete_misses: "1",
    total_items: "5",
  };
  const found = Object.keys(expected).map((name) => [name, figures[name]]);
  assertEquals(Object.fromEntries(found), expected);
});

Deno.test("stats: tells misses on what had expired and on what was flushed", async () => {
  await using harness = new Harness();
  await harness.exchange(["set a 0 1 1\r\nx\r\nset b 0 0 1\r\nx\r\n"]);
  harness.advance(2);
  await harness.exchange(["get a\r\nflush_all\r\n"]);
  const { get_misses, get_expired, get_flushed } = await figuresAfter("get b\r\n", harness);
  assertEquals([get_misses, get_expired, get_flushed], ["2", "1", "1"]);
});

Deno.test("stats: counts items and bytes that are there", async () => {
  await using harness = new Harness();
  const before = await figuresAfter("set a 0 0 10\r\n0123456789\r\nset b 0 0 1\r\nx\r\n", harness);
  assertEquals([before.curr_items, before.total_items], ["2", "2"]);
  const after = await figuresAfter("delete a\r\n", harness);
  assertEquals([after.curr_items, after.total_items], ["1", "2"]);
  assertEquals(Number(before.bytes) > Number(after.bytes), true);
});

Deno.test("stats: counts bytes read and written", async () => {
  await using harness = new Harness();
  const { bytes_read, bytes_written } = await figuresAfter(
    "set k 0 0 1\r\na\r\nget k\r\n",
    harness,
  );
  assertEquals(Number(bytes_read), "set k 0 0 1\r\na\r\nget k\r\nstats\r\n".length);
  assertEquals(Number(bytes_written), "STORED\r\nVALUE k 0 1\r\na\r\nEND\r\n".length);
});

Deno.test("stats: uptime and time follow the clock", async () => {
  await using harness = new Harness();
  harness.advance(100);
  const { uptime, time } = await figuresAfter("", harness);
  assertEquals(Number(uptime) - 100 <= 1, true);
  assertEquals(Math.abs(Number(time) - 100 - Date.now() / 1000) < 2, true);
});

Deno.test("stats: a clock that is set back makes no uptime negative", async () => {
  await using harness = new Harness();
  harness.advance(-3600);
  const { uptime, time } = await figuresAfter("", harness);
  assertEquals(uptime, "0");
  assert(Math.abs(Number(time) + 3600 - Date.now() / 1000) < 2, time);
});

Deno.test("stats reset: sets the counts to zero and leaves the items", async () => {
  await using harness = new Harness();
  await harness.exchange([
    "set k 0 0 1\r\na\r\nget k\r\nset l 0 0 1\r\na\r\nflush_all\r\nget l\r\n",
  ]);
  assertEquals(
    await harness.exchange(["set k 0 0 1\r\na\r\nstats reset\r\n"]),
    "STORED\r\nRESET\r\n",
  );
  const figures = await figuresAfter("", harness);
  const zero = ["cmd_get", "cmd_set", "cmd_flush", "get_hits", "get_misses", "get_flushed"]
    .concat("total_items", "evictions", "reclaimed");
  assertEquals(zero.filter((name) => figures[name] !== "0"), []);
  assertEquals(figures.curr_items, "1");
});

rules("stats", {
  "settings returns what the server was started with": [
    ["stats settings\r\n", "STAT maxconns 100\r\nSTAT flush_enabled yes\r\nEND\r\n"],
  ],
  "a name may be cut short": [
    ["stats set\r\n", "STAT maxconns 100\r\nSTAT flush_enabled yes\r\nEND\r\n"],
    ["stats res\r\n", "RESET\r\n"],
  ],
  "an unknown name is an ERROR": [
    ["stats nonsense\r\n", "ERROR\r\n"],
    ["stats settingsx\r\n", "ERROR\r\n"],
  ],
  "noreply is no word of it": [["stats reset noreply\r\n", "RESET\r\n"]],
  "sizes are not kept": [["stats sizes\r\n", "STAT sizes_status disabled\r\nEND\r\n"]],
  "extstore is not there": [["stats extstore\r\n", "END\r\n"]],
  "items and slabs of an empty store": [
    ["stats items\r\n", "END\r\n"],
    ["stats slabs\r\n", "STAT active_slabs 0\r\nSTAT total_malloced 0\r\nEND\r\n"],
  ],
});

Deno.test("stats items: counts all items in one class", async () => {
  await using harness = new Harness();
  await harness.exchange(["set a 0 0 1\r\nx\r\nset b 0 0 1\r\nx\r\n"]);
  const figures = figuresOf(await harness.exchange(["stats items\r\n"]));
  assertEquals(figures["items:1:number"], "2");
});

Deno.test("stats slabs: has one class where there are items", async () => {
  await using harness = new Harness();
  await harness.exchange(["set a 0 0 1\r\nx\r\n"]);
  const figures = figuresOf(await harness.exchange(["stats slabs\r\n"]));
  assertEquals(figures.active_slabs, "1");
  assertEquals(Number(figures["1:used_chunks"]) > 0, true);
});

Deno.test("stats: what a store counts is never below zero after a reset, also where it begins anew", async () => {
  const counts = { evictions: 1000, reclaimed: 2000, flushedReads: 5 };
  class Counting extends WrappedStore {
    override info(): StoreInfo {
      return { ...super.info(), ...counts };
    }
  }
  const clock = new AdjustableClock();
  await using harness = new Harness({ clock, store: () => new Counting(clock) });
  const told = async () => {
    const { evictions, reclaimed } = figuresOf(await harness.exchange(["stats\r\n"]));
    return [evictions, reclaimed];
  };
  assertEquals(await told(), ["1000", "2000"]);
  await harness.exchange(["stats reset\r\n"]);
  counts.evictions += 1;
  assertEquals(await told(), ["1", "0"]);
  // Redis was started again.
  Object.assign(counts, { evictions: 7, reclaimed: 0 });
  assertEquals(await told(), ["7", "0"]);
});
