/**
 * kvs-client as a process of its own, and on a terminal of its own.
 *
 * @module
 */

import { assert } from "@std/assert";
import { bytesOf } from "../../lib/bytes.ts";

export const client = new URL("../../client.ts", import.meta.url).pathname;

/** How a process ended. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs kvs-client on servers, without colours. */
export async function runClient(
  servers: string,
  args: readonly string[],
  { stdin, env = {} }: { stdin?: string | Uint8Array; env?: Record<string, string> } = {},
): Promise<Ran & { bytes: Uint8Array }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", client, ...args],
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    env: { KVS_SERVERS: servers, NO_COLOR: "1", ...env },
  }).spawn();
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    // A client that has read enough closes its end.
    await writer.write(typeof stdin === "string" ? bytesOf(stdin) : stdin).catch(() => {});
    await writer.close().catch(() => {});
  }
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr), bytes: stdout };
}

/** Whether a program is not installed. */
export async function missing(program: string, version = "--version"): Promise<boolean> {
  try {
    return !(await new Deno.Command(program, { args: [version] }).output()).success;
  } catch {
    return true;
  }
}

/** Whether the tests on a terminal are skipped. */
export const tmuxMissing: boolean = await missing("tmux", "-V");

/** How often a screen is looked at until it shows what is waited for, and how long between, in ms. */
const LOOKS = 2400;
const BETWEEN = 50;

/** A terminal of 120 columns and 40 rows in which a command runs; ended when it is disposed of. */
export class Terminal implements AsyncDisposable {
  readonly #socket: string;

  private constructor(socket: string) {
    this.#socket = socket;
  }

  /** Starts `sh -c command` on a terminal; `$KVS_CLIENT` runs kvs-client there. */
  static async start(command: string, env: Record<string, string>): Promise<Terminal> {
    const directory = await Deno.makeTempDir();
    const terminal = new Terminal(`${directory}/tmux`);
    const set = Object.entries({
      KVS_CLIENT: `${Deno.execPath()} run -A --no-check ${client}`,
      XDG_STATE_HOME: directory,
      NO_COLOR: "1",
      ...env,
    }).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    await terminal.#tmux(
      "-f",
      "/dev/null",
      "new-session",
      "-d",
      "-x",
      "120",
      "-y",
      "40",
      ...set,
      [
        "sh",
        "-c",
        // Ctrl-C is the command's, and what it says last stays to be read.
        `trap : INT; ${command}; echo "ended with $?"; exec sleep 1000`,
      ].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" "),
    );
    return terminal;
  }

  /** Types keys as tmux names them: text, `Enter`, `C-c`, `Tab`. */
  async type(...keys: string[]): Promise<void> {
    await this.#tmux("send-keys", ...keys);
  }

  /** Waits until the screen shows something; returns the screen, with the codes of its colours if asked. */
  async shows(what: RegExp, { colours = false } = {}): Promise<string> {
    let screen = "";
    for (let look = 0; look < LOOKS; look++) {
      const how = colours ? ["-e"] : [];
      screen = await this.#tmux("capture-pane", "-p", "-S", "-1000", ...how);
      if (what.test(screen)) return screen;
      await new Promise((resolve) => setTimeout(resolve, BETWEEN));
    }
    assert(false, `the terminal does not show ${what}: ${screen}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux("kill-server");
    await Deno.remove(this.#socket.replace(/\/tmux$/, ""), { recursive: true });
  }

  async #tmux(...args: string[]): Promise<string> {
    const { stdout, stderr, success } = await new Deno.Command("tmux", {
      args: ["-u", "-S", this.#socket, ...args],
      env: { TERM: "xterm-256color", LC_ALL: "C.UTF-8" },
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  }
}
