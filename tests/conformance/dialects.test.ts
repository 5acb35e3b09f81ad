import { assert, assertEquals } from "@std/assert";
import { Harness } from "../server/harness.ts";
import { exchangeWith } from "../server/wire.ts";
import { dialectDifferences } from "./dialect_differences.ts";
import { type DialectScript, dialectScripts, steady } from "./dialect_scripts.ts";
import { memcachedPackage, startMemcached } from "./memcached.ts";
import { Uniques } from "./uniques.ts";

type Address = Parameters<typeof exchangeWith>[0];

async function repliesTo({ sends }: DialectScript, address: Address): Promise<string[]> {
  assertEquals(await exchangeWith(address, "flush_all\r\n"), "OK\r\n");
  const uniques = new Uniques();
  const replies: string[] = [];
  for (const sent of sends) {
    replies.push(steady(uniques.hide(await exchangeWith(address, uniques.fill(sent)))));
  }
  return replies;
}

/** The sends of a script that are listed to be answered otherwise, and why; it must be so. */
function differing(name: string, theirs: readonly string[]): Map<number, string> {
  const { sends, answers } = dialectScripts[name]!;
  const listed = new Map<number, string>();
  for (const { why, sends: which } of dialectDifferences) {
    const pattern = which[name];
    if (pattern === undefined) continue;
    const before = listed.size;
    for (const [i, sent] of sends.entries()) {
      if (pattern !== "all" && !pattern.test(sent)) continue;
      const differs = theirs[i] !== steady(answers[i]!);
      assert(differs || pattern === "all", `${name}: ${sent} does not differ any more (${why})`);
      if (differs) listed.set(i, why);
    }
    assert(listed.size > before, `${name}: there is no difference any more (${why})`);
  }
  return listed;
}

Deno.test({
  name: memcachedPackage.named(
    `kvs answers ${
      Object.keys(dialectScripts).length
    } scripts in meta commands and in frames byte for ` +
      "byte as memcached 1.6.18 does, but for the differences listed",
  ),
  ignore: memcachedPackage.skipped,
  fn: async () => {
    memcachedPackage.require();
    await using memcached = await startMemcached("-o", "no_lru_maintainer");
    await using kvs = new Harness({}, true);
    kvs.clock.pause();
    const address = { transport: "unix", path: memcached.path } as const;
    const mistakes = [];
    for (const [name, script] of Object.entries(dialectScripts)) {
      const theirs = await repliesTo(script, address);
      const ours = await repliesTo(script, kvs.port);
      const listed = differing(name, theirs);
      for (const [i, reply] of ours.entries()) {
        const wanted = listed.has(i) ? steady(script.answers[i]!) : theirs[i]!;
        if (reply !== wanted) mistakes.push({ name, sent: script.sends[i], wanted, reply });
      }
    }
    assertEquals(mistakes, []);
  },
});

Deno.test("every difference that is listed is one of a script", () => {
  const names = dialectDifferences.flatMap(({ sends }) => Object.keys(sends));
  assertEquals(names.filter((name) => !(name in dialectScripts)), []);
});
