/**
 * Files and programs, as packaging needs them.
 *
 * @module
 */

import { ensureDir } from "@std/fs";

/** Writes a file with its directories; `mode` is what others see too, whatever the umask (644). */
export async function writeFile(
  path: string,
  content: string | Uint8Array,
  mode = 0o644,
): Promise<void> {
  const directory = path.slice(0, path.lastIndexOf("/"));
  await makeDirectory(directory);
  await Deno.writeFile(
    path,
    typeof content === "string" ? new TextEncoder().encode(content) : content,
  );
  await Deno.chmod(path, mode);
}

/** Makes a directory and those above it, each open to all, whatever the umask. */
async function makeDirectory(path: string): Promise<void> {
  try {
    await Deno.stat(path);
  } catch {
    await makeDirectory(path.slice(0, path.lastIndexOf("/")));
    await ensureDir(path);
    await Deno.chmod(path, 0o755);
  }
}

/** Runs a program; returns what it prints. Throws what it says where it fails. */
export async function run(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`Cannot run ${program} ${args.join(" ")}: ${text(stderr)}`);
  return text(stdout);
}
