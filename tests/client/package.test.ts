import { assertEquals, assertStringIncludes } from "@std/assert";
import { makeNpmPackage } from "../../infra/package/npm.ts";
import { missing } from "./run_client.ts";
import { startKvs } from "./servers.ts";

const root = new URL("../../", import.meta.url);

/** Runs Deno in a directory, without colours. */
async function deno(directory: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: directory,
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test("the client's package can be published as it is", async () => {
  const { code, err } = await deno(root.pathname, "publish", "--dry-run", "--allow-dirty");
  assertEquals([code, /warning/i.test(err)], [0, false], err);
});

Deno.test("an application imports the package as docs/client.md says, and speaks to servers with it", async () => {
  await using server = await startKvs();
  const directory = await Deno.makeTempDir();
  const { exports, name } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  const entry = new URL(exports, root).href;
  await Deno.writeTextFile(
    `${directory}/deno.json`,
    JSON.stringify({ imports: { [name]: entry } }),
  );
  const page = await Deno.readTextFile(new URL("docs/client.md", root));
  const [, example] = /```ts ignore\n([^]*?)```/.exec(page)!;
  await Deno.writeTextFile(
    `${directory}/main.ts`,
    example!.replace('["127.0.0.1:11211"]', "Deno.args"),
  );
  const { code, out, err } = await deno(
    directory,
    ...["run", "--no-prompt", "--allow-net", "--check", "main.ts", server.address],
  );
  await Deno.remove(directory, { recursive: true });
  assertEquals([code, out], [0, "undefined hello true\n"], err);
});

const noNode = await missing("node");

Deno.test({
  name: "the npm package speaks to several servers from Node",
  ignore: noNode,
  fn: async () => {
    await using one = await startKvs();
    await using two = await startKvs();
    const directory = await Deno.makeTempDir();
    const path = await makeNpmPackage(directory);
    const program = `import { Client } from ${JSON.stringify(`${path}/kvs.mjs`)};
const client = new Client({ servers: process.argv.slice(2) });
const keys = Array.from({ length: 50 }, (_, i) => "key" + i);
await Promise.all(keys.map((key) => client.set(key, key + "x".repeat(100_000))));
const found = await client.getMany(keys);
let listed = 0;
for await (const part of client.keys()) listed += part.length;
console.log(found.size, found.get("key7").text.length, listed, (await client.meta.get("key7")).size);
client.close();
`;
    await Deno.writeTextFile(`${directory}/main.mjs`, program);
    const { stdout, stderr } = await new Deno.Command("node", {
      args: [`${directory}/main.mjs`, one.address, two.address],
    }).output();
    await Deno.remove(directory, { recursive: true });
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assertEquals([text(stdout), text(stderr)], ["50 100004 50 100004\n", ""]);
  },
});

Deno.test("the npm package has the types of all that it exports", async () => {
  const directory = await Deno.makeTempDir();
  await Deno.mkdir(`${directory}/node_modules`);
  const path = await makeNpmPackage(directory);
  await Deno.rename(path, `${directory}/node_modules/kvs-client`);
  await Deno.writeTextFile(`${directory}/package.json`, '{"dependencies":{"kvs-client":"*"}}');
  await Deno.writeTextFile(
    `${directory}/right.ts`,
    `import { Client, exptimeAfter, type MetaItem } from "kvs-client";
export async function read(client: Client): Promise<[string | undefined, MetaItem | undefined]> {
  await client.set("k", "v", { exptime: exptimeAfter(1000), flags: 1 });
  return [(await client.get("k"))?.text, await client.meta.get("k")];
}
`,
  );
  await Deno.writeTextFile(
    `${directory}/wrong.ts`,
    'import { Client } from "kvs-client";\nnew Client().get(1);\n',
  );
  const right = await deno(directory, "check", "right.ts");
  const wrong = await deno(directory, "check", "wrong.ts");
  await Deno.remove(directory, { recursive: true });
  assertEquals(right.code, 0, right.err);
  assertEquals(wrong.code, 1);
  assertStringIncludes(wrong.err, "'number' is not assignable to parameter of type 'Key'");
});
