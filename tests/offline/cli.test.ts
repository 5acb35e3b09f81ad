/** These hold for `jsr:@std/cli` and for its stand-in alike: a command line means the same on both. */
import { assertEquals } from "@std/assert";
import { parseArgs } from "@std/cli";

const OPTIONS = {
  string: ["port", "listen", "tag", "_"],
  boolean: ["verbose", "help"],
  alias: { port: "p", listen: "l", verbose: "v", help: "h" },
  collect: ["tag"],
  negatable: ["verbose"],
} as const;

/** What `args` say beside the positions and what is false, empty or an alias anyway. */
function said(...args: string[]): Record<string, unknown> {
  const { _, p: _p, l: _l, v: _v, h: _h, ...options } = parseArgs(args, OPTIONS);
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== false && String(value) !== ""),
  );
}

function positions(args: string[], options: { stopEarly?: boolean } = {}): (string | number)[] {
  return parseArgs(args, { ...OPTIONS, ...options })._;
}

Deno.test("an option takes its value after a space, an equals sign or nothing", () => {
  for (const args of [["--port", "12"], ["--port=12"], ["-p", "12"], ["-p12"], ["-p=12"]]) {
    assertEquals(said(...args), { port: "12" }, args.join(" "));
  }
});

Deno.test("a name and its alias have the same value", () => {
  const { port, p } = parseArgs(["-p", "12"], OPTIONS) as Record<string, unknown>;
  assertEquals([port, p], ["12", "12"]);
});

Deno.test("a value may not begin with a hyphen unless an equals sign comes first", () => {
  assertEquals(parseArgs(["--port", "-5"], OPTIONS).port, "");
  assertEquals(said("--port=-5"), { port: "-5" });
});

Deno.test("a letter's value that does not end in a number is read as more letters", () => {
  assertEquals(parseArgs(["-l0m"], { string: ["l"] }), { l: "", "0": true, m: true, _: [] });
  assertEquals(said("-l/run"), { listen: "/run" });
});

Deno.test("letters without values may share a hyphen, and the last may have a value", () => {
  assertEquals(said("-hvp", "12"), { help: true, verbose: true, port: "12" });
});

Deno.test("a boolean takes true or false as its value and nothing else", () => {
  assertEquals(said("--verbose", "false"), {});
  assertEquals(said("--verbose=false"), {});
  assertEquals(said("--verbose", "true"), { verbose: true });
  assertEquals(said("--verbose", "get"), { verbose: true });
  assertEquals(positions(["--verbose", "get"]), ["get"]);
});

Deno.test("--no-NAME turns a negatable option off, and is an option of its own otherwise", () => {
  assertEquals(said("--verbose", "--no-verbose"), {});
  assertEquals(said("--no-help"), { "no-help": true });
});

Deno.test("the last value wins, and a collected option keeps them all", () => {
  assertEquals(said("-p1", "-p2", "--tag", "a", "--tag=b"), { port: "2", tag: ["a", "b"] });
  assertEquals(parseArgs([], OPTIONS).tag, []);
});

Deno.test("an absent boolean is false and an absent string is not there", () => {
  const args = parseArgs([], OPTIONS);
  assertEquals(args.verbose, false);
  assertEquals(Object.hasOwn(args, "port"), false);
});

Deno.test("a default fills in a name and its aliases, and only where nothing was given", () => {
  const options = { string: ["port"], alias: { port: "p" }, default: { port: "11211" } } as const;
  assertEquals(parseArgs([], options), { port: "11211", p: "11211", _: [] });
  assertEquals(parseArgs(["-p", "1"], options), { port: "1", p: "1", _: [] });
});

Deno.test("what follows -- is never an option", () => {
  assertEquals(positions(["set", "--", "--port", "1"]), ["set", "--port", "1"]);
  const apart = parseArgs(["set", "--", "--port"], { "--": true });
  assertEquals([apart._, apart["--"]], [["set"], ["--port"]]);
});

Deno.test("stopEarly leaves the options after the first word alone", () => {
  const args = ["-v", "set", "-p", "1"];
  assertEquals(positions(args, { stopEarly: true }), ["set", "-p", "1"]);
});

Deno.test("a lone hyphen is a word", () => {
  assertEquals(positions(["set", "-"]), ["set", "-"]);
});

Deno.test("words stay text where _ is a string, and become numbers otherwise", () => {
  assertEquals(positions(["007"]), ["007"]);
  assertEquals(parseArgs(["007", "a"])._, [7, "a"]);
});

Deno.test("unknown hears of options and words, and keeps out what it answers false to", () => {
  const heard: unknown[] = [];
  const args = parseArgs(["--port=1", "--prot=2", "-z", "set"], {
    ...OPTIONS,
    unknown: (...args) => {
      heard.push(args);
      return args.length === 1;
    },
  });
  assertEquals(heard, [["--prot=2", "prot", "2"], ["-z", "z", "set"]]);
  assertEquals([args.port, args._], ["1", []]);
});
