import { assertEquals } from "@std/assert";
import { parseOptions } from "../../lib/cli/parse.ts";
import { configure } from "../../lib/server/configuration.ts";
import { optionParts } from "../../lib/server/option_labels.ts";
import { serverOptions } from "../../lib/server/options.ts";

function labelsOf(...args: string[]): Map<string, string> {
  const { options } = parseOptions(serverOptions, args, new Map());
  return new Map(
    optionParts(configure(options)).map(([{ option, value }]) => [option!, value!]),
  );
}

Deno.test("option labels: the options in force are told, those of the store in use among them", () => {
  const labels = labelsOf("--store", "disk", "--fsync", "always", "-c", "7", "--http", "9150");
  assertEquals(labels.get("fsync"), "always");
  assertEquals(labels.get("conn-limit"), "7");
  assertEquals(labels.get("memory-limit"), "64m");
  assertEquals(labels.get("http"), "127.0.0.1:9150");
  assertEquals(labels.has("redis-url"), false);
});

Deno.test("option labels: no password is told", () => {
  const labels = labelsOf(
    ...["--store", "redis", "--redis-url", "redis://user:hunter2@127.0.0.1:1"],
    ...["--redis-sentinel-auth", "hunter2"],
  );
  assertEquals(labels.get("redis-url"), "redis://user:…@127.0.0.1:1");
  assertEquals([...labels.values()].join().includes("hunter2"), false);
});
