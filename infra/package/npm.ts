/**
 * The client library as a package for npm: one module for Node, and its types.
 *
 * @module
 */

import { LICENSE, VERSION } from "../../lib/version.ts";
import { run, writeFile } from "./files.ts";

const SOCKETS = "deno_sockets.mjs";
/** Where the types of the library's modules lie in the package. */
const TYPES = "types";

/** Makes the package in a directory of its own below `out`; returns its path. */
export async function makeNpmPackage(out: string): Promise<string> {
  const directory = `${out}/npm`;
  const work = await Deno.makeTempDir();
  try {
    const root = new URL("../../", import.meta.url).pathname;
    const entry = `${root}lib/client/mod.ts`;
    await run(Deno.execPath(), "bundle", "--quiet", "-o", `${work}/kvs.js`, entry);
    const library = await Deno.readTextFile(`${work}/kvs.js`);
    await writeFile(`${directory}/kvs.mjs`, `import { Deno } from "./${SOCKETS}";\n${library}`);
    await putTypes(root, work, `${directory}/${TYPES}`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  const sockets = await Deno.readTextFile(new URL(SOCKETS, import.meta.url));
  await writeFile(`${directory}/${SOCKETS}`, sockets);
  await writeFile(`${directory}/LICENSE`, LICENSE);
  const description = {
    name: "kvs-client",
    version: VERSION,
    description: "A client of kvs and of any memcached",
    license: "MIT",
    type: "module",
    exports: { types: `./${TYPES}/lib/client/mod.d.ts`, default: "./kvs.mjs" },
    files: ["kvs.mjs", SOCKETS, TYPES],
    // It loads node:crypto by process.getBuiltinModule.
    engines: { node: ">=20.16" },
  };
  await writeFile(`${directory}/package.json`, JSON.stringify(description, undefined, 2) + "\n");
  return directory;
}

/** Puts the types into a directory, a file for each module that an application can see. */
async function putTypes(root: string, work: string, directory: string): Promise<void> {
  const archive = `${work}/package.tgz`;
  const config = `${root}deno.json`;
  await run(Deno.execPath(), "pack", "--allow-dirty", "--config", config, "--output", archive);
  const names = (await run("tar", "-tzf", archive)).split("\n")
    .filter((name) => name.endsWith(".d.ts"));
  await run("tar", "-xzf", archive, "-C", work, ...names);
  for (const name of names) {
    const types = await Deno.readTextFile(`${work}/${name}`);
    await writeFile(`${directory}/${name.replace(/^package\//, "")}`, types);
  }
}
