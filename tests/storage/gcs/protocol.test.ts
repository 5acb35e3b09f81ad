/**
 * The protocol's scripts on this store. The memory store answers them as memcached does, byte for
 * byte (`tests/conformance/`), so here its answers stand for memcached's.
 */

import { assertEquals } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { scripts } from "../../conformance/scripts.ts";
import { Uniques } from "../../conformance/uniques.ts";
import { Harness } from "../../server/harness.ts";
import { exchangeWith } from "../../server/wire.ts";
import { itemOf } from "../contract.ts";
import { Place } from "./open.ts";

async function replies(port: number, sends: readonly string[]): Promise<string[]> {
  const uniques = new Uniques();
  const received: string[] = [];
  for (const sent of sends) {
    received.push(uniques.hide(await exchangeWith(port, uniques.fill(sent))));
  }
  return received;
}

/** The differences between the stores' answers to one script, on a prefix of its own. */
async function mistakesIn(place: Place, name: string, sends: readonly string[]) {
  await using memory = new Harness({}, true);
  // A script that makes a unique up must not meet one: a new memory store counts from 1.
  for (let n = 0; n < 1000; n++) memory.store.swap(bytesOf("k"), "any", itemOf(""));
  memory.store.swap(bytesOf("k"), "any", null);
  const store = await place.store({ prefix: `${name}/` });
  await using gcs = new Harness({ context: { store, clock: place.clock } }, true);
  const wanted = await replies(memory.port, sends);
  const received = await replies(gcs.port, sends);
  await store.close();
  return wanted.flatMap((reply, n) =>
    reply === received[n] ? [] : [{ name, sent: sends[n], wanted: reply, reply: received[n] }]
  );
}

Deno.test("gcs protocol: every script is answered as on the memory store", async () => {
  await using place = await Place.open();
  // Here each key of a get is a request: one script asks for 18,700, which tells nothing more.
  const waiting = Object.entries(scripts).filter(([name]) => name !== "get: 18,700 keys");
  const mistakes: unknown[] = [];
  await Promise.all(Array.from({ length: 16 }, async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      mistakes.push(...await mistakesIn(place, ...next));
    }
  }));
  assertEquals(mistakes, []);
});
