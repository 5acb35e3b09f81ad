/**
 * Makes `jsr:@std/…` resolvable on networks that do not reach jsr.io.
 *
 * Deno reads `vendor/` before it asks a registry. Where `vendor/jsr.io` is missing and jsr.io gives no
 * answer, the modules of `offline/std/` are laid out there as if they were the packages. They export a
 * part of what the packages export, with the same signatures, so the project must not come to need more.
 *
 * Only a network failure may bring them in: any HTTP answer leaves the work, and every error that comes
 * of it (a wrong hash above all), to Deno itself.
 */
import { networkFailure } from "./network.ts";

const REGISTRY = "vendor/jsr.io";
const MARKER = "stand-ins";

/** Name to version of the `@std` packages that have a stand-in, as the lock file pins them. */
function pinnedVersions(): Map<string, string> {
  const { specifiers } = JSON.parse(Deno.readTextFileSync("deno.lock"));
  const names = Array.from(Deno.readDirSync("offline/std"), (entry) => entry.name)
    .filter((name) => name.endsWith(".ts"))
    .map((name) => name.slice(0, -".ts".length));
  return new Map(names.map((name) => {
    const specifier = Object.keys(specifiers).find((it) => it.startsWith(`jsr:@std/${name}@`));
    if (!specifier) throw new Error(`Cannot place a stand-in for @std/${name}: not in deno.lock`);
    return [name, specifiers[specifier] as string];
  }));
}

/** Path under the registry's directory to content: all that Deno wants to find of these packages. */
function standIns(): Map<string, string> {
  const files = new Map([[
    MARKER,
    "Written by offline/deps.ts. Remove vendor/ to try jsr.io again.\n",
  ]]);
  for (const [name, version] of pinnedVersions()) {
    const root = `@std/${name}`;
    files.set(`${root}/meta.json`, JSON.stringify({ versions: { [version]: {} } }));
    files.set(
      `${root}/${version}_meta.json`,
      JSON.stringify({ manifest: {}, exports: { ".": "./mod.ts" } }),
    );
    files.set(`${root}/${version}/mod.ts`, Deno.readTextFileSync(`offline/std/${name}.ts`));
  }
  return files;
}

function present(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Brings the stand-ins in `directory` up to date, each file whole or not at all. */
function place(files: Map<string, string>, directory: string): void {
  for (const [name, content] of files) {
    const path = `${directory}/${name}`;
    if (present(path) && Deno.readTextFileSync(path) === content) continue;
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    const staged = `${path}.${Deno.pid}`;
    Deno.writeTextFileSync(staged, content);
    Deno.renameSync(staged, path);
  }
}

/** Several tasks may start together: the registry's directory appears with all that belongs there. */
function placeAll(files: Map<string, string>): void {
  const staged = `${REGISTRY}.${Deno.pid}`;
  place(files, staged);
  try {
    Deno.renameSync(staged, REGISTRY);
  } catch (error) {
    Deno.removeSync(staged, { recursive: true });
    if (!present(`${REGISTRY}/${MARKER}`)) throw error;
  }
}

if (present(`${REGISTRY}/${MARKER}`)) {
  place(standIns(), REGISTRY);
  // At every start: no hash of the lock is about them.
  console.error(
    "Using the stand-ins of offline/ for the packages of jsr.io. Remove vendor/ to try jsr.io again.",
  );
} else if (!present(REGISTRY)) {
  const failure = await networkFailure("https://jsr.io/@std/assert/meta.json");
  if (failure !== undefined) {
    console.error(
      `Cannot reach jsr.io (${failure}): using the stand-ins of offline/. ` +
        "Remove vendor/ to try jsr.io again.",
    );
    placeAll(standIns());
  }
}
