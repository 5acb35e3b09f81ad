/**
 * A Debian package of the executables in a directory, made by `dpkg-deb`.
 *
 * @module
 */

import { gzipSync } from "node:zlib";
import { manPage } from "../../lib/cli/man.ts";
import { completionFor } from "../../lib/client/commands/completion.ts";
import { clientManual } from "../../lib/client/commands/execute.ts";
import { clientOptions } from "../../lib/client/commands/options.ts";
import { commands } from "../../lib/client/commands/table.ts";
import { multiclientManual, multiclientOptions } from "../../lib/load/multiclient.ts";
import { serverManual, serverOptions } from "../../lib/server/options.ts";
import { LICENSE, VERSION } from "../../lib/version.ts";
import { run, writeFile } from "./files.ts";

const PROGRAMS = ["kvs-server", "kvs-client", "kvs-bench"];

/** Debian's names of the machines that Deno runs on. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" };

/** The manual pages by their names. */
export function manPages(): Record<string, string> {
  const others = (program: string) => PROGRAMS.filter((name) => name !== program);
  const head = (program: string, summary: string) => ({
    program,
    summary,
    version: VERSION,
    seeAlso: others(program),
  });
  return {
    "kvs-server": manPage(
      head("kvs-server", "a persistent memcached server"),
      serverManual,
      serverOptions,
    ),
    "kvs-client": manPage(
      head("kvs-client", "speaks to kvs or any memcached"),
      clientManual,
      clientOptions,
    ),
    "kvs-bench": manPage(
      head("kvs-bench", "puts load on kvs or any memcached"),
      multiclientManual,
      multiclientOptions,
    ),
  };
}

/** Makes the package; returns its path. `bin` has the executables, `arch` is Deno's name. */
export async function makeDeb(bin: string, out: string, arch: string): Promise<string> {
  const architecture = ARCHITECTURES[arch]!;
  const root = await Deno.makeTempDir();
  try {
    await Deno.chmod(root, 0o755);
    const put = (path: string, content: string | Uint8Array, mode?: number) =>
      writeFile(`${root}/${path}`, content, mode);
    const own = (name: string) => Deno.readTextFile(new URL(name, import.meta.url));
    for (const name of PROGRAMS) {
      await put(`usr/bin/${name}`, await Deno.readFile(`${bin}/${name}`), 0o755);
    }
    for (const [name, page] of Object.entries(manPages())) {
      await put(`usr/share/man/man1/${name}.1.gz`, gzipSync(page, { level: 9 }));
    }
    const share = "usr/share";
    await put(`${share}/bash-completion/completions/kvs-client`, completionFor("bash", commands));
    await put(`${share}/zsh/vendor-completions/_kvs-client`, completionFor("zsh", commands));
    await put(
      `${share}/fish/vendor_completions.d/kvs-client.fish`,
      completionFor("fish", commands),
    );
    await put(`${share}/doc/kvs/copyright`, LICENSE);
    const unit = (await own("../kvs-server.service"))
      .replace("/opt/kvs/current/kvs-server", "/usr/bin/kvs-server");
    await put("lib/systemd/system/kvs-server.service", unit);
    // Options may hold passwords.
    await put("etc/kvs/kvs-server.env", await own("kvs-server.env"), 0o600);
    await put("DEBIAN/conffiles", "/etc/kvs/kvs-server.env\n");
    for (const script of ["postinst", "prerm", "postrm"]) {
      await put(`DEBIAN/${script}`, await own(script), 0o755);
    }
    const size = Math.ceil((await run("du", "-sk", root)).split("\t").map(Number)[0]!);
    await put("DEBIAN/control", control(architecture, size));
    const path = `${out}/kvs_${VERSION}_${architecture}.deb`;
    // The executables are compressed already.
    await run("dpkg-deb", "--root-owner-group", "-Znone", "--build", root, path);
    return path;
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

function control(architecture: string, kibibytes: number): string {
  return `Package: kvs
Version: ${VERSION}
Architecture: ${architecture}
Maintainer: kvs authors <kvs@localhost>
Installed-Size: ${kibibytes}
Depends: libc6, passwd, gzip
Section: database
Priority: optional
Description: persistent memcached server
 Any memcached client in front, and behind it this machine's disk, a Google
 Cloud Storage bucket, or Redis. With a client and a load generator.
`;
}
