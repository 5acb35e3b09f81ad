import { assert, assertEquals } from "@std/assert";
import { type Block, readBlocks } from "./hcl.ts";
import { Provider, type Schema } from "./provider.ts";
import { ROOT } from "./scripts.ts";

/** What Terraform itself knows in every resource. */
const META = new Set(["count", "for_each", "depends_on", "provider", "lifecycle", "provisioner"]);

/** The resources of `infra/terraform`, by their addresses. */
async function resources(): Promise<Map<string, Block>> {
  const found = new Map<string, Block>();
  for (const directory of ["infra/terraform", "infra/terraform/servers"]) {
    for await (const { name } of Deno.readDir(`${ROOT}${directory}`)) {
      if (!name.endsWith(".tf")) continue;
      for (const block of readBlocks(await Deno.readTextFile(`${ROOT}${directory}/${name}`))) {
        if (block.type === "resource") found.set(block.labels.join("."), block);
      }
    }
  }
  return found;
}

/** What of a block the schema does not know, or misses, by its place. */
function objections(block: Block, schema: Schema, place: string, meta: boolean): string[] {
  const found: string[] = [];
  const given = new Set(block.arguments);
  for (const name of block.arguments) {
    if (meta && META.has(name)) continue;
    // A block may be given as a list of objects.
    if (!schema.arguments.has(name) && !schema.blocks.has(name)) {
      found.push(`${place}.${name}: unknown`);
    }
  }
  for (const inner of block.blocks) {
    if (meta && META.has(inner.type)) continue;
    const dynamic = inner.type === "dynamic";
    const name = dynamic ? inner.labels[0] : inner.type;
    const content = dynamic ? inner.blocks.find(({ type }) => type === "content")! : inner;
    given.add(name);
    const known = schema.blocks.get(name);
    if (known === undefined) found.push(`${place}.${name}: no such block`);
    else found.push(...objections(content, known, `${place}.${name}`, false));
  }
  for (const name of schema.required) if (!given.has(name)) found.push(`${place}.${name}: missing`);
  return found;
}

Deno.test("Terraform's language is read as it is written", () => {
  const [block] = readBlocks(`# a comment
resource "a" "b" { # another
  one   = "x \${var.y ? "}" : "{"} \\" z" # a } in a comment
  two   = [for k, v in m : { (k) = v }]
  three = merge(
    { a = 1 },
    { b = "#" },
  )
  inner {
    four = 4
    dynamic "five" {
      for_each = x ? [1] : []
      content { six = 6 }
    }
  }
  empty {}
}
`);
  assertEquals(block.labels, ["a", "b"]);
  assertEquals(block.arguments, ["one", "two", "three"]);
  assertEquals(block.blocks.map(({ type }) => type), ["inner", "empty"]);
  const [four] = block.blocks;
  assertEquals([four.arguments, four.blocks[0].labels], [["four"], ["five"]]);
  assertEquals(four.blocks[0].blocks[0].arguments, ["six"]);
});

const wanted = Deno.env.get("KVS_TEST_PROVIDER") === "yes";
const why = wanted ? "" : " (skipped: KVS_TEST_PROVIDER=yes brings 31 MB for it)";

Deno.test({
  name: `every resource, argument and block of infra/terraform is in the provider's schema${why}`,
  ignore: !wanted,
  async fn(test) {
    await using provider = await Provider.install();
    const schemas = new Map<string, Schema>();
    const found: string[] = [];
    let checked = 0;
    const count = (block: Block): number =>
      block.arguments.length + block.blocks.reduce((sum, inner) => sum + 1 + count(inner), 0);
    for (const [address, block] of await resources()) {
      const [type] = block.labels;
      if (!schemas.has(type)) schemas.set(type, await provider.resource(type));
      found.push(...objections(block, schemas.get(type)!, address, true));
      checked += count(block);
    }
    assertEquals(found, []);
    assert(checked > 240, `only ${checked} names were looked at`);

    await test.step("what is wrong is found", () => {
      const [wrong] = readBlocks(`resource "google_redis_cluster" "x" {
  name = "x"
  sharts = 3
  persistence_config { mod = "AOF" }
  no_such_block {}
}
`);
      const said = objections(wrong, schemas.get("google_redis_cluster")!, "x", true);
      assertEquals(said, [
        "x.sharts: unknown",
        "x.persistence_config.mod: unknown",
        "x.no_such_block: no such block",
        "x.shard_count: missing",
      ]);
    });
  },
});
