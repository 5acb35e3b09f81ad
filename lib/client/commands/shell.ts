/**
 * `shell`: one command after another, typed or read from a pipe.
 *
 * @module
 */

import process from "node:process";
import { isTerminal, paint, print } from "../../cli/terminal.ts";
import { Exit, ExitError } from "../../errors.ts";
import { addressText } from "../address.ts";
import type { Call, Command } from "./command.ts";
import { linesOf } from "./lines.ts";
import { historyPath, readHistory, writeHistory } from "./history.ts";
import { wordsOf } from "./words.ts";

const HISTORY_LINES = 1000;

export const shell: Command = {
  takes: "",
  arguments: [0, 0],
  options: [],
  help: "read commands, and the options of each, line by line",
  async run(call) {
    return Deno.stdin.isTerminal() && isTerminal() ? await interact(call) : await readAll(call);
  },
};

/** Runs the lines of standard input. The exit code is the last command's, as in sh. */
async function readAll(call: Call): Promise<number> {
  let code: number = Exit.ok;
  for await (const line of linesOf(Deno.stdin.readable)) {
    if (isEnd(line)) break;
    code = await runLine(line, call) ?? code;
  }
  return code;
}

async function interact(call: Call): Promise<number> {
  // Loaded here alone: other commands would wait for it as long as for all the rest of their start.
  const { createInterface } = await import("node:readline");
  const path = historyPath();
  const editor = createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal: true,
    history: await readHistory(path),
    historySize: HISTORY_LINES,
    removeHistoryDuplicates: true,
    prompt: paint("bold", `${call.client.servers.map(addressText).join(",")}> `),
  });
  let history: string[] = [];
  editor.on("history", (lines: string[]) => history = [...lines]);
  editor.on("SIGINT", () => {
    // Control-C gives up the line; control-D leaves.
    editor.write(null, { ctrl: true, name: "u" });
    editor.prompt();
  });
  await print("help lists the commands, exit leaves.\n");
  editor.prompt();
  for await (const line of editor) {
    if (isEnd(line)) break;
    await runLine(line, call);
    editor.prompt();
  }
  editor.close();
  if (history.length > 0) await writeHistory(path, history);
  return Exit.ok;
}

function isEnd(line: string): boolean {
  return /^\s*(exit|quit)\s*$/.test(line);
}

/** Runs one line, and says what goes wrong. Gives `undefined` for an empty one. */
async function runLine(line: string, call: Call): Promise<number | undefined> {
  try {
    const words = wordsOf(line);
    return words.length === 0 || words[0]!.startsWith("#") ? undefined : await call.execute(words);
  } catch (error) {
    const known = error instanceof ExitError || error instanceof SyntaxError;
    if (!known) throw error;
    console.error(error.message);
    return error instanceof ExitError ? error.code : Exit.usage;
  }
}
