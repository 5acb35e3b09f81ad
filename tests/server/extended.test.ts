import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { ExitError } from "../../lib/errors.ts";
import { readExtended } from "../../lib/server/extended.ts";

Deno.test("without -o everything is as memcached has it", () => {
  assertEquals(readExtended([]), {
    idleTimeout: undefined,
    trackSizes: false,
    maxconnsFast: true,
    replyMemory: 0,
    ssl: new Map(),
    settings: new Map(),
    ignored: [],
  });
});

Deno.test("a word of -o that has a meaning here has memcached's", () => {
  const { idleTimeout, trackSizes, maxconnsFast, ignored } = readExtended(
    ["idle_timeout=3", "track_sizes", "no_maxconns_fast", "modern"],
  );
  assertEquals({ idleTimeout, trackSizes, maxconnsFast, ignored }, {
    idleTimeout: 3,
    trackSizes: true,
    maxconnsFast: false,
    ignored: [],
  });
});

Deno.test("of two words that contradict each other the later one holds", () => {
  assertEquals(readExtended(["no_modern", "maxconns_fast"]).maxconnsFast, true);
  assertEquals(readExtended(["maxconns_fast", "no_modern"]).maxconnsFast, false);
});

Deno.test("a word that changes nothing is told, and shown as memcached shows it", () => {
  const words = ["hot_lru_pct=32", "slab_chunk_max=16", "slab_automove", "hot_max_factor=.5"];
  const { settings, ignored } = readExtended(words);
  assertEquals(ignored, words);
  assertEquals([...settings], [
    ["hot_lru_pct", "32"],
    ["slab_chunk_max", "16384"],
    ["slab_automove", "1"],
    ["hot_max_factor", "0.50"],
  ]);
});

const refusals: [words: string[], says: RegExp][] = [
  [["banana"], /unknown word 'banana'$/],
  [["idle_timeut=3"], /unknown word 'idle_timeut'; did you mean 'idle_timeout'\?$/],
  [["constructor"], /unknown word 'constructor'/],
  [["idle_timeout"], /idle_timeout needs a value/],
  [["idle_timeout=soon"], /idle_timeout takes a whole number from 0 .*'soon'/],
  [["track_sizes=yes"], /track_sizes takes no value, received 'yes'/],
  [["hashpower=11"], /hashpower takes a whole number from 12 to 32/],
  [["slab_automove=3"], /slab_automove takes/],
  [["tail_repair_time=9"], /tail_repair_time takes/],
  [["hash_algorithm=md5"], /hash_algorithm takes one of jenkins, murmur3, xxh3/],
  [["hot_max_factor=0"], /hot_max_factor takes a number greater than 0/],
  [["ssl_ciphers=AES"], /ssl_ciphers is refused: Deno's TLS has no choice/],
  [["proxy_config=routelib"], /proxy_config is refused: kvs has no proxy/],
  [["drop_privileges"], /drop_privileges is refused/],
];
for (const [words, says] of refusals) {
  Deno.test(`-o ${words} is refused in a sentence`, () => {
    const error = assertThrows(() => readExtended(words), ExitError);
    assertEquals(error.code, 64);
    assertMatch(error.message, says);
  });
}
