/** Tests of clients, each against kvs as a process, on the stores that need nothing but a machine. */

import { ServerProcess } from "../server/process.ts";
import type { DebianPackage } from "./debian.ts";

/** Registers a test of a client for each store. */
export function testClient(
  name: string,
  body: (server: ServerProcess) => Promise<void>,
  needs?: DebianPackage,
): void {
  for (const store of ["memory", "disk"]) {
    const full = `${name}, on kvs (${store})`;
    Deno.test({
      name: needs?.named(full) ?? full,
      ignore: needs?.skipped ?? false,
      fn: async () => {
        needs?.require();
        const directory = await Deno.makeTempDir();
        const options = store === "disk" ? ["--data-dir", directory] : [];
        {
          await using server = await ServerProcess.start([
            "-p",
            "-1",
            "--store",
            store,
            ...options,
          ]);
          await body(server);
        }
        await Deno.remove(directory, { recursive: true });
      },
    });
  }
}

/** A program's output and exit code. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function outcomeOf(
  program: string,
  args: readonly string[],
  directory?: string,
): Promise<Outcome> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd: directory,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
