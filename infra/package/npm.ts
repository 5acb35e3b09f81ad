/**
 * The client library as a package for npm: one module for Node, without types.
 *
 * @module
 */

import { LICENSE, VERSION } from "../../lib/version.ts";
import { run, writeFile } from "./files.ts";

const SOCKETS = "deno_sockets.mjs";

/** Makes the package in a directory of its own below `out`; returns its path. */
export async function makeNpmPackage(out: string): Promise<string> {
  const directory = `${out}/npm`;
  const work = await Deno.makeTempDir();
  try {
    const entry = new URL("../../lib/client/mod.ts", import.meta.url).pathname;
    await run(Deno.execPath(), "bundle", "--quiet", "-o", `${work}/kvs.js`, entry);
    const library = await Deno.readTextFile(`${work}/kvs.js`);
    await writeFile(`${directory}/kvs.mjs`, `import { Deno } from "./${SOCKETS}";\n${library}`);
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
    exports: "./kvs.mjs",
    files: ["kvs.mjs", SOCKETS],
    // It loads node:crypto by process.getBuiltinModule.
    engines: { node: ">=20.16" },
  };
  await writeFile(`${directory}/package.json`, JSON.stringify(description, undefined, 2) + "\n");
  return directory;
}
