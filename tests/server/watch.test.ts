/** Streams of what happens, for those who watch. */

import { assertEquals, assertMatch } from "@std/assert";
import { AdjustableClock } from "../../lib/clock.ts";
import { StoreError } from "../../lib/errors.ts";
import type { Listed } from "../../lib/storage/contract.ts";
import { openMemoryStore } from "../../lib/storage/memory/mod.ts";
import { ask, counting, Opcode, storing, u32 } from "../protocol/binary/frames.ts";
import { Harness, type HarnessOptions, ScriptedSocket, VERSION } from "./harness.ts";
import { receiveUntil, send } from "./wire.ts";
import { FailingStore } from "./wrapped_store.ts";

/** A client that says one line, and then nothing until it leaves. */
class WatchingSocket extends ScriptedSocket {
  /** What the next write waits for. */
  held: Promise<void> = Promise.resolve();
  readonly #left = Promise.withResolvers<null>();
  readonly #lost = Promise.withResolvers<never>();
  readonly #waiting: { lines: number; heard: PromiseWithResolvers<void> }[] = [];

  override async read(into: Uint8Array): Promise<number | null> {
    return await super.read(into) ?? await Promise.race([this.#left.promise, this.#lost.promise]);
  }

  override async write(bytes: Uint8Array): Promise<number> {
    await this.held;
    const count = await super.write(bytes);
    for (const { lines, heard } of this.#waiting) {
      if (this.lines.length >= lines) heard.resolve();
    }
    return count;
  }

  override close(): void {
    super.close();
    this.leave();
  }

  /** The client ends the connection. */
  leave(): void {
    this.#left.resolve(null);
  }

  /** Nobody knows the way to the client any more. */
  lose(error: Error): void {
    this.#lost.reject(error);
  }

  get lines(): string[] {
    return this.written.split("\n").slice(0, -1);
  }

  /** Waits until so many lines have come, and returns them without what differs from run to run. */
  async heard(lines: number): Promise<string[]> {
    const heard = Promise.withResolvers<void>();
    this.#waiting.push({ lines, heard });
    if (this.lines.length < lines) await heard.promise;
    return this.lines.slice(1).map((line) => line.replace(/^ts=\d+\.\d+ gid=\d+ /, ""));
  }
}

/** Lets a client watch, runs what the others ask, and returns the lines that come of it. */
async function watched(
  words: string,
  ask: readonly string[],
  lines: number,
  options: HarnessOptions = {},
): Promise<string[]> {
  await using harness = new Harness(options);
  harness.clock.pause();
  const socket = new WatchingSocket([`watch${words}\r\n`]);
  const serving = harness.serve(socket);
  await socket.heard(1);
  for (const sent of ask) await harness.exchange([sent]);
  const heard = await socket.heard(lines + 1);
  socket.leave();
  await serving;
  assertEquals(socket.lines[0], "OK\r");
  return heard;
}

Deno.test("watch fetchers tells of each key that is looked up, over each protocol", async () => {
  assertEquals(
    await watched(" fetchers", [
      "set k 0 0 3\r\nabc\r\nget k none\r\n",
      "mg k v\r\nmg k T30\r\nmg made N30\r\ngat 0 k\r\n",
      ask(Opcode.get, { key: "k" }) + ask(Opcode.getQ, { key: "none" }),
    ], 9),
    [
      "type=item_get key=k status=not_found clsid=0 cfd=1 size=0",
      "type=item_get key=k status=found clsid=1 cfd=1 size=3",
      "type=item_get key=none status=not_found clsid=0 cfd=1 size=0",
      "type=item_get key=k status=found clsid=1 cfd=1 size=3",
      "type=item_get key=k status=found clsid=1 cfd=1 size=3",
      "type=item_get key=made status=not_found clsid=0 cfd=1 size=0",
      "type=item_get key=k status=found clsid=1 cfd=1 size=3",
      "type=item_get key=k status=found clsid=1 cfd=1 size=3",
      "type=item_get key=none status=not_found clsid=0 cfd=1 size=0",
    ],
  );
});

Deno.test("watch without words tells of fetchers", async () => {
  assertEquals(
    await watched("", ["get k\r\n"], 1),
    ["type=item_get key=k status=not_found clsid=0 cfd=1 size=0"],
  );
});

Deno.test("watch mutations tells of each store and what came of it, over each protocol", async () => {
  assertEquals(
    await watched(" mutations", [
      "set k 0 100 3\r\nabc\r\nadd k 0 0 1\r\nx\r\nreplace none 0 0 2\r\nxy\r\n",
      "append k 0 0 1\r\nx\r\nprepend k 0 0 1\r\nx\r\ncas k 0 0 1 99999\r\nx\r\ncas none 0 0 1 5\r\nx\r\n",
      "ms k 2 T50\r\n55\r\nms k 1 ME\r\nx\r\n",
      ask(Opcode.setQ, { key: "k", value: "abcd", extras: storing(0, 7) }),
    ], 10),
    [
      "type=item_store key=k status=stored cmd=set ttl=100 clsid=1 cfd=1 size=3",
      "type=item_store key=k status=not_stored cmd=add ttl=0 clsid=1 cfd=1 size=1",
      "type=item_store key=none status=not_stored cmd=replace ttl=0 clsid=1 cfd=1 size=2",
      "type=item_store key=k status=stored cmd=append ttl=0 clsid=1 cfd=1 size=4",
      "type=item_store key=k status=stored cmd=prepend ttl=0 clsid=1 cfd=1 size=5",
      "type=item_store key=k status=exists cmd=cas ttl=0 clsid=1 cfd=1 size=1",
      "type=item_store key=none status=not_found cmd=cas ttl=0 clsid=1 cfd=1 size=1",
      "type=item_store key=k status=stored cmd=set ttl=50 clsid=1 cfd=1 size=2",
      "type=item_store key=k status=not_stored cmd=add ttl=0 clsid=1 cfd=1 size=1",
      "type=item_store key=k status=stored cmd=set ttl=7 clsid=1 cfd=1 size=4",
    ],
  );
});

Deno.test("watch mutations tells of what is too large", async () => {
  const large = "x".repeat(2 ** 20);
  assertEquals(
    await watched(" mutations", [`set k 0 0 ${large.length}\r\n${large}\r\n`], 1),
    ["type=item_store key=k status=too_large cmd=set ttl=0 clsid=0 cfd=1 size=0"],
  );
});

Deno.test("watch deletions tells of each item that was deleted, and by which command", async () => {
  assertEquals(
    await watched(" deletions", [
      "set k 0 0 3\r\nabc\r\ndelete k\r\ndelete k\r\nms k 2\r\nab\r\nmd k I\r\nmd k\r\nmd k\r\n",
      ask(Opcode.setQ, { key: "k", value: "a", extras: storing() }) +
      ask(Opcode.delete, { key: "k" }),
    ], 3),
    [
      "type=deleted key=k cmd=delete clsid=1 size=3",
      "type=deleted key=k cmd=md clsid=1 size=2",
      "type=deleted key=k cmd=delete clsid=1 size=1",
    ],
  );
});

Deno.test("a watched deletion counts hits, misses and compares as any other", async () => {
  await using harness = new Harness();
  harness.context.watchers.add(8);
  assertEquals(
    await harness.exchange(["ms k 1 E7\r\na\r\nmd k C8\r\nmd k C7\r\ndelete k\r\n"]),
    "HD\r\nEX\r\nHD\r\nNOT_FOUND\r\n",
  );
  const { delete_hits, delete_misses } = harness.context.counters;
  assertEquals([delete_hits, delete_misses], [1, 2]);
});

Deno.test("watch fetchers tells of what a change looks up, before the change", async () => {
  const found = (key: string, size: number) =>
    `type=item_get key=${key} status=found clsid=1 cfd=1 size=${size}`;
  assertEquals(
    await watched(" fetchers mutations deletions", [
      "set k 0 0 1\r\n1\r\nincr k 1\r\nms k 2\r\nab\r\nmd k\r\n",
    ], 7),
    [
      "type=item_get key=k status=not_found clsid=0 cfd=1 size=0",
      "type=item_store key=k status=stored cmd=set ttl=0 clsid=1 cfd=1 size=1",
      found("k", 1),
      found("k", 1),
      "type=item_store key=k status=stored cmd=set ttl=0 clsid=1 cfd=1 size=2",
      found("k", 2),
      "type=deleted key=k cmd=md clsid=1 size=2",
    ],
  );
});

Deno.test("watch fetchers tells of touches and of me, over each protocol", async () => {
  const found = "type=item_get key=k status=found clsid=1 cfd=1 size=3";
  const missed = "type=item_get key=none status=not_found clsid=0 cfd=1 size=0";
  assertEquals(
    await watched(" fetchers", [
      "ms k 3 q\r\nabc\r\ntouch k 30\r\ntouch none 30\r\nme k\r\nme none\r\n",
      ask(Opcode.touch, { key: "k", extras: u32(9) }) +
      ask(Opcode.touch, { key: "none", extras: u32(9) }),
    ], 7),
    [
      "type=item_get key=k status=not_found clsid=0 cfd=1 size=0",
      ...[found, missed, found, missed, found, missed],
    ],
  );
});

Deno.test("watch mutations tells of a number that is made where none is", async () => {
  assertEquals(
    await watched(" mutations", [
      "ma m N30 J100\r\nma m N30\r\nincr none 1\r\nincr m 1\r\n",
      ask(Opcode.incr, { key: "n", extras: counting(1n, 7n, 60) }),
    ], 2),
    [
      "type=item_store key=m status=stored cmd=add ttl=30 clsid=1 cfd=1 size=3",
      "type=item_store key=n status=stored cmd=add ttl=60 clsid=1 cfd=1 size=1",
    ],
  );
});

Deno.test("watch evictions tells of each item that made room", async () => {
  const clock = new AdjustableClock();
  const evicted: Listed[] = [];
  let tell = (item: Listed): void => void evicted.push(item);
  const store = openMemoryStore({
    clock,
    log: () => {},
    limit: 2000,
    evict: true,
    onEvicted: (item) => tell(item),
  });
  await using harness = new Harness({ clock, store: () => store });
  clock.pause();
  tell = (item) => harness.context.watchers.evicted(item, clock.now());
  const socket = new WatchingSocket(["watch evictions\r\n"]);
  const serving = harness.serve(socket);
  await socket.heard(1);
  await harness.exchange(["set first 0 100 500\r\n" + "x".repeat(500) + "\r\n"]);
  clock.offset += 10_000;
  for (let i = 0; i < 4; i++) {
    await harness.exchange([`set k${i} 0 0 500\r\n${"x".repeat(500)}\r\n`]);
  }
  const [line] = await socket.heard(2);
  assertEquals(line, "type=eviction key=first fetch=no ttl=90 la=10 clsid=1 size=500");
  socket.leave();
  await serving;
});

Deno.test("watch connevents tells of connections that come and go", async () => {
  await using harness = new Harness({}, true);
  using watcher = await harness.connect();
  await send(watcher, "watch connevents\r\n");
  assertEquals(await receiveUntil(watcher, "\n"), "OK\r\n");
  const client = await harness.connect();
  const { port } = client.localAddr as Deno.NetAddr;
  const came = await receiveUntil(watcher, "\n");
  assertMatch(
    came,
    new RegExp(
      `^ts=\\d+\\.\\d+ gid=\\d+ type=conn_new rip=127.0.0.1 rport=${port} transport=tcp cfd=\\d+\n$`,
    ),
  );
  client.close();
  const cfd = /cfd=\d+/.exec(came)![0];
  assertMatch(
    await receiveUntil(watcher, "\n"),
    new RegExp(`type=conn_close rip=127.0.0.1 rport=${port} transport=tcp reason=normal ${cfd}\n$`),
  );
});

Deno.test("watch of several kinds tells of all, in their order, and counts them up", async () => {
  await using harness = new Harness();
  const socket = new WatchingSocket(["watch fetchers mutations deletions\r\n"]);
  const serving = harness.serve(socket);
  await socket.heard(1);
  await harness.exchange(["set k 0 0 1\r\na\r\nget k\r\ndelete k\r\n"]);
  await socket.heard(6);
  const lines = socket.lines.slice(1);
  assertEquals(lines.map((line) => /type=(\w+)/.exec(line)![1]), [
    "item_get",
    "item_store",
    "item_get",
    "item_get",
    "deleted",
  ]);
  assertEquals(lines.map((line) => /gid=(\d+)/.exec(line)![1]), ["1", "2", "3", "4", "5"]);
  socket.leave();
  await serving;
});

Deno.test("a watched key is encoded as in a URI", async () => {
  const [line] = await watched("", ["mg ACANCiX/ b\r\nget a-._~Z%\r\n"], 2);
  assertEquals(/key=(\S*)/.exec(line)![1], "%00%20%0D%0A%25%FF");
});

Deno.test("a word for a kind may be cut short, and another one is an ERROR", async () => {
  await using harness = new Harness();
  assertEquals(await harness.exchange(["watch nonsense\r\n"]), "ERROR\r\n");
  assertEquals(await harness.exchange(["watch fetchers nonsense\r\n"]), "ERROR\r\n");
  assertEquals(await harness.exchange(["watch mut\r\n"]), "OK\r\n");
  assertEquals(
    await harness.exchange(["watch rawcmds sysevents proxyreqs proxyevents proxyuser\r\n"]),
    "OK\r\n",
  );
});

Deno.test("watch is refused where it is not allowed", async () => {
  await using harness = new Harness({ context: { allowWatch: false } });
  assertEquals(
    await harness.exchange(["watch\r\nversion\r\n"]),
    `CLIENT_ERROR watch commands not allowed\r\nVERSION ${VERSION}\r\n`,
  );
});

Deno.test("watch is refused behind a reply that has not left, and the connection goes on", async () => {
  await using harness = new Harness();
  assertEquals(
    await harness.exchange(["version\r\nwatch\r\nget k\r\n"]),
    `VERSION ${VERSION}\r\nERROR cannot pipeline other commands before watch\r\nEND\r\n`,
  );
  assertEquals(harness.context.watchers.kinds, 0);
});

Deno.test("what a watcher says is passed over", async () => {
  await using harness = new Harness();
  const socket = new WatchingSocket([
    "watch mutations\r\nset k 0 0 1\r\na\r\n",
    "set k 0 0 1\r\na\r\n",
  ]);
  const serving = harness.serve(socket);
  await socket.heard(1);
  await harness.exchange(["set l 0 0 1\r\na\r\n"]);
  assertEquals((await socket.heard(2)).length, 1);
  assertEquals(await harness.exchange(["get k\r\n"]), "END\r\n");
  socket.leave();
  await serving;
});

Deno.test("a watcher that leaves is told nothing more, and nobody pays for it", async () => {
  await using harness = new Harness();
  const { watchers } = harness.context;
  const socket = new WatchingSocket(["watch fetchers\r\n"]);
  const serving = harness.serve(socket);
  await socket.heard(1);
  assertEquals([watchers.count, watchers.kinds], [1, 1]);
  socket.leave();
  await serving;
  assertEquals([watchers.count, watchers.kinds, socket.closed], [0, 0, true]);
  await harness.exchange(["get k\r\nset k 0 0 1\r\na\r\ndelete k\r\n"]);
  assertEquals(watchers.written, 0);
});

Deno.test("no line is made of a kind that nobody watches", async () => {
  await using harness = new Harness();
  const socket = new WatchingSocket(["watch deletions\r\n"]);
  const serving = harness.serve(socket);
  await socket.heard(1);
  await harness.exchange(["set k 0 0 1\r\na\r\nget k\r\n"]);
  assertEquals(harness.context.watchers.written, 0);
  socket.leave();
  await serving;
});

Deno.test("there are at most 20 watchers, and one more when one has left", async () => {
  await using harness = new Harness();
  const sockets = Array.from({ length: 20 }, () => new WatchingSocket(["watch\r\n"]));
  const serving = sockets.map((socket) => harness.serve(socket));
  await Promise.all(sockets.map((socket) => socket.heard(1)));
  assertEquals(
    await harness.exchange(["watch\r\nversion\r\n"]),
    `WATCHER_TOO_MANY log watcher limit reached\r\nVERSION ${VERSION}\r\n`,
  );
  assertEquals(harness.context.counters.refused_watchers, 1);
  sockets[7].leave();
  await serving[7];
  assertEquals(await harness.exchange(["watch\r\n"]), "OK\r\n");
  for (const socket of sockets) socket.leave();
  await Promise.all(serving);
});

Deno.test("a watcher that does not read loses lines, is told how many, and holds up nobody", async () => {
  await using harness = new Harness();
  const { watchers } = harness.context;
  const socket = new WatchingSocket(["watch\r\n"]);
  const serving = harness.serve(socket);
  await socket.heard(1);
  const gate = Promise.withResolvers<void>();
  socket.held = gate.promise;
  const gets = 20_000;
  assertEquals(await harness.exchange(["get k\r\n".repeat(gets)]), "END\r\n".repeat(gets));
  const { skipped, written } = watchers;
  assertEquals([written, skipped > 0], [gets, true]);
  gate.resolve();
  await socket.heard(1 + gets - skipped);
  await harness.exchange(["get last\r\n"]);
  const lines = await socket.heard(1 + gets - skipped + 2);
  assertEquals(lines.at(-2), `skipped=${skipped}`);
  assertMatch(lines.at(-1)!, /key=last/);
  socket.leave();
  await serving;
  assertEquals(watchers.sent, gets - skipped + 1);
  const figures = await harness.exchange(["stats\r\n"]);
  assertEquals(/log_watcher_skipped (\d+)/.exec(figures)![1], String(skipped));
});

Deno.test("the server's end ends a watcher", async () => {
  const harness = new Harness({}, true);
  using conn = await harness.connect();
  await send(conn, "watch\r\n");
  assertEquals(await receiveUntil(conn, "\n"), "OK\r\n");
  await harness[Symbol.asyncDispose]();
  assertEquals(await receiveUntil(conn, "\n"), "");
});

Deno.test("what was asked before a watch is safe before the watch begins", async () => {
  const store = new FailingStore(new AdjustableClock(), false);
  await using harness = new Harness({ store: () => store });
  const socket = new WatchingSocket(["set k 0 0 1 noreply\r\na\r\nwatch\r\n"]);
  const serving = harness.serve(socket);
  await socket.heard(1);
  assertEquals(store.commits, 1);
  socket.leave();
  await serving;
});

Deno.test("a watch behind a change that could not be kept is the error", async () => {
  const store = new FailingStore(new AdjustableClock(), false);
  await using harness = new Harness({ store: () => store });
  store.commitFailure = new StoreError("cannot reach the disk");
  const socket = new ScriptedSocket(["set k 0 0 1 noreply\r\na\r\nwatch\r\n"]);
  await harness.serve(socket);
  assertEquals(socket.written, "SERVER_ERROR cannot reach the disk\r\n");
  assertEquals(harness.context.watchers.count, 0);
});

Deno.test("a watcher is shown as such among the connections", async () => {
  await using harness = new Harness({}, true);
  using watcher = await harness.connect();
  await send(watcher, "watch\r\n");
  await receiveUntil(watcher, "\n");
  using conn = await harness.connect();
  await send(conn, "stats conns\r\n");
  const conns = await receiveUntil(conn, "END\r\n");
  assertEquals([...conns.matchAll(/:state (\S+)/g)].map(([, state]) => state), [
    "conn_listening",
    "conn_watch",
    "conn_parse_cmd",
  ]);
});

Deno.test("a watcher to whom there is no way any more ends alone, also while it is sent something, and is no news", async () => {
  await using harness = new Harness();
  const socket = new WatchingSocket(["watch fetchers\r\n"]);
  const serving = harness.serve(socket);
  await socket.heard(1);
  const held = Promise.withResolvers<void>();
  socket.held = held.promise;
  await harness.exchange(["get a\r\n"]);
  const lost = Object.assign(new Error("No route to host (os error 113)"), {
    code: "EHOSTUNREACH",
  });
  socket.lose(lost);
  // The rejection would be nobody's in the next turn.
  await new Promise((resolve) => setTimeout(resolve));
  held.reject(lost);
  await serving;
  assertEquals(harness.said, []);
});
