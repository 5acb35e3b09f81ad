/**
 * Commands that ask servers rather than about items.
 *
 * @module
 */

import { complain, isTerminal, paint, print, shown } from "../../cli/terminal.ts";
import { Exit } from "../../errors.ts";
import type { Client } from "../client.ts";
import type { Call, Command } from "./command.ts";
import { type Row, rowsOf } from "./each_server.ts";
import { milliseconds } from "./storage.ts";

/**
 * Asks each server and prints what it answers, or in its place why it does not. In JSON all are one
 * object.
 */
async function printRows<T>(
  { client, options }: Call,
  ask: (server: Client) => Promise<T>,
  text: (answer: T, server: string, several: boolean) => string,
  json: (answer: T) => unknown = (answer) => answer,
): Promise<number> {
  const several = client.servers.length > 1;
  const fields: Record<string, unknown> = {};
  let code: number = Exit.ok;
  for await (const row of rowsOf(client, ask)) {
    if (!("answer" in row)) code = row.code;
    if (options.json) fields[row.server] = "answer" in row ? json(row.answer) : errorField(row);
    else if ("answer" in row) await print(text(row.answer, row.server, several));
    else await print(`${row.server} ${paint("red", `error: ${shown(row.error)}`)}\n`);
  }
  if (options.json) await print(JSON.stringify(fields) + "\n");
  return code;
}

function errorField(row: Extract<Row<unknown>, { error: string }>): { error: string } {
  return { error: row.error };
}

/** The only entry of a map that one server's answer is. */
function only<T>(map: ReadonlyMap<string, T>): T {
  return map.values().next().value!;
}

export const stats: Command = {
  takes: "[GROUP]",
  arguments: [0, 1],
  options: [],
  help: "print what each server counts; GROUP is settings, items, …",
  examples: ["kvs-client stats", "kvs-client stats settings --json"],
  run: (call) =>
    printRows(
      call,
      async (server) => only(await server.stats(call.args[0])),
      (figures, server, several) => {
        // Of 100,000 connections there are more figures than a call takes arguments.
        const width = figures.keys().reduce((most, { length }) => Math.max(most, length), 0);
        const rows = [...figures].map(([name, value]) =>
          `${isTerminal() ? name.padEnd(width) : name} ${shown(value)}`.trimEnd() + "\n"
        );
        return (several ? `${paint("bold", server)}\n` : "") + rows.join("");
      },
      (figures) => Object.fromEntries(figures),
    ),
};

export const version: Command = {
  takes: "",
  arguments: [0, 0],
  options: [],
  help: "print the version of each server",
  examples: ["kvs-client version"],
  run: (call) =>
    printRows(
      call,
      async (server) => only(await server.version()),
      (version, server, several) => `${several ? `${server} ` : ""}${shown(version)}\n`,
    ),
};

export const ping: Command = {
  takes: "",
  arguments: [0, 0],
  options: [],
  help: "print how long each server takes to answer, in milliseconds",
  examples: ["kvs-client -s a:11211,b:11211 ping"],
  run: (call) =>
    printRows(
      call,
      async (server) => only(await server.ping()),
      (took, server) => `${server} ${took.toFixed(3)} ms\n`,
    ),
};

export const flush: Command = {
  takes: "[DELAY]",
  arguments: [0, 1],
  options: [],
  help: "delete all items of all servers, immediately or after DELAY (10, 10s, 5m, 31d)",
  examples: ["kvs-client flush", "kvs-client flush 10m"],
  run(call) {
    const [text] = call.args;
    const delay = text === undefined ? 0 : milliseconds("flush", "DELAY", text);
    return printFlushed(call, delay);
  },
};

async function printFlushed({ client, options }: Call, delay: number): Promise<number> {
  let code: number = Exit.ok;
  for await (const row of rowsOf(client, (server) => server.flushAll(delay / 1000))) {
    if ("answer" in row) continue;
    code = row.code;
    complain(`not flushed: ${row.error}`);
  }
  const result = code === Exit.ok ? "flushed" : "not flushed everywhere";
  if (options.json) await print(JSON.stringify({ result }) + "\n");
  else if (code === Exit.ok && isTerminal()) await print(paint("green", result) + "\n");
  return code;
}
