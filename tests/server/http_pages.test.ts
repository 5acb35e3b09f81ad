import { assert, assertEquals, assertMatch } from "@std/assert";
import { sourceOf } from "../../lib/commands/stats.ts";
import { Health } from "../../lib/observe/health.ts";
import { Log } from "../../lib/observe/log.ts";
import { Timing } from "../../lib/observe/timing.ts";
import { type Feed, Live } from "../../lib/server/http/live.ts";
import { readExposition } from "../observe/exposition.ts";
import { Harness } from "./harness.ts";
import { ServerProcess } from "./process.ts";
import { receiveUntil, send } from "./wire.ts";

const HTTP = /http on 127\.0\.0\.1:(\d+)/;

/** A page that is open, whose events are read as far as the first. */
async function openPage(port: number): Promise<Deno.Conn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  await conn.read(new Uint8Array(64 * 1024));
  return conn;
}

Deno.test("http: a server with a hundred open pages that nobody reads serves as before", async () => {
  await using server = await ServerProcess.start(["-p", "-1", "--http", "0", "--store", "memory"]);
  await server.says(HTTP);
  const port = Number(HTTP.exec(server.said)![1]);
  const pages = [];
  for (let i = 0; i < 100; i++) pages.push(await openPage(port));
  try {
    assertEquals(await (await fetch(`http://127.0.0.1:${port}/readyz`)).text(), "ready\n");
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    assertMatch(metrics, /^kvs_http_connections 10\d$/m);
    assertMatch(metrics, /^kvs_http_pages 100$/m);
    assertMatch(metrics, /^kvs_budget_used_ratio\{budget="http_pages"\} 0\.78125$/m);
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await conn.write(new TextEncoder().encode("set a 0 0 1\r\nx\r\n"));
    const bytes = new Uint8Array(100);
    const count = await conn.read(bytes);
    assertEquals(new TextDecoder().decode(bytes.subarray(0, count!)), "STORED\r\n");
  } finally {
    for (const page of pages) page.close();
  }
});

Deno.test("http: pages that are gone are forgotten, and no more than 128 are open", async () => {
  await using server = await ServerProcess.start(["-p", "-1", "--http", "0", "--store", "memory"]);
  await server.says(HTTP);
  const port = Number(HTTP.exec(server.said)![1]);
  const pages = [];
  for (let i = 0; i < 128; i++) pages.push(await openPage(port));
  const oneMore = () => fetch(`http://127.0.0.1:${port}/events`);
  const refused = await oneMore();
  assertEquals(refused.status, 503);
  await refused.body?.cancel();
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  assertMatch(metrics, /^kvs_http_pages_limit 128$/m);
  assertMatch(metrics, /^kvs_http_pages_refused_total 1$/m);
  for (const page of pages) page.close();
  for (;;) {
    const response = await oneMore();
    await response.body?.cancel();
    if (response.status === 200) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

Deno.test("http: history has as many samples as columns say", async () => {
  await using server = await ServerProcess.start(["-p", "-1", "--http", "0", "--store", "memory"]);
  await server.says(HTTP);
  const url = `http://127.0.0.1:${HTTP.exec(server.said)![1]}/history`;
  for (;;) {
    const { names, times, columns } = await (await fetch(url)).json();
    assertEquals(columns.length, names.length);
    for (const column of columns) assertEquals(column.length, times.length);
    if (times.length > 0) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

Deno.test("http: a scraper that takes a byte at a time holds nobody up", async () => {
  await using server = await ServerProcess.start(["-p", "-1", "--http", "0", "--store", "memory"]);
  await server.says(HTTP);
  const port = Number(HTTP.exec(server.said)![1]);
  const scrapers = await Promise.all(Array.from({ length: 20 }, async () => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    // More answers than the system's buffers hold.
    const request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    await conn.write(new TextEncoder().encode(request));
    return conn;
  }));
  try {
    using client = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    for (let i = 0; i < 20; i++) {
      for (const scraper of scrapers) await scraper.read(new Uint8Array(1));
      await send(client, "set a 0 0 1\r\nx\r\n");
      assertEquals(await receiveUntil(client, "\r\n"), "STORED\r\n");
      const response = await fetch(`http://127.0.0.1:${port}/readyz`);
      assertEquals(await response.text(), "ready\n");
    }
    const { values } = readExposition(
      await (await fetch(`http://127.0.0.1:${port}/metrics`)).text(),
    );
    // What 20 clients leave unread is a few buffers each, not 100 answers.
    assert(values.get("kvs_resident_memory_bytes")! < 400 * 2 ** 20);
  } finally {
    for (const scraper of scrapers) scraper.close();
  }
});

/** A log whose lines nobody is told. */
function quietLog(): Log {
  return new Log({
    ...{ format: "text", level: "notice", journal: false, verbosity: () => 0 },
    now: () => 0,
    write: () => {},
  });
}

/** What pages are told of a server without processes. */
function feedOf(harness: Harness, log: Log): Feed {
  return {
    health: new Health(),
    log,
    timing: new Timing(),
    title: "",
    source: () => sourceOf(harness.context),
    talkers: () => [],
  };
}

Deno.test("http: a page is told the log with its first event, and again when there is a new line", async () => {
  await using harness = new Harness();
  const log = quietLog();
  log.say("one");
  const live = new Live(feedOf(harness, log), 5);
  try {
    const logs: string[] = [];
    let without = 0;
    for await (const text of live.events().body!.pipeThrough(new TextDecoderStream())) {
      const { log: lines } = JSON.parse(text.slice("data: ".length));
      if (lines === undefined) without++;
      else logs.push(lines.map(({ text }: { text: string }) => text).join(" "));
      if (without === 1) log.say("two");
      if (logs.length === 2 && without > 1) break;
    }
    assertEquals(logs, ["one", "one two"]);
  } finally {
    live.close();
  }
});

Deno.test("http: a page that was open for long is told to ask again, and its stream ends", async () => {
  await using harness = new Harness();
  const live = new Live(feedOf(harness, quietLog()), 5, 0);
  try {
    const events = await new Response(live.events().body).text();
    assert(events.endsWith("\n\nevent: again\ndata:\n\n"), events);
    assertEquals(live.pages, 0);
  } finally {
    live.close();
  }
});

Deno.test("http: of a hundred pages that stop to read none is kept waiting for, and what waits is bounded", async () => {
  await using harness = new Harness();
  const live = new Live(feedOf(harness, quietLog()), 5);
  try {
    const pages = Array.from({ length: 100 }, () => live.events());
    assertEquals(live.pages, 100);
    while (live.pages > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    for (const page of pages) {
      const reader = page.body!.getReader();
      let events = 0;
      // An error empties the queue: what a page had not taken is gone with it.
      for (; events <= 100; events++) if (await reader.read().then(() => false, () => true)) break;
      assert(events <= 10, `${events} events waited`);
    }
  } finally {
    live.close();
  }
});
