/** The parts that keep keys and records in memory, each against a plain model. */

import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { Buckets } from "../../../lib/storage/disk/read/buckets.ts";
import { chunksFor, RecordCache } from "../../../lib/storage/disk/read/cache.ts";
import { KeyHash } from "../../../lib/key_hash.ts";
import {
  ENDLESS,
  KeyIndex,
  offsetOf,
  placeHigh,
  placeLow,
  unitsOf,
} from "../../../lib/storage/disk/index/key_index.ts";
import { RECORD_HEADER, RecordBuffer, Word } from "../../../lib/storage/disk/format/record.ts";
import { Placements } from "../../../lib/storage/disk/index/placements.ts";
import { ExpiryTimes, type Segment } from "../../../lib/storage/disk/log/segment.ts";
import { withoutMemory } from "../shortage.ts";
import { Random } from "./faulty_files.ts";

Deno.test("no slot is given out twice while the index is copied, and the free ones are when it is over", () => {
  const placements = new Placements();
  const { slots } = placements;
  const take = () => {
    const slot = placements.freeSlot();
    slots[slot] = {} as Segment;
    return slot;
  };
  assertEquals([take(), take(), take()], [1, 2, 3]);
  slots[1] = slots[3] = undefined;
  placements.keepSlots = true;
  // The copy knows nothing of the last one.
  assertEquals([take(), take()], [3, 4]);
  slots[3] = undefined;
  assertEquals(take(), 5);
  placements.keepSlots = false;
  assertEquals([take(), take(), take()], [1, 3, 6]);
});

Deno.test("the index finds what was set and not removed, while its tables grow and shrink", () => {
  const random = new Random(11);
  const index = new KeyIndex();
  const model = new Map<number, number>();
  // Few hashes meet in few tables: so entries pile up and wrap around.
  const hashOf = (n: number) => [(n % 3) << 22, Math.imul(n, 0x9e3779b1) >>> 0, n] as const;
  for (let step = 0; step < 60_000; step++) {
    const n = random.below(step % 20_000 < 10_000 ? 3000 : 300) + 1;
    const [a, b, c] = hashOf(n);
    if (random.chance(step % 20_000 < 10_000 ? 0.3 : 0.6)) {
      assertEquals(index.remove(a, b, c), model.delete(n));
    } else {
      const place = random.below(1 << 20) + 1;
      assertEquals(index.set(a, b, c, place, n), model.has(n));
      model.set(n, place);
    }
    assertEquals(index.size, model.size);
    if (step % 5000 === 0) {
      for (let m = 1; m <= 3000; m++) {
        const found = index.find(...hashOf(m));
        assertEquals(found ? index.high : undefined, model.get(m));
      }
    }
  }
});

Deno.test("a place keeps slot, offset and size, and says so when the size does not fit", () => {
  for (const [slot, offset, size] of [[1, 64, 48], [65535, (1 << 29) - 8, 1 << 20], [7, 0, 8]]) {
    const [high, low] = [placeHigh(slot, size), placeLow(offset, size)];
    assertEquals([high >>> 16, offsetOf(low), unitsOf(high, low) * 8], [slot, offset, size]);
  }
  assertEquals(unitsOf(placeHigh(1, 2 ** 30), placeLow(64, 2 ** 30)), ENDLESS);
});

Deno.test("the hash of a key depends on every bit of it, on its length and on the hash key", () => {
  const hash = new KeyHash(new Uint8Array(16));
  const seen = new Set<string>();
  const see = (hash: KeyHash, key: Uint8Array) => {
    hash.of(key);
    const text = `${hash.a}.${hash.b}.${hash.c}`;
    assert(!seen.has(text));
    seen.add(text);
  };
  for (let length = 0; length <= 250; length++) see(hash, new Uint8Array(length));
  const key = bytesOf("a key of some length");
  for (let bit = 0; bit < key.length * 8; bit++) {
    key[bit >> 3] ^= 1 << (bit & 7);
    see(hash, key);
    key[bit >> 3] ^= 1 << (bit & 7);
  }
  for (let byte = 0; byte < 16; byte++) {
    const other = new Uint8Array(16);
    other[byte] = 1;
    see(new KeyHash(other), key);
  }
});

Deno.test("the cache returns the newest record of a key or none, within its bytes", () => {
  const random = new Random(2);
  const limit = 1 << 20;
  const cache = new RecordCache(limit);
  const hash = new KeyHash(new Uint8Array(16));
  const buffer = new RecordBuffer(1 << 16);
  const model = new Map<string, number>();
  let hits = 0;
  let hotHits = 0;
  for (let step = 1; step < 60_000; step++) {
    const hot = random.chance(0.3);
    const name = hot ? `hot${random.below(50)}` : `cold${random.below(5000)}`;
    const key = bytesOf(name);
    hash.of(key);
    const { a, b } = hash;
    if (cache.find(a, b, key)) {
      hits++;
      if (hot) hotHits++;
      assertEquals(cache.chunk.words[(cache.at >>> 2) + 4], model.get(name));
      if (random.chance(0.05)) {
        cache.forget(a, b);
        model.delete(name);
        assert(!cache.find(a, b, key));
      }
      continue;
    }
    const value = new Uint8Array(random.chance(0.01) ? 40_000 : random.below(600));
    buffer.clear();
    const fields = { kind: 1, state: 0, flags: 0, sequence: step, cas: 0n };
    buffer.put({ ...fields, time: 0, accessed: 0, segment: 0 }, key, value, 1, 64);
    cache.insert(a, b, buffer.rest);
    model.set(name, step);
    assert(cache.memory <= limit);
  }
  assert(hits > 10_000 && hotHits > 0.3 * 60_000 * 0.8, "what is read again stays");
});

Deno.test("the cache has no old record of a key whose new one it has no memory for", () => {
  const cache = new RecordCache(1 << 20);
  const hash = new KeyHash(new Uint8Array(16));
  const buffer = new RecordBuffer(1 << 16);
  const key = bytesOf("k");
  hash.of(key);
  const { a, b } = hash;
  let refused = 0;
  for (let sequence = 1; sequence < 4000; sequence++) {
    buffer.clear();
    const fields = { kind: 1, state: 0, flags: 0, sequence, cas: 0n };
    const value = new Uint8Array(1 + sequence % 600);
    buffer.put({ ...fields, time: 0, accessed: 0, segment: 0 }, key, value, 1, 64);
    const insert = () => cache.insert(a, b, buffer.rest);
    const kept = sequence % 3 === 0 ? insert() : withoutMemory(1 << 14, insert);
    if (!kept) refused++;
    assertEquals(cache.find(a, b, key), kept);
    if (kept) assertEquals(cache.chunk.words[(cache.at >>> 2) + Word.sequence], sequence);
  }
  assert(refused > 3, `${refused} refused`);
});

Deno.test("places tell all records of the cache apart, whatever room it has", () => {
  for (const room of [1 << 15, 1 << 20, 2 ** 30, 2 ** 35 - 1, 2 ** 35, 40 * 2 ** 30, 2 ** 45]) {
    const { shift, count } = chunksFor(room);
    // 32 bits, and 0 is the place of none.
    assert(count * 2 ** shift <= 0xffffffff, `${room}`);
    const bytes = count * 2 ** shift * 8;
    assert(bytes <= room && (bytes > room - (8 << shift) || bytes > 31 * 2 ** 30));
  }
});

/** A cache, and what puts a value of so many bytes into it or finds it there. */
function cacheOf(limit: number) {
  const cache = new RecordCache(limit);
  const hash = new KeyHash(new Uint8Array(16));
  const buffer = new RecordBuffer(1 << 16);
  let sequence = 0;
  const put = (name: string, size: number) => {
    const key = bytesOf(name);
    hash.of(key);
    buffer.clear();
    const fields = { kind: 1, state: 0, flags: 0, sequence: ++sequence, cas: 0n };
    const value = new Uint8Array(size).fill(sequence);
    buffer.put({ ...fields, time: 0, accessed: 0, segment: 0 }, key, value, 1, 64);
    const kept = cache.insert(hash.a, hash.b, buffer.rest);
    assert(cache.memory <= limit, "everything together stays within the limit");
    return kept ? sequence : 0;
  };
  const find = (name: string) => {
    const key = bytesOf(name);
    hash.of(key);
    if (!cache.find(hash.a, hash.b, key)) return 0;
    return cache.chunk.words[(cache.at >>> 2) + 4];
  };
  return { cache, put, find };
}

Deno.test("the cache keeps long records among short ones, the newest of a key or none", () => {
  const random = new Random(7);
  const { cache, put, find } = cacheOf(1 << 20);
  const model = new Map<string, number>();
  let [short, long] = [0, 0];
  for (let step = 0; step < 20_000; step++) {
    const name = `k${random.below(60)}`;
    const found = find(name);
    if (found !== 0) {
      assertEquals(found, model.get(name));
      if (cache.at === 0) long++;
      else short++;
      if (random.chance(0.7)) continue;
    }
    const size = random.of([10, 100, 1000, 20_000, 100_000, 200_000, 400_000]);
    const kept = put(name, size);
    assertEquals(kept !== 0, size < 300_000);
    if (kept !== 0) model.set(name, kept);
    else assertEquals(find(name), 0);
  }
  assert(short > 1000 && long > 1000, `${short} short, ${long} long`);
});

Deno.test("long records and short ones leave each other what is due to them", () => {
  const { put, find } = cacheOf(1 << 22);
  const count = (names: readonly string[]) => names.filter((name) => find(name) !== 0).length;
  const longs = Array.from({ length: 60 }, (_, i) => `long${i}`);
  const shorts = Array.from({ length: 6000 }, (_, i) => `short${i}`);
  for (const name of longs) put(name, 100_000);
  assert(count(longs) >= 35, "while there is nothing else, long records may have it all");
  for (const name of shorts) put(name, 1000);
  assert(count(shorts) >= 2500, "three quarters are due to short ones");
  const left = count(longs);
  assert(left >= 9 && left <= 15, `a quarter is due to long ones: ${left}`);
  const before = count(shorts);
  for (let round = 0; round < 5; round++) for (const name of longs) put(name, 100_000);
  assert(count(shorts) >= before * 0.9, "a scan of long values does not drive out what is short");
});

Deno.test("a key that is set again and again drives nobody out of the cache", () => {
  const { put, find } = cacheOf(1 << 20);
  const others = Array.from({ length: 100 }, (_, i) => `other${i}`);
  for (const name of others) put(name, 1000);
  for (let i = 0; i < 20_000; i++) put("hot", 1000);
  assertEquals(others.filter((name) => find(name) !== 0).length, 100);
});

Deno.test("what takes its last one's place in the cache is whole, whatever its length", () => {
  const random = new Random(9);
  const { cache, put, find } = cacheOf(1 << 18);
  const model = new Map<string, [kept: number, size: number]>();
  let found = 0;
  for (let step = 0; step < 40_000; step++) {
    const name = `k${random.below(400)}`;
    if (random.chance(0.5)) {
      const size = 90 + random.below(40);
      model.set(name, [put(name, size), size]);
      continue;
    }
    const sequence = find(name);
    if (sequence === 0) continue;
    found++;
    const [kept, size] = model.get(name)!;
    assertEquals(sequence, kept);
    const from = cache.at + RECORD_HEADER + name.length;
    const { bytes, words } = cache.chunk;
    assertEquals(words[(cache.at >>> 2) + Word.valueLength], size);
    assert(bytes.subarray(from, from + size).every((byte) => byte === (kept & 0xff)));
  }
  assert(found > 10_000, `${found} found`);
});

Deno.test("the cache's table leads to what was put there, also while it doubles", () => {
  const random = new Random(5);
  const hashOf = (n: number) => [Math.imul(n, 0x9e3779b1) >>> 0, Math.imul(n, 0x85ebca6b)] as const;
  const most = 1 << 18;
  const table = new Buckets(most, (place) => hashOf(place)[0]);
  const put = (n: number) => {
    const [a, b] = hashOf(n);
    const way = table.take(a, b >>> 0);
    table.words[way] = b;
    table.words[way + 1] = n;
  };
  const isThere = (n: number) => table.wayOf(hashOf(n)[0], n) >= 0;
  const used = () => table.words.reduce((last, word, at) => word === 0 ? last : at * 4, 0);
  const forgotten = new Set<number>();
  let turnedAway = 0;
  let size = 0;
  // As many as there are ways in half of its buckets.
  const count = most / 8 / 2;
  for (let n = 1; n <= count; n++) {
    put(n);
    assert(isThere(n));
    // The last one's way is its own again.
    put(n);
    if (random.chance(0.1)) {
      const gone = random.below(n) + 1;
      const [a, b] = hashOf(gone);
      table.forget(a, b >>> 0);
      assert(!isThere(gone));
      forgotten.add(gone);
    }
    if (n % 1000 !== 0) continue;
    const places = table.words.filter((place, at) => at % 2 === 1 && place !== 0);
    assertEquals(new Set(places).size, places.length, "each record has one way");
    turnedAway = n - new Set([...places, ...forgotten]).size;
    assert(turnedAway < n / 100, `${turnedAway} of ${n} were turned away`);
    assert(used() >= size, "it never becomes smaller");
    size = used();
    // Three records a bucket, before it doubles.
    assert(size <= Math.max(64 * 64, n / 1.5 * 64), `${size} bytes for ${n} records`);
  }
  assert(size > most / 4, "it has grown");
});

Deno.test("a cache of no bytes holds nothing", () => {
  const cache = new RecordCache(0);
  cache.insert(1, 2, new Uint8Array(60));
  assert(!cache.find(1, 2, bytesOf("k")));
  cache.forget(1, 2);
  assertEquals(cache.memory, 0);
});

Deno.test("expired bytes are never said to be more than they are", () => {
  const random = new Random(4);
  const base = 1_800_000_000_000;
  const times = new ExpiryTimes(base);
  const all: Array<[exptime: number, bytes: number]> = [];
  for (let i = 0; i < 500; i++) {
    const exptime = base + Math.floor(2 ** (random.next() * 35)) - 5000;
    const bytes = 8 * (1 + random.below(100));
    times.add(exptime, bytes);
    all.push([exptime, bytes]);
  }
  for (let power = 0; power < 40; power++) {
    const now = base + 2 ** power;
    const expired = all.reduce((sum, [at, bytes]) => at <= now ? sum + bytes : sum, 0);
    assert(times.passed(now) <= expired);
    if (power === 39) assert(times.passed(now) > 0.5 * expired);
  }
});
