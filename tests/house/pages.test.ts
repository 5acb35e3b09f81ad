/** The documents are held to the project: their links, their commands, their options. */

import { assert, assertEquals } from "@std/assert";
import { commands } from "../../lib/client/commands/table.ts";
import { clientOptions } from "../../lib/client/commands/options.ts";
import { multiclientOptions } from "../../lib/load/multiclient.ts";
import { generateOptions } from "../../lib/load/generate.ts";
import { serverOptions } from "../../lib/server/options.ts";
import { anchors, blocks, links, pages, root, spans } from "./pages.ts";
import { trackedFiles } from "./tracked_files.ts";

const all = await pages();
const tracked = await trackedFiles();
const { tasks } = JSON.parse(await Deno.readTextFile(`${root}deno.json`));

/** The flags of options, each on its own. */
function flagsOf(options: Readonly<Record<string, { readonly flags: string }>>): string[] {
  return Object.values(options).flatMap(({ flags }) => flags.split(", "));
}

const flags = {
  "kvs-server": flagsOf(serverOptions),
  "kvs-client": flagsOf(clientOptions),
  "kvs-bench": flagsOf(multiclientOptions),
  generate: flagsOf(generateOptions),
};

/** Programs, by the task that runs them from source. */
const programs: Readonly<Record<string, keyof typeof flags>> = {
  start: "kvs-server",
  client: "kvs-client",
  multiclient: "kvs-bench",
  generate: "generate",
};

/** What is wrong with a command of a document; `undefined` where nothing is. */
function fault(command: string): string | undefined {
  const words = command.split(" ").filter((word) => !/^[A-Z_]+=/.test(word) && word !== "sudo");
  let program = words.shift()!;
  if (program === "deno" && words[0] === "task") {
    const task = words.slice(1).find((word) => word !== "-q")!;
    if (tasks[task] === undefined) return `there is no task '${task}'`;
    words.splice(0, words.indexOf(task) + 1);
    if (programs[task] === undefined) {
      return missingFile(words.filter((word) => word.startsWith("tests/")));
    }
    program = programs[task];
  } else if (program === "deno") {
    return missingFile(words.filter((word) => word.includes("/")));
  } else if (program.startsWith("infra/")) return missingFile([program]);
  program = program.replace(/^bin\//, "");
  if (!(program in flags)) return undefined;
  const known = flags[program as keyof typeof flags];
  for (const word of words) {
    const flag = /^--[a-z]/.test(word) ? word.replace(/[=…].*$/, "") : undefined;
    if (flag !== undefined && !known.includes(flag)) return `${program} has no option '${flag}'`;
  }
  const first = words[0];
  if (program === "kvs-client" && /^[a-z]+$/.test(first ?? "")) {
    if (first !== "help" && !(first! in commands)) return `kvs-client has no command '${first}'`;
  }
  return undefined;
}

function missingFile(paths: readonly string[]): string | undefined {
  const missing = paths.find((path) => !tracked.some((file) => `${file}/`.startsWith(`${path}/`)));
  return missing === undefined ? undefined : `there is no '${missing}'`;
}

Deno.test("every link of a page leads to a file, and to a heading of it", () => {
  const stray = all.flatMap(({ path, text }) =>
    links(text).filter((link) => {
      const [file, anchor] = link.split("#");
      const target = new URL(file!, `file:///${path}`).pathname.slice(1).replace(/\/$/, "");
      if (missingFile([target]) !== undefined) return true;
      return anchor !== undefined &&
        !anchors(all.find((page) => page.path === target)?.text ?? "").includes(anchor);
    }).map((link) => `${path}: ${link}`)
  );
  assertEquals(stray, []);
});

Deno.test("every command within a sentence names what there is", () => {
  const faults = all.flatMap(({ path, text }) =>
    spans(text).flatMap((span) => span.split(/ (?:\||&&) /))
      .filter((span) => /^(sudo |[A-Z_]+=\S* )*(kvs-|bin\/|deno |infra\/.)/.test(span))
      .map((span) => [span, fault(span)] as const)
      .filter(([, fault]) => fault !== undefined)
      .map(([span, fault]) => `${path}: ${span}: ${fault}`)
  );
  assertEquals(faults, []);
});

Deno.test("every block says what it is", () => {
  const languages = ["console", "json", "sh", "text", "ts"];
  const strange = blocks(all.filter(({ path }) => !path.startsWith("lib/")))
    .filter(({ language }) => !languages.includes(language));
  assertEquals(strange.map(({ path, body }) => `${path}: ${body}`), []);
});

Deno.test("the README has at most 120 lines", () => {
  const { text } = all.find(({ path }) => path === "README.md")!;
  assert(text.split("\n").length <= 121);
});

Deno.test("every page of docs/ is named in the README", () => {
  const named = links(all.find(({ path }) => path === "README.md")!.text);
  const docs = all.map(({ path }) => path).filter((path) => path.startsWith("docs/"));
  assertEquals(docs.filter((path) => !named.includes(path)), []);
});

Deno.test("docs/options.md has every option of the server, and no other", () => {
  const { text } = all.find(({ path }) => path === "docs/options.md")!;
  const shown = [...text.matchAll(/^\| (`-[^|]*) \|/gm)]
    .flatMap(([, cell]) => [...cell!.matchAll(/`(-[^`]+)`/g)].map(([, flag]) => flag!));
  const taken = Object.values(serverOptions)
    .filter((option) => !("ignored" in option || "refusal" in option))
    .flatMap((option) => option.flags.split(", "));
  assertEquals(shown.sort(), taken.sort());
});

Deno.test("an option's name in the code is its long flag", () => {
  const tables = { serverOptions, clientOptions, multiclientOptions, generateOptions };
  const others = Object.entries(tables).flatMap(([table, options]) =>
    Object.entries(options).filter(([name, option]) => {
      const long = /--([a-z\d-]+)$/.exec(option.flags)?.[1];
      const taken = !("ignored" in option || "refusal" in option);
      return taken && long !== undefined &&
        long.replace(/-(\w)/g, (_, letter) => letter.toUpperCase()) !== name;
    }).map(([name, { flags }]) => `${table}: ${name} is ${flags}`)
  );
  assertEquals(others, []);
});
