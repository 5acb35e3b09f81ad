/**
 * Sessions of the documents: what a person types, and what the terminal then shows.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";

/** A step of a session: a command, and what it prints. */
interface Step {
  readonly command: string;
  readonly expected: string;
}

/** The steps of a `console` block. */
function steps(session: string): Step[] {
  return session.split(/^\$ /m).slice(1).map((step) => {
    const [, command, expected] = /^(.*)\n([^]*)$/.exec(step)!;
    return { command: command!, expected: expected! };
  });
}

/** A server's line that says it is there, and its port. */
const LISTENING = /listening on 127\.0\.0\.1:(\d+)/;

/**
 * Types a session into one shell and holds each command to what the session says it prints. A command
 * that ends in `&` is a server, which is waited for; every later command goes to it.
 */
export async function playSession(
  session: string,
  options: { cwd: string; env: Record<string, string>; port?: number },
): Promise<void> {
  const shell = new Deno.Command("bash", {
    args: ["--noprofile", "--norc"],
    ...options,
    stdin: "piped",
    stdout: "piped",
    // What servers say is written beside what commands print.
    stderr: "inherit",
  }).spawn();
  const keyboard = shell.stdin.getWriter();
  const screen = shell.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let shown = "";
  /** What the shell prints until something is there. */
  async function until(what: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = what.exec(shown);
      if (found !== null) {
        shown = shown.slice(found.index + found[0].length);
        return found;
      }
      const { done, value } = await screen.read();
      assert(!done, `the shell ended: ${shown}`);
      shown += value;
    }
  }
  const type = (line: string) => keyboard.write(new TextEncoder().encode(`${line}\n`));
  let port = options.port;
  try {
    for (const { command, expected } of steps(session)) {
      if (command.endsWith(" &")) {
        await type(`${command.slice(0, -2)} 2> >(cat) &`);
        port = Number((await until(LISTENING))[1]);
        await until(/\n/);
        await type(`export KVS_SERVERS=127.0.0.1:${port}`);
        continue;
      }
      await type(`${command.replaceAll("11211", String(port))}; echo "<the end>"`);
      const [printed] = await until(/^[^]*?<the end>\n/);
      assertEquals(
        printed.slice(0, -"<the end>\n".length).replaceAll("\r\n", "\n"),
        expected,
        command,
      );
    }
  } finally {
    await type("kill %% 2>/dev/null; wait; exit");
    while (!(await screen.read()).done);
    await shell.status;
    await keyboard.close().catch(() => {});
  }
}
