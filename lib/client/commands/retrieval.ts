/**
 * Commands that print what is stored.
 *
 * @module
 */

import { binaryString, bytesOf } from "../../bytes.ts";
import { print } from "../../cli/terminal.ts";
import { Exit } from "../../errors.ts";
import type { Value } from "../../protocol/text/parse_reply.ts";
import type { Call, Command } from "./command.ts";
import { bytesField } from "./item_line.ts";

export const get: Command = {
  takes: "KEY…",
  arguments: [1, Infinity],
  options: ["raw"],
  help: "print the values, each with a line end behind it",
  run: (call) =>
    retrieve(call, async ({ value }) => {
      await print(value);
      if (!call.options.raw) await print("\n");
    }),
};

export const gets: Command = {
  takes: "KEY…",
  arguments: [1, Infinity],
  options: [],
  help: "print each value behind its cas unique and a space, for cas",
  run: (call) =>
    retrieve(call, async ({ value, cas }) => {
      await print(`${cas} `);
      await print(value);
      await print("\n");
    }),
};

async function retrieve(
  { args, options, client }: Call,
  show: (value: Value) => Promise<void>,
): Promise<number> {
  const values = await client.getMany(args, { verb: "gets" });
  let code: number = Exit.ok;
  for (const key of args) {
    const value = values.get(binaryString(bytesOf(key)));
    if (value === undefined) code = Exit.no;
    if (options.json) await print(jsonLine(key, value));
    else if (value === undefined) console.error(`not found: ${key}`);
    else await show(value);
  }
  return code;
}

function jsonLine(key: string, item: Value | undefined): string {
  if (item === undefined) return JSON.stringify({ key, value: null }) + "\n";
  const { value, flags, cas } = item;
  // A cas unique has more digits than a JSON number keeps in most programs.
  return JSON.stringify({ key, ...bytesField("value", value), flags, cas: `${cas}` }) + "\n";
}
