/**
 * Packages: the client library for npm, and what `deno task compile` has built as a Debian package and an
 * OCI image.
 *
 *     deno task package [--bin bin] [--out dist]
 */
import { parseArgs } from "@std/cli";
import { ensureDir } from "@std/fs";
import { makeDeb } from "./deb.ts";
import { makeNpmPackage } from "./npm.ts";
import { makeImage } from "./oci.ts";

const { bin, out } = parseArgs(Deno.args, {
  string: ["bin", "out"],
  default: { bin: "bin", out: "dist" },
  unknown(option) {
    console.error(`package: Cannot use '${option}': the options are --bin and --out`);
    Deno.exit(64);
  },
});
await ensureDir(out);
const { arch } = Deno.build;
console.log(await makeNpmPackage(out));
for (const make of [makeDeb, makeImage]) console.log(await make(bin, out, arch));
