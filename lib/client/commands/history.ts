/**
 * What was typed in the shell, kept for the next time in `$XDG_STATE_HOME/kvs/history`
 * (`~/.local/state/kvs/history`), the last line first. Where that cannot be read or written there
 * is no history, and nobody is troubled with it.
 *
 * @module
 */

/** Where it is kept; `undefined` where there is no home. */
export function historyPath(): string | undefined {
  const home = Deno.env.get("HOME");
  const state = Deno.env.get("XDG_STATE_HOME") || (home && `${home}/.local/state`);
  return state ? `${state}/kvs/history` : undefined;
}

export async function readHistory(path: string | undefined): Promise<string[]> {
  if (path === undefined) return [];
  const text = await Deno.readTextFile(path).catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}

export async function writeHistory(
  path: string | undefined,
  lines: readonly string[],
): Promise<void> {
  if (path === undefined) return;
  try {
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    // What is stored may be secret; so is what was typed.
    await Deno.writeTextFile(path, lines.join("\n") + "\n", { mode: 0o600 });
  } catch {
    // A shell without history is still a shell.
  }
}
