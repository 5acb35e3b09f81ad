import { assertEquals } from "@std/assert";
import { strayImports } from "./imports.ts";
import { trackedFiles } from "./tracked_files.ts";

/** Lays `files` out in a directory of their own and returns what strays among them. */
async function straysAmong(files: Record<string, string>): Promise<string[]> {
  const root = await Deno.makeTempDir();
  try {
    for (const [path, text] of Object.entries({ "deno.json": "{}", ...files })) {
      await Deno.mkdir(`${root}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${root}/${path}`, text);
    }
    return await strayImports(root, Object.keys(files));
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("every import runs one way", async () => {
  const files = (await trackedFiles()).filter((path) => /^(lib\/.*|\w+)\.ts$/.test(path));
  assertEquals(await strayImports(Deno.cwd(), files), []);
});

Deno.test("every dynamic import in lib/ names its module, so that the rule above can see it", async () => {
  const computed = [];
  for (const path of (await trackedFiles()).filter((path) => /^lib\/.*\.ts$/.test(path))) {
    const text = await Deno.readTextFile(path);
    if (/^(?! *(?:\/\/|\*)).*\bimport\(\s*[^\s"']/m.test(text)) computed.push(path);
  }
  assertEquals(computed, []);
});

Deno.test("an import that runs the right way is no stray", async () => {
  assertEquals(
    await straysAmong({
      "lib/errors.ts": "",
      "lib/protocol/message.ts": 'import "../errors.ts";',
      "lib/storage/store.ts": 'import "../errors.ts";',
      "lib/storage/disk/log.ts": 'import "../store.ts";',
      "lib/storage/disk/mod.ts": 'import "./log.ts";',
      "lib/storage/open.ts": 'await import("./disk/mod.ts");',
      "lib/observe/stats.ts": "",
      "lib/commands/table.ts": 'import "../protocol/message.ts"; import "../storage/store.ts";',
      "lib/server/listen.ts": 'import "../commands/table.ts"; import "../observe/stats.ts";',
      "server.ts": 'import "./lib/server/listen.ts"; import "./lib/storage/open.ts";',
    }),
    [],
  );
});

Deno.test("an import that runs up or across is a stray, whatever its kind", async () => {
  assertEquals(
    await straysAmong({
      "lib/errors.ts": 'export type { Log } from "./observe/log.ts";',
      "lib/observe/log.ts": "export interface Log {}",
      "lib/protocol/message.ts": 'await import("../storage/store.ts");',
      "lib/storage/store.ts": 'import type { Log } from "../observe/log.ts"; export type L = Log;',
      "lib/client/client.ts": 'import "../server/listen.ts";',
      "lib/server/listen.ts": 'import "../../server.ts"; import "../../tests/tools.ts";',
      "server.ts": "",
    }),
    [
      "lib/client/client.ts imports ../server/listen.ts: client stands below server or beside it",
      "lib/errors.ts imports ./observe/log.ts: base stands below observe or beside it",
      "lib/protocol/message.ts imports ../storage/store.ts: protocol stands below storage or beside it",
      "lib/server/listen.ts imports ../../server.ts: only rooms of lib/ may be imported",
      "lib/server/listen.ts imports ../../tests/tools.ts: only rooms of lib/ may be imported",
      "lib/storage/store.ts imports ../observe/log.ts: storage stands below observe or beside it",
    ],
  );
});

Deno.test("a driver is a stray anywhere but in its folder and where stores are opened", async () => {
  assertEquals(
    await straysAmong({
      "lib/storage/memory/mod.ts": "",
      "lib/storage/disk/mod.ts": 'import "../memory/mod.ts";',
      "lib/storage/gcs/mod.ts": 'import "../disk/mod.ts";',
      "lib/commands/table.ts": 'import "../storage/memory/mod.ts";',
    }),
    [
      "lib/commands/table.ts imports ../storage/memory/mod.ts: only lib/storage/open.ts knows the drivers",
      "lib/storage/disk/mod.ts imports ../memory/mod.ts: only lib/storage/open.ts knows the drivers",
      "lib/storage/gcs/mod.ts imports ../disk/mod.ts: only lib/storage/open.ts knows the drivers",
    ],
  );
});

Deno.test("a store's package is a stray outside its driver, and a room nobody planned is one too", async () => {
  assertEquals(
    await straysAmong({
      "deno.json": '{ "imports": { "ioredis": "data:text/javascript,export{}" } }',
      "lib/storage/redis/mod.ts": 'import "ioredis";',
      "lib/storage/open.ts": 'import "ioredis";',
      "lib/shed/things.ts": 'import "../storage/open.ts";',
    }),
    [
      "lib/shed/things.ts imports ../storage/open.ts: 'shed' is no room of the house",
      "lib/storage/open.ts imports ioredis: it belongs to lib/storage/redis/",
    ],
  );
});

Deno.test("a package that deno.json does not name is a stray, as users would not know what they install", async () => {
  assertEquals(
    await straysAmong({ "lib/client/client.ts": 'import type {} from "npm:memjs@1.3.2";' }),
    ["lib/client/client.ts imports npm:memjs@1.3.2: what users install is named in deno.json"],
  );
});
