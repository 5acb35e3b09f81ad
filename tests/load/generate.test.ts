import { assert, assertEquals } from "@std/assert";
import { parseOptions } from "../../lib/cli/parse.ts";
import { readItemLine } from "../../lib/client/commands/item_line.ts";
import { ExitError } from "../../lib/errors.ts";
import { generate, generateOptions } from "../../lib/load/generate.ts";

interface Files {
  readonly keys: string[];
  readonly values: string[];
  readonly dump: string[];
}

/** Runs generate with a command line and returns the lines of what it wrote. */
async function generated(...args: string[]): Promise<Files> {
  const directory = await Deno.makeTempDir();
  try {
    await generateInto(directory, ...args);
    const lines = async (name: string) => {
      const text = await Deno.readTextFile(`${directory}/${name}`);
      return text === "" ? [] : text.replace(/\n$/, "").split("\n");
    };
    return {
      keys: await lines("keys.txt"),
      values: await lines("values.txt"),
      dump: await lines("records.ndjson"),
    };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function generateInto(directory: string, ...args: string[]): Promise<void> {
  const { options, rest } = parseOptions(
    generateOptions,
    [...args, "--out", directory],
    new Map(),
  );
  const { log } = console;
  console.log = () => {};
  try {
    assertEquals(await generate(options, rest), 0);
  } finally {
    console.log = log;
  }
}

/** The exit code and message with which a command line is refused. */
async function refused(...args: string[]): Promise<[code: number, message: string]> {
  try {
    await generated(...args);
  } catch (error) {
    if (error instanceof ExitError) return [error.code, error.message];
    throw error;
  }
  throw new Error("it was not refused");
}

Deno.test("generate writes 100 different keys, a value for each, and both as a dump", async () => {
  const { keys, values, dump } = await generated();
  assertEquals([keys.length, values.length, dump.length], [100, 100, 100]);
  assertEquals(new Set(keys).size, 100);
  assert(keys.every((key) => key.length === 16 && /^[!-~]+$/.test(key)));
  assert(values.every((value) => value.length === 100));
  const decoder = new TextDecoder();
  dump.forEach((line, i) => {
    const { key, value } = readItemLine(line, 0);
    assertEquals([decoder.decode(key), decoder.decode(value)], [keys[i], values[i]]);
  });
});

Deno.test("the same seed makes the same files, another seed others, and more of them begins with fewer", async () => {
  const args = ["--value-size", "10-1000", "--key-size", "8-40"];
  const first = await generated("2000", "--seed", "7", ...args);
  assertEquals(await generated("2000", "--seed", "7", ...args), first);
  const more = await generated("3000", "--seed", "7", ...args);
  assertEquals(more.keys.slice(0, 2000), first.keys);
  assertEquals(more.values.slice(0, 2000), first.values);
  const other = await generated("2000", "--seed", "8", ...args);
  assert(other.keys[0] !== first.keys[0] && other.values[0] !== first.values[0]);
});

Deno.test("values have the sizes that were asked for, none included", async () => {
  assertEquals((await generated("5", "--value-size", "0")).values, ["", "", "", "", ""]);
  const { values } = await generated("3000", "--value-size", "zipf:1-1000");
  const small = values.filter((value) => value.length <= 30).length;
  assert(values.every((value) => value.length >= 1 && value.length <= 1000));
  assert(small > 1200 && small < 1800, `${small} of 3000 are up to the geometric middle`);
});

Deno.test("generate refuses what it cannot do, naming the option and what it takes", async () => {
  assertEquals(await refused("x"), [
    64,
    "N takes a whole number from 1 to 2147483648, received 'x'",
  ]);
  assertEquals(await refused("1", "2"), [64, "unknown argument '2'"]);
  assertEquals(await refused("1000", "--key-size", "3"), [
    64,
    "--key-size takes at least 4 for 1000 records, received '3'",
  ]);
  const [code, message] = await refused("--value-size", "many");
  assertEquals(code, 64);
  assert(message.startsWith("--value-size takes bytes such as 100, 10-1000, zipf"));
});

Deno.test("a directory that cannot be written ends generate with 73", async () => {
  const file = await Deno.makeTempFile();
  try {
    await generateInto(`${file}/below`);
  } catch (error) {
    assert(error instanceof ExitError);
    assertEquals(error.code, 73);
    assert(error.message.startsWith(`cannot write to '${file}/below': `));
    return;
  } finally {
    await Deno.remove(file);
  }
  throw new Error("it wrote into a file");
});

Deno.test("memory does not grow with the number of records", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await generateInto(directory, "20000");
    const before = Deno.memoryUsage().rss;
    await generateInto(directory, "500000", "--value-size", "200");
    const grown = (Deno.memoryUsage().rss - before) / 2 ** 20;
    const written = (await Deno.stat(`${directory}/records.ndjson`)).size / 2 ** 20;
    assert(written > 100 && grown < written / 2, `${grown} MiB for ${written} MiB`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
