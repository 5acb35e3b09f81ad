import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ROOT } from "./scripts.ts";

const read = (path: string) => Deno.readTextFile(`${ROOT}infra/${path}`);

Deno.test("every document for Google's monitoring is JSON, and names this deployment's machines alone", async () => {
  let alerts = 0;
  for await (const { name } of Deno.readDir(`${ROOT}infra/monitoring`)) {
    const text = await read(`monitoring/${name}`);
    const document = JSON.parse(text);
    assertStringIncludes(document.displayName, "NAME", name);
    for (const [, filter] of text.matchAll(/"filter": "((?:[^"\\]|\\.)*)"/g)) {
      const mine = name === "unreachable.json" ? 'service_name=\\"SERVICE\\"' : "NAME-server";
      assertStringIncludes(filter, mine, name);
    }
    if (name === "dashboard.json") continue;
    alerts++;
    assert(document.documentation.content.length > 50, name);
    assertEquals(document.conditions.length, 1, name);
  }
  assertEquals(alerts, 6);
});

Deno.test("the alert for a failing store finds the lines that kvs writes", async () => {
  const { conditions } = JSON.parse(await read("monitoring/store-failing.json"));
  const pattern = /MESSAGE=~"([^"]*)"/.exec(conditions[0].conditionMatchedLog.filter)![1];
  const lines = [];
  for (
    const path of ["redis/link.ts", "redis/cluster.ts", "gcs/epoch.ts", "google_credentials.ts"]
  ) {
    const text = await Deno.readTextFile(`${ROOT}lib/storage/${path}`);
    const said = text.match(/`[^`]*(requests fail until that changes|Cannot renew)[^`]*`/);
    assert(said !== null, `${path} logs no such state`);
    lines.push(said[0]);
  }
  const health = await Deno.readTextFile(`${ROOT}lib/storage/disk/health.ts`);
  const states = [...health.matchAll(/this\.#say\(`(.*)`\)/g)].map(([, line]) => line);
  const ends = states.filter((line) => line.includes("has room again"));
  assertEquals([states.length, ends.length], [4, 1]);
  lines.push(...states.filter((line) => !ends.includes(line)));
  const damage = await Deno.readTextFile(`${ROOT}lib/storage/disk/read/damage.ts`);
  lines.push(damage.match(/`[^`]*is damaged[^`]*`/)![0]);
  for (const line of lines) assert(new RegExp(pattern).test(line), line);
  for (const line of ends) assert(!new RegExp(pattern).test(line), line);
});

Deno.test("the alert for late copies finds the lines that kvs writes", async () => {
  const { conditions } = JSON.parse(await read("monitoring/copies-late.json"));
  const pattern = /MESSAGE=~"([^"]*)"/.exec(conditions[0].conditionMatchedLog.filter)![1]!;
  const lines: string[] = [];
  for (const path of ["copies/copying.ts", "server/copies/copies.ts"]) {
    const text = await Deno.readTextFile(`${ROOT}lib/${path}`);
    lines.push(
      ...Array.from(text.matchAll(/[`"]([^`"]*\bcopies [^`"]*)[`"]/g), ([, line]) => line!),
    );
  }
  const bad = lines.filter((line) => new RegExp(pattern).test(line));
  assertEquals(bad.map((line) => line.replace(/(: |failed).*/, "$1")).sort(), [
    "copies are behind: ",
    "copies fail: ",
    "copies have ended: ",
    "the thread that copies has failed",
  ]);
  // What says that all is well again is no alarm.
  assert(lines.includes("copies are behind no more") && !bad.includes("copies are behind no more"));
});

Deno.test("the alert for a certificate finds the line that kvs writes, before its end and after", async () => {
  const { conditions } = JSON.parse(await read("monitoring/certificate.json"));
  const pattern = /MESSAGE=~"([^"]*)"/.exec(conditions[0].conditionMatchedLog.filter)![1];
  const text = await Deno.readTextFile(`${ROOT}lib/server/access/access.ts`);
  const said = /`(the certificate of \$\{subject\} )\$\{.* \? "(.*)" : "(.*)"\}( at )/.exec(text);
  assert(said !== null, "access.ts logs no such line");
  const [, before, ends, ended, after] = said;
  for (const word of [ends, ended]) {
    assert(new RegExp(pattern).test(`${before}${word}${after}`), word);
  }
});

/** Whether a filter of Google's holds for an entry of the journal: its lines all, of a line's alternatives one. */
function holds(filter: string, entry: Record<string, string>): boolean {
  return filter.split("\n").every((line) =>
    line.split(" OR ").some((one) => {
      const [, field, operator, text] = /^jsonPayload\.(\w+) ?(=~?) ?"(.*)"$/.exec(one) ?? [];
      // What is asked of the VM's name is true of the VM that is meant.
      if (field === undefined) return one.startsWith("labels.");
      const value = entry[field] ?? "";
      return operator === "=" ? value === text : new RegExp(text).test(value);
    })
  );
}

Deno.test("what systemd says of a server that ends leaves the machine and is an alert, and what others say is neither", async () => {
  const [, own] = /- 'NOT \((.*)\)'/.exec(await read("ops-agent.yaml"))!;
  const { conditions } = JSON.parse(await read("monitoring/not-serving.json"));
  const { filter } = conditions[0].conditionMatchedLog;
  const entries: Record<string, string>[] = [
    // systemd's own lines are of its own unit, and name the other in UNIT.
    {
      _SYSTEMD_UNIT: "init.scope",
      UNIT: "kvs-server.service",
      MESSAGE: "kvs-server.service: Failed with result 'signal'.",
    },
    { _SYSTEMD_UNIT: "kvs-server.service", MESSAGE: "kvs-server does not answer at 127.0.0.1:1." },
    { _SYSTEMD_UNIT: "kvs-server.service", MESSAGE: "listening on 0.0.0.0:11211" },
    {
      _SYSTEMD_UNIT: "init.scope",
      UNIT: "cron.service",
      MESSAGE: "cron.service: Failed with result 'signal'.",
    },
  ];
  assertEquals(
    entries.map((entry) => [holds(own, entry), holds(own, entry) && holds(filter, entry)]),
    [
      [true, true],
      [true, true],
      [true, false],
      [false, false],
    ],
  );
});

Deno.test("the Ops Agent takes the log of kvs's units and asks kvs for its figures", async () => {
  const text = await read("ops-agent.yaml");
  for (
    const part of ["systemd_journald", "kvs-server.service", "type: prometheus", "127.0.0.1:9150"]
  ) {
    assertStringIncludes(text, part);
  }
  // Tabs are an error in YAML.
  assert(!text.includes("\t"));
});
