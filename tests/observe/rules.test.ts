import { assertEquals } from "@std/assert";
import { exporterNames } from "./exporter_names.ts";
import { figureTables } from "../../lib/observe/figures/page.ts";

const RULES = "docs/prometheus/kvs.rules.yml";

/** Runs a program of Debian's package `prometheus`. */
async function promtool(...args: string[]): Promise<void> {
  const { code, stdout, stderr } = await new Deno.Command("promtool", { args }).output();
  const decoder = new TextDecoder();
  assertEquals([code, code === 0 ? "" : decoder.decode(stdout) + decoder.decode(stderr)], [0, ""]);
}

async function alerts(): Promise<string[]> {
  const text = await Deno.readTextFile(RULES);
  return [...text.matchAll(/- alert: (\w+)/g)].map(([, name]) => name!);
}

Deno.test("rules: promtool accepts them", () => promtool("check", "rules", RULES));

Deno.test("rules: promtool accepts the configuration that scrapes a server and raises them", () =>
  promtool("check", "config", "docs/prometheus/prometheus.yml"));

Deno.test("rules: each alert is raised by what it is for, and not by a server that is well", () =>
  promtool("test", "rules", "docs/prometheus/kvs.rules.test.yml"));

Deno.test("rules: each alert has a test, a line among the operations and a paragraph in the runbook", async () => {
  const tests = await Deno.readTextFile("docs/prometheus/kvs.rules.test.yml");
  const runbook = await Deno.readTextFile("docs/runbook.md");
  const operations = await Deno.readTextFile("docs/operations.md");
  for (const name of await alerts()) {
    const link = `[${name}](runbook.md#${name.toLowerCase()})`;
    assertEquals([name, operations.includes(link)], [name, true]);
    assertEquals([name, tests.includes(`alertname: ${name}\n`)], [name, true]);
    assertEquals([name, runbook.includes(`\n### ${name}\n`)], [name, true]);
  }
});

Deno.test("rules: they ask for figures that kvs has", async () => {
  const text = await Deno.readTextFile(RULES);
  const page = [...figureTables().values()].join("");
  const histograms = new Set(["kvs_request_duration_seconds_bucket"]);
  for (const [name] of text.matchAll(/\b(kvs|memcached)_\w+/g)) {
    const known = name in exporterNames || histograms.has(name) || page.includes(`\`${name}`);
    assertEquals([name, known], [name, true]);
  }
});

Deno.test("dashboard: its panels ask for figures that kvs has, in queries that Prometheus reads", async () => {
  const dashboard = JSON.parse(await Deno.readTextFile("docs/grafana/kvs.json"));
  const page = [...figureTables().values()].join("");
  const histograms = [
    "kvs_request_duration_seconds_bucket",
    "kvs_disk_sync_duration_seconds_bucket",
    "kvs_store_request_duration_seconds_bucket",
  ];
  const rules = [];
  for (const { title, targets } of dashboard.panels) {
    for (const { expr } of targets as { expr: string }[]) {
      for (const [name] of expr.matchAll(/\b(kvs|memcached)_\w+/g)) {
        const known = name in exporterNames || histograms.includes(name) ||
          page.includes(`\`${name}`);
        assertEquals([title, name, known], [title, name, true]);
      }
      const query = expr.replaceAll("$__rate_interval", "5m");
      rules.push({ record: `panel:${rules.length}`, expr: query });
    }
  }
  // promtool reads a query in a rule; JSON is YAML.
  const file = await Deno.makeTempFile({ suffix: ".yml" });
  try {
    await Deno.writeTextFile(file, JSON.stringify({ groups: [{ name: "panels", rules }] }));
    await promtool("check", "rules", file);
  } finally {
    await Deno.remove(file);
  }
});
