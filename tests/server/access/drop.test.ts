import { assertEquals } from "@std/assert";

const root = new URL("../../../", import.meta.url);

/** What a process with all permissions may still do after it has dropped what such a server does not need. */
async function kept(configuration: string, speaksTo: string): Promise<string> {
  const script = `
    const { dropPermissions } = await import("${root}lib/server/access/drop.ts");
    await dropPermissions(${configuration}, ${speaksTo});
    const names = ["net", "env", "sys", "read", "write"];
    const states = await Promise.all(names.map((name) => Deno.permissions.query({ name })));
    console.log(names.filter((_, i) => states[i].state === "granted").join(" "));`;
  const flags = ["net", "env", "sys", "read", "write"].map((name) => `--allow-${name}`);
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, script);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "--no-prompt", ...flags, file],
      cwd: root,
    }).output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(file);
  }
}

const copies: [to: string, left: string][] = [
  ["gs://bucket/prefix", "net env sys read write"],
  ["file:///mnt/copies", "sys read write"],
];
for (const [to, left] of copies) {
  Deno.test(`once it serves, a server whose copies go to ${to} may: ${left}`, async () => {
    const speaksTo = "{ collector: false, machine: false }";
    assertEquals(await kept(`{ store: "disk", copyTo: "${to}" }`, speaksTo), `${left}\n`);
  });
}

const cases: [store: string, tls: boolean, collector: boolean, machine: boolean, left: string][] = [
  ["disk", false, false, false, "sys read write"],
  ["disk", true, false, false, "net sys read write"],
  ["disk", false, false, true, "net sys read write"],
  ["disk", false, true, false, "net env sys read write"],
  ["memory", false, false, false, "read write"],
  ["redis", false, false, false, "net env sys read write"],
];
for (const [store, tls, collector, machine, left] of cases) {
  const how = `${store}${tls ? " with TLS" : ""}${collector ? ", a collector" : ""}${
    machine ? ", systemd" : ""
  }`;
  Deno.test(`once it serves, a server on ${how} may: ${left}`, async () => {
    const configuration = `{ store: "${store}", tls: ${tls ? "{}" : "undefined"} }`;
    assertEquals(
      await kept(configuration, `{ collector: ${collector}, machine: ${machine} }`),
      `${left}\n`,
    );
  });
}
