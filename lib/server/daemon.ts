/**
 * `-d`: the server in the background.
 *
 * Deno can neither fork nor leave its terminal, so the server is a program that this one starts, apart
 * from the terminal, and waits for until it listens. That takes the permission to run programs, which
 * the tasks and executables do not have.
 *
 * @module
 */

import { bytesOf } from "../bytes.ts";
import { Exit, ExitError } from "../errors.ts";
import type { Signals } from "./signals.ts";

/** Tells the program that was started in the background that it is that one. */
const MARK = "KVS_IN_BACKGROUND";

/** Whether this is the program in the background. */
export function isInBackground(): boolean {
  return Deno.env.get(MARK) !== undefined;
}

/** Tells the program in the foreground that it need not wait any longer. */
export function tellForeground(): void {
  if (isInBackground()) Deno.stdout.writeSync(bytesOf("listening\n"));
}

/**
 * Starts this program again in the background, with the same arguments and permissions, and waits until it
 * listens or has ended. Without `verbose` what it says on standard error is shown up to then and lost
 * afterwards, as in memcached.
 *
 * @returns the exit code: 0 if it listens.
 * @throws {ExitError} 64 if this program may start no other.
 */
export async function startInBackground(
  args: readonly string[],
  verbose: boolean,
  signals: Signals,
): Promise<number> {
  if (Deno.permissions.querySync({ name: "run", command: Deno.execPath() }).state !== "granted") {
    throw new ExitError(
      "-d/--daemon needs the permission to start a program, which this one does not have: let systemd " +
        "run it (infra/kvs-server.service), or the shell: nohup kvs-server … &",
      Exit.usage,
    );
  }
  const child = new Deno.Command(Deno.execPath(), {
    args: [...Deno.build.standalone ? [] : denoArguments(), ...args],
    clearEnv: true,
    env: { ...inheritable(), [MARK]: "1" },
    detached: true,
    stdin: "null",
    stdout: "piped",
    stderr: verbose ? "inherit" : "piped",
  }).spawn();
  signals.stopped.then(() => child.kill("SIGTERM"));
  const relaying = verbose
    ? undefined
    : child.stderr.pipeTo(Deno.stderr.writable, { preventClose: true });
  const { value } = await child.stdout.getReader().read();
  if (value !== undefined) return Exit.ok;
  await relaying;
  return (await child.status).code;
}

/**
 * The environment that the program in the background may have: Deno lets one that may start some programs, and not
 * all, give them no variable of the dynamic loader, such as `LD_BIND_NOW`.
 */
function inheritable(): Record<string, string> {
  const environment = Deno.env.toObject();
  if (Deno.permissions.querySync({ name: "run" }).state === "granted") return environment;
  const isLoaders = ([name]: [string, string]) => name.startsWith("LD_");
  return Object.fromEntries(Object.entries(environment).filter((one) => !isLoaders(one)));
}

/** `run` and what must stand before the program's own arguments. */
function denoArguments(): string[] {
  const names = ["net", "env", "read", "write", "sys", "run"] as const;
  const granted = names.filter((name) => Deno.permissions.querySync({ name }).state === "granted");
  const permissions = granted.map((name) => `--allow-${name}`);
  return ["run", "--quiet", "--no-prompt", ...permissions, Deno.mainModule];
}
