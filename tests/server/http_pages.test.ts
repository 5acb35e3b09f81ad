import { assertEquals, assertMatch } from "@std/assert";
import { ServerProcess } from "./process.ts";

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
    assertMatch(
      await (await fetch(`http://127.0.0.1:${port}/metrics`)).text(),
      /^kvs_http_connections 10\d$/m,
    );
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
