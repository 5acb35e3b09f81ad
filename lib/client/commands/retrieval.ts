/**
 * Commands that print what is stored.
 *
 * @module
 */

import { binaryString, bytesOf } from "../../bytes.ts";
import { complain, print, shown } from "../../cli/terminal.ts";
import { Exit, ExitError } from "../../errors.ts";
import { exptimeAfter } from "../../exptime.ts";
import type { Value } from "../../protocol/client_dialect.ts";
import type { Key } from "../../protocol/key.ts";
import type { Call, Command } from "./command.ts";
import { bytesField } from "./item_line.ts";
import { argumentText, keyField, keyOf } from "./keys.ts";
import { milliseconds } from "./storage.ts";

export const get: Command = {
  takes: "KEY…",
  keys: true,
  arguments: [1, Infinity],
  options: ["raw", "base64"],
  help: "print the values, each with a line end behind it",
  examples: ["kvs-client get greeting", "kvs-client get --raw picture >picture.png"],
  run: (call) =>
    retrieve(call, async ({ value }) => {
      await print(call.options.raw ? value : shown(value));
      if (!call.options.raw) await print("\n");
    }),
};

export const gets: Command = {
  takes: "KEY…",
  keys: true,
  arguments: [1, Infinity],
  options: ["base64"],
  help: "print each value behind its cas unique and a space, for cas",
  examples: ["kvs-client gets greeting"],
  run: (call) =>
    retrieve(call, async ({ value, cas }) => {
      await print(`${cas} `);
      await print(shown(value));
      await print("\n");
    }),
};

export const gat: Command = {
  takes: "TTL KEY…",
  keys: true,
  arguments: [2, Infinity],
  options: ["base64"],
  help: "print the values, which from now on expire after TTL (10, 10s, 5m, 30d; 0 for never)",
  examples: ["kvs-client gat 30m session:7"],
  run(call) {
    const [ttl, ...args] = call.args;
    const exptime = exptimeAfter(milliseconds("gat", "TTL", ttl!));
    return retrieve({ ...call, args }, async ({ value }) => {
      await print(shown(value));
      await print("\n");
    }, exptime);
  },
};

export const ttl: Command = {
  takes: "KEY…",
  keys: true,
  arguments: [1, Infinity],
  options: ["base64"],
  help: "print in how many seconds items expire, -1 for never; it needs meta commands",
  examples: ["kvs-client ttl session:7"],
  async run({ args, options, client }) {
    if (client.connection.protocol === "binary") {
      throw new ExitError("ttl needs --protocol text or meta", Exit.usage);
    }
    let code: number = Exit.ok;
    for (const text of args) {
      const key = keyOf(options, text);
      const item = await client.meta.get(key, { noValue: true, unseen: true });
      if (item === undefined) code = Exit.no;
      const seconds = item === undefined ? undefined : item.ttl === Infinity ? -1 : item.ttl;
      if (options.json) {
        await print(JSON.stringify({ ...keyField(key), ttl: seconds ?? null }) + "\n");
      } else if (seconds === undefined) complain(`not found: ${argumentText(text)}`);
      else await print(`${seconds}\n`);
    }
    return code;
  },
};

async function retrieve(
  { args, options, client }: Call,
  show: (value: Value) => Promise<void>,
  exptime?: number,
): Promise<number> {
  const keys = args.map((text) => keyOf(options, text));
  const values = await client.getMany(keys, {
    verb: "gets",
    ...(exptime === undefined ? {} : { exptime }),
  });
  let code: number = Exit.ok;
  for (const [i, key] of keys.entries()) {
    const value = values.get(binaryString(typeof key === "string" ? bytesOf(key) : key));
    if (value === undefined) code = Exit.no;
    if (options.json) await print(jsonLine(key, value));
    else if (value === undefined) complain(`not found: ${argumentText(args[i]!)}`);
    else await show(value);
  }
  return code;
}

function jsonLine(key: Key, item: Value | undefined): string {
  if (item === undefined) return JSON.stringify({ ...keyField(key), value: null }) + "\n";
  const { value, flags, cas } = item;
  // A cas unique has more digits than a JSON number keeps in most programs.
  return JSON.stringify({ ...keyField(key), ...bytesField("value", value), flags, cas: `${cas}` }) +
    "\n";
}
