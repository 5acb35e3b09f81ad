import { assertEquals } from "@std/assert";
import { ROOT } from "./scripts.ts";

const read = (path: string) => Deno.readTextFile(`${ROOT}infra/${path}`);

/** All that a pattern's first group finds. */
const found = (text: string, pattern: RegExp) =>
  Array.from(text.matchAll(pattern), ([, name]) => name);

Deno.test("Terraform's release holds the files of the scripts' release", async () => {
  const [, block] = (await read("terraform/main.tf")).match(/release_files = \{\n(.*?)\n {2}\}/s)!;
  const script = await read("release.sh");
  const listed = found(script, /^readonly (?:PROGRAMS|RELEASE_FILES)=\((.*)\)$/gm);
  const files = listed.flatMap((list) => list.split(" "));
  assertEquals(found(block, /^ +"([^"]+)" *=/gm).sort(), files.sort());
  // What a machine takes of it: startup.sh names each.
  const startup = await read("startup.sh");
  assertEquals(files.filter((name) => !startup.includes(name)), []);
});

Deno.test("each setting of the scripts is one of Terraform's, under the same name", async () => {
  /** What Terraform says in another way, or has no need of. */
  const others: Record<string, string | undefined> = {
    KVS_IMAGE_PROJECT: "image",
    KVS_IMAGE_FAMILY: "image",
    // It cannot make the Service Directory service.
    KVS_UPTIME: "uptime_service",
    // named after the project
    KVS_BIN_BUCKET: undefined,
    KVS_BUCKET: undefined,
    // Terraform waits for machines and not for servers.
    KVS_READY_TIMEOUT: undefined,
  };
  const variables = new Set(found(await read("terraform/variables.tf"), /^variable "(.*)" \{/gm));
  const missing = found(await read("kvs.env"), /^: "\$\{(KVS_\w+):=/gm).filter((setting) => {
    const name = setting in others ? others[setting] : setting.slice("KVS_".length).toLowerCase();
    return name !== undefined && !variables.has(name);
  });
  assertEquals(missing, []);
});

Deno.test("the servers' options about access are those of the scripts", async () => {
  const options = (text: string) => found(text, /(KVS_(?:AUTH_FILE|ENABLE_\w+|SSL_\w+)=[^"\s]+)/g);
  const scripts = options(await read("machines.sh"));
  assertEquals(scripts.length, 5);
  assertEquals(options(await read("terraform/main.tf")), scripts);
});

Deno.test("a machine is told by Terraform what the scripts tell it", async () => {
  const keys = (text: string) =>
    new Set(found(text, /\b((?:kvs|enable|block|serial)-[a-z-]+) *=/g));
  const scripts = keys(await read("machines.sh"));
  // New machines take the place of old ones: none leaves the load balancer to come back.
  scripts.delete("kvs-drain");
  const terraform = keys((await read("terraform/main.tf")) + (await read("terraform/machines.tf")));
  assertEquals([...terraform].sort(), [...scripts].sort());
});

Deno.test("a server gets from Terraform the options that the scripts give it", async () => {
  const [, script] = (await read("machines.sh")).match(/^server_options\(\) \{\n(.*?)^\}/ms)!;
  const [, terraform] = (await read("terraform/main.tf")).match(/ options = (.*?)\n {2}\)\)/s)!;
  const names = (text: string) => new Set(found(text, /"(KVS_[A-Z_]+)=/g));
  assertEquals([...names(terraform)].sort(), [...names(script)].sort());
});
