import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { bytesOf } from "../../../lib/bytes.ts";
import { KEYS, WORKERS } from "./coherence.ts";
import { RedisServer } from "./servers.ts";
import { openOn, using } from "./stores.ts";

const ROUNDS = 12;

async function serve(url: string, name: string): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", fileURLToPath(new URL("coherence.ts", import.meta.url))],
      ...[url, "single", `${ROUNDS}`, name],
    ],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("two servers with 64 workers each lose no update, and no cas succeeds twice", async () => {
  await using server = await new RedisServer().start();
  const spent = await Promise.all(["a", "b"].map((name) => serve(server.url, name)));
  await using store = await using(openOn(server, { prefix: "coherence:" }));
  const text = async (key: string) =>
    new TextDecoder().decode((await store.read(bytesOf(key)))!.value);
  let counted = 0;
  const appended = new Set<string>();
  let length = 0;
  for (let i = 0; i < KEYS; i++) {
    counted += Number(await text(`counter ${i}`));
    const list = (await text(`list ${i}`)).trim().split(" ");
    length += list.length;
    for (const one of list) appended.add(one);
  }
  const all = 2 * WORKERS * ROUNDS;
  assertEquals(counted, all);
  assertEquals(length, all);
  assertEquals(appended.size, all);
  const uniques = spent.flat();
  assert(spent[0].length > 0 && spent[1].length > 0);
  assertEquals(new Set(uniques).size, uniques.length);
});
