import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../lib/bytes.ts";
import { KeyedMap } from "../lib/keyed_map.ts";
import { keysThatMeet, SECRET } from "./keys_that_meet.ts";

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("a keyed map is as a map is, whatever is set and deleted", () => {
  const map = new KeyedMap<number>();
  const model = new Map<string, number>();
  for (let i = 0; i < 20_000; i++) {
    const name = `key ${i * 7919 % 1009}`;
    if (i % 3 === 0) assertEquals(map.delete(bytesOf(name)), model.delete(name));
    else {
      map.set(bytesOf(name), i);
      model.set(name, i);
    }
    assertEquals(map.get(bytesOf(name)), model.get(name));
    assertEquals(map.size, model.size);
  }
  assertEquals([...map].map(([key, value]) => [textOf(key), value]), [...model]);
  map.clear();
  assertEquals([map.size, [...map]], [0, []]);
});

Deno.test("a keyed map may lose keys while somebody goes through it", () => {
  const map = new KeyedMap<number>();
  for (let i = 0; i < 10; i++) map.set(bytesOf(`k${i}`), i);
  const met = [];
  for (const [key, value] of map) {
    met.push(value);
    map.delete(key);
    map.delete(bytesOf(`k${value + 1}`));
  }
  assertEquals(met, [0, 2, 4, 6, 8]);
  assertEquals(map.size, 0);
});

Deno.test("a keyed map keeps its keys when the caller's memory changes after", () => {
  const map = new KeyedMap<string>();
  const key = bytesOf("key");
  map.set(key, "value");
  key.fill(0);
  assertEquals(map.get(bytesOf("key")), "value");
});

/** How many entries a keyed map looks at for each key, when all are set and then read. */
function workOf(secret: Uint8Array | undefined, keys: readonly Uint8Array[]): number {
  const map = new KeyedMap<number>(secret);
  for (const [i, key] of keys.entries()) map.set(key, i);
  for (const [i, key] of keys.entries()) assertEquals(map.get(key), i);
  return map.comparisons / (2 * keys.length);
}

Deno.test("keys that were chosen to meet under another secret cause no more work than others", () => {
  const keys = keysThatMeet(500);
  assert(workOf(SECRET, keys) > 50, "they do meet under the secret that they were chosen for");
  assert(workOf(undefined, keys) < 3);
});
