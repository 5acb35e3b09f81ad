/**
 * What servers have noted of requests: `slow`, the last that took long, and `hot`, the keys asked for most.
 *
 * @module
 */

import { bytesOfBinaryString } from "../../bytes.ts";
import { paint, print, quoted } from "../../cli/terminal.ts";
import { Exit, ExitError } from "../../errors.ts";
import type { Client } from "../client.ts";
import { RequestError } from "../errors.ts";
import { percentDecoded } from "../keys.ts";
import type { Call, Command } from "./command.ts";
import { rowsOf } from "./each_server.ts";
import { bytesField } from "./item_line.ts";
import { lineOf } from "./keys.ts";

/** What a server noted, by the names of its figures; the key with one character a byte. */
type Note = ReadonlyMap<string, string>;

export const slow: Command = {
  takes: "[reset]",
  arguments: [0, 1],
  options: [],
  help: "print the last requests that took longer than the server's --slow-ms, or forget them",
  details:
    "A line has the time, the milliseconds, the connection's number, how many requests were " +
    "answered together, and the command and key of the first of them.",
  examples: ["kvs-client slow", "kvs-client slow reset"],
  run: (call) =>
    printNotes(call, "slow", "--slow-ms", (note) => {
      const time = new Date(Number(note.get("time")) * 1000).toISOString();
      const requests = Number(note.get("requests"));
      const together = requests > 1 ? ` (${requests} requests)` : "";
      return `${time} ${cell(note.get("ms"), 10)} ms ${cell(note.get("connection"), 6)}  ` +
        `${note.get("command")} ${keyOf(note)}`.trimEnd() + together;
    }),
};

export const hot: Command = {
  takes: "[reset]",
  arguments: [0, 1],
  options: [],
  help: "print the keys that are asked for most since the start or the last reset, or forget them",
  details: "The server estimates them from some hundred batches a second, where it has --http or " +
    "--slow-ms. A line has the count, by how much it may be too high, and the key.",
  examples: ["kvs-client hot", "kvs-client hot reset"],
  run: (call) =>
    printNotes(
      call,
      "hot",
      "--http or --slow-ms",
      (note) => `${cell(note.get("count"), 12)} ${cell(note.get("error"), 10)}  ${keyOf(note)}`,
    ),
};

/** Prints what each server noted, a line each, or has it forgotten. */
async function printNotes(
  { client, options, args }: Call,
  group: "slow" | "hot",
  needs: string,
  lineOf: (note: Note) => string,
): Promise<number> {
  const [word] = args;
  if (word !== undefined && word !== "reset") {
    throw new ExitError(`${group} takes reset or nothing, received '${word}'`, Exit.usage);
  }
  const several = client.servers.length > 1;
  let code: number = Exit.ok;
  const ask = async (server: Client) => {
    try {
      return await server.stats(word === undefined ? group : `${group} reset`);
    } catch (error) {
      // So memcached answers what it does not know.
      if (error instanceof RequestError && error.message === "ERROR") return undefined;
      throw error;
    }
  };
  for await (const row of rowsOf(client, ask)) {
    if (!("answer" in row)) {
      console.error(`${group}: ${row.error}`);
      code = row.code;
      continue;
    }
    if (row.answer === undefined) {
      console.error(`${row.server} has no stats ${group}: it is no kvs`);
      code = Exit.software;
      continue;
    }
    const figures = [...row.answer.values()][0]!;
    if (figures.has(`${group}_status`)) {
      console.error(`${row.server} notes nothing: it runs without ${needs}`);
      code = Exit.no;
      continue;
    }
    if (several && !options.json) await print(paint("bold", row.server) + "\n");
    for (const note of notesOf(figures)) {
      await print(
        (options.json ? JSON.stringify(fieldsOf(row.server, note)) : lineOf(note)) + "\n",
      );
    }
  }
  return code;
}

/** Figures such as `3:key`, by their numbers in order. */
function notesOf(figures: Note): Note[] {
  const notes = new Map<string, Map<string, string>>();
  for (const [name, value] of figures) {
    const [, number, field] = /^(\d+):(\w+)$/.exec(name) ?? [];
    if (number !== undefined) notes.getOrInsertComputed(number, () => new Map()).set(field!, value);
  }
  return [...notes.values()];
}

function fieldsOf(server: string, note: Note): Record<string, unknown> {
  const fields: Record<string, unknown> = { server };
  for (const [name, value] of note) {
    if (name === "key") Object.assign(fields, bytesField("key", keyBytesOf(note)));
    else fields[name] = name === "command" ? value : Number(value);
  }
  return fields;
}

/** The bytes of a key, which the server percent-encodes; what is not encoded so stands as it is. */
function keyBytesOf(note: Note): Uint8Array {
  const key = note.get("key") ?? "-";
  return key === "-" ? new Uint8Array(0) : percentDecoded(key) ?? bytesOfBinaryString(key);
}

function keyOf(note: Note): string {
  const key = keyBytesOf(note);
  return key.length === 0 ? "" : lineOf(key) ?? quoted(key);
}

function cell(text = "", width: number): string {
  return text.padStart(width);
}
