/**
 * Commands that change one item.
 *
 * @module
 */

import { duration } from "../../cli/option.ts";
import { complain, isTerminal, paint, print } from "../../cli/terminal.ts";
import { Exit, ExitError } from "../../errors.ts";
import { exptimeAfter } from "../../exptime.ts";
import type { Client, StoreOptions } from "../client.ts";
import type { Key } from "../../protocol/key.ts";
import type { Call, Command } from "./command.ts";
import { argumentText, keyField, keyOf } from "./keys.ts";
import { wordBytes } from "./words.ts";

type Store = (
  client: Client,
  key: Key,
  value: Uint8Array | string,
  options: StoreOptions,
  rest: readonly string[],
) => Promise<string>;

function storage(
  help: string,
  store: Store,
  examples: readonly string[],
  takes = "KEY VALUE",
  own = true,
): Command {
  const count = takes.split(" ").length;
  return {
    takes,
    keys: true,
    arguments: [count, count],
    options: own ? ["flags", "ttl", "base64"] : ["base64"],
    help,
    ...(help.includes("standard input")
      ? {}
      : { details: "A VALUE of - is read from standard input." }),
    examples,
    async run(call) {
      const [key, text, ...rest] = call.args as [string, string, ...string[]];
      const value = text === "-" ? await readInput(call) : wordBytes(text);
      const { flags, ttl } = call.options;
      const options = { flags, exptime: exptimeAfter(ttl) };
      const stored = await store(call.client, keyOf(call.options, key), value, options, rest);
      return report(call, key, "stored", stored);
    },
  };
}

export const set = storage(
  "store a value; a VALUE of - is read from standard input",
  async (client, key, value, options) => {
    await client.set(key, value, options);
    return "stored";
  },
  ["kvs-client set greeting 'hello, world' --ttl 10m", "kvs-client set picture - <picture.png"],
);

export const add = storage(
  "store a value where there is none",
  async (client, key, value, options) =>
    await client.add(key, value, options) ? "stored" : "not stored: there is a value",
  ["kvs-client add visits 1"],
);

export const replace = storage(
  "store a value in the place of another",
  async (client, key, value, options) =>
    await client.replace(key, value, options) ? "stored" : "not stored: there is no value",
  ["kvs-client replace greeting 'good evening'"],
);

export const append = storage(
  "put text behind a value",
  async (client, key, value) =>
    await client.append(key, value) ? "stored" : "not stored: there is no value",
  ["kvs-client append greeting '!'"],
  "KEY VALUE",
  false,
);

export const prepend = storage(
  "put text before a value",
  async (client, key, value) =>
    await client.prepend(key, value) ? "stored" : "not stored: there is no value",
  ["kvs-client prepend greeting 'well, '"],
  "KEY VALUE",
  false,
);

export const cas = storage(
  "store a value if the cas unique still is UNIQUE",
  async (client, key, value, options, [unique]) => {
    const result = await client.cas(key, value, unsigned("cas", "UNIQUE", unique!), options);
    return result === "exists" ? "not stored: another has changed it" : result;
  },
  ["kvs-client gets greeting", "kvs-client cas greeting 'good evening' 42"],
  "KEY VALUE UNIQUE",
);

function arithmetic(verb: "incr" | "decr", help: string): Command {
  return {
    takes: "KEY [N]",
    keys: true,
    arguments: [1, 2],
    options: ["base64"],
    help,
    examples: [`kvs-client ${verb} visits 10`],
    async run(call) {
      const [key, delta = "1"] = call.args as [string, string?];
      const named = keyOf(call.options, key);
      const number = await call.client[verb](named, unsigned(verb, "N", delta));
      if (number === undefined) return report(call, key, verb, "not found");
      // The digits as they are: a JSON number, though of up to 64 bits.
      await print(
        call.options.json
          ? `${JSON.stringify(keyField(named)).slice(0, -1)},"value":${number}}\n`
          : `${number}\n`,
      );
      return Exit.ok;
    },
  };
}

export const incr = arithmetic("incr", "add N (1) to a number and print the sum");
export const decr = arithmetic("decr", "take N (1) from a number, down to 0, and print the rest");

export const touch: Command = {
  takes: "KEY TTL",
  keys: true,
  arguments: [2, 2],
  options: ["base64"],
  help: "let an item expire after TTL (10, 10s, 5m, 30d); 0 for never",
  examples: ["kvs-client touch session:7 30m"],
  async run(call) {
    const [key, ttl] = call.args as [string, string];
    const exptime = exptimeAfter(milliseconds("touch", "TTL", ttl));
    const touched = await call.client.touch(keyOf(call.options, key), exptime);
    return report(call, key, "touched", touched ? "touched" : "not found");
  },
};

export const remove: Command = {
  takes: "KEY…",
  keys: true,
  arguments: [1, Infinity],
  options: ["base64"],
  help: "delete items",
  examples: ["kvs-client delete session:7 session:8"],
  async run(call) {
    const keys = call.args.map((key) => keyOf(call.options, key));
    const deleted = await Promise.all(keys.map((key) => call.client.delete(key)));
    let code: number = Exit.ok;
    for (const [i, key] of call.args.entries()) {
      code = Math.max(
        code,
        await report(call, key, "deleted", deleted[i] ? "deleted" : "not found"),
      );
    }
    return code;
  },
};

/** Says what became of a key, on a terminal or where it is not what was wanted, and in JSON. */
async function report(
  { options }: Call,
  key: string,
  wanted: string,
  result: string,
): Promise<number> {
  const done = result === wanted;
  if (options.json) {
    await print(JSON.stringify({ ...keyField(keyOf(options, key)), result }) + "\n");
  } else if (!done) complain(`${result}: ${argumentText(key)}`);
  else if (isTerminal()) await print(paint("green", result) + "\n");
  return done ? Exit.ok : Exit.no;
}

/** Reads an argument that is a span of time. */
export function milliseconds(command: string, name: string, text: string): number {
  const kind = duration({ flags: name, help: "" });
  const value = kind.read(text, undefined);
  if (value !== undefined) return value;
  throw new ExitError(`${command}: ${name} takes ${kind.takes}, received '${text}'`, Exit.usage);
}

function unsigned(command: string, name: string, text: string): bigint {
  if (/^\d{1,20}$/.test(text) && BigInt(text) < 2n ** 64n) return BigInt(text);
  throw new ExitError(
    `${command}: ${name} takes a whole number of 64 bits, received '${text}'`,
    Exit.usage,
  );
}

async function readInput({ input }: Call): Promise<Uint8Array> {
  if (input !== undefined) return new Uint8Array(await new Response(input()).arrayBuffer());
  throw new ExitError("VALUE - reads standard input, which the shell has", Exit.usage);
}
