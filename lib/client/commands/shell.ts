/**
 * `shell`: one command after another, typed or read from a pipe.
 *
 * @module
 */

import process from "node:process";
import { complain, isTerminal, paint, print } from "../../cli/terminal.ts";
import { Exit, ExitError, messageOf } from "../../errors.ts";
import type { Client } from "../client.ts";
import type { Call, Command } from "./command.ts";
import { completer } from "./complete.ts";
import { LineError, linesOf } from "./lines.ts";
import { historyPath, readHistory, writeHistory } from "./history.ts";
import { wordsOf } from "./words.ts";

const HISTORY_LINES = 1000;

export const shell: Command = {
  takes: "",
  arguments: [0, 0],
  options: [],
  help: "read commands, and the options of each, line by line",
  details: "Words are as in sh. Double quotes take redis-cli's escapes: \\n, \\r, \\t, \\xHH. " +
    "Tab completes commands, options and keys; Ctrl-C ends the command that runs, Ctrl-D the shell.",
  examples: ["kvs-client shell", "kvs-client shell <commands.txt"],
  async run(call) {
    return Deno.stdin.isTerminal() && isTerminal() ? await interact(call) : await readAll(call);
  },
};

/** Runs the lines of standard input. The exit code is the last command's, as in sh. */
async function readAll(call: Call): Promise<number> {
  let code: number = Exit.ok;
  const run = new Running(call);
  try {
    for await (const line of linesOf(Deno.stdin.readable)) {
      if (isEnd(line)) break;
      code = await run.line(line) ?? code;
    }
  } catch (error) {
    if (!(error instanceof LineError)) throw error;
    throw new ExitError(`shell: a line cannot be read: ${error.message}`, Exit.data);
  }
  return code;
}

async function interact(call: Call): Promise<number> {
  // Loaded here alone: other commands would wait for it as long as for all the rest of their start.
  const { createInterface } = await import("node:readline");
  const path = historyPath();
  const run = new Running(call);
  const complete = completer(() => run.client, call.commands);
  const past = await readHistory(path);
  await print("help lists the commands, exit leaves.\n");
  // From here to the loop nothing is waited for: lines that were typed ahead would be lost.
  const editor = createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal: true,
    history: past,
    historySize: HISTORY_LINES,
    removeHistoryDuplicates: true,
    prompt: paint("bold", `${call.client.addresses.join(",")}> `),
    completer: (line: string, done: (error: null, found: [string[], string]) => void) => {
      complete(line).then((found) => done(null, found), () => done(null, [[], line]));
    },
  });
  let history: string[] = [];
  editor.on("history", (lines: string[]) => history = [...lines]);
  editor.on("SIGINT", () => {
    // Control-C ends what runs, or gives up the line; control-D leaves.
    if (run.interrupt()) return;
    // To the line's end, and all before it is deleted.
    editor.write(null, { ctrl: true, name: "e" });
    editor.write(null, { ctrl: true, name: "u" });
    editor.prompt();
  });
  editor.prompt();
  for await (const line of editor) {
    if (isEnd(line)) break;
    await run.line(line);
    editor.prompt();
  }
  editor.close();
  if (history.length > 0) await writeHistory(path, history);
  return Exit.ok;
}

function isEnd(line: string): boolean {
  return /^\s*(exit|quit)\s*$/.test(line);
}

/** The lines of a shell, one after another, over connections that an interruption closes. */
class Running {
  readonly #call: Call;
  #stop = new AbortController();
  #isRunning = false;
  client: Client;

  constructor(call: Call) {
    this.#call = call;
    this.client = call.client.until(this.#stop.signal);
  }

  /** Ends the command that runs; false where none does. */
  interrupt(): boolean {
    if (!this.#isRunning) return false;
    this.#stop.abort(new ExitError("interrupted", Exit.interrupted));
    return true;
  }

  /** Runs one line, and says what goes wrong. Returns `undefined` for an empty one. */
  async line(line: string): Promise<number | undefined> {
    const { signal } = this.#stop;
    try {
      const words = wordsOf(line);
      if (words.length === 0 || words[0]!.startsWith("#")) return undefined;
      this.#isRunning = true;
      return await this.#call.execute!(words, this.client, signal);
    } catch (error) {
      const known = error instanceof ExitError || error instanceof SyntaxError;
      if (!known) throw error;
      complain(messageOf(error));
      return error instanceof ExitError ? error.code : Exit.usage;
    } finally {
      this.#isRunning = false;
      if (signal.aborted) {
        this.#stop = new AbortController();
        this.client = this.#call.client.until(this.#stop.signal);
      }
    }
  }
}
