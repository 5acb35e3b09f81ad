/**
 * Gets memcached's source, which carries its tests, from Debian.
 *
 * It comes from the archive that this machine's own apt uses. The tarball is kept in the user's cache.
 *
 * @module
 */

import { ensureDir } from "@std/fs";
import { messageOf } from "../../../lib/errors.ts";
import { aptOf, archives } from "../../debian_archive.ts";

export { archivesAmong } from "../../debian_archive.ts";

/** A source tarball of memcached. */
export interface Tarball {
  readonly path: string;
  /** `1.6.45` */
  readonly version: string;
  /** Where it came from, in words. */
  readonly origin: string;
}

/** Debian's suites, in the order in which they are tried: the first has the newest memcached. */
const SUITES = ["sid", "trixie"];
const TARBALL = /^memcached_(\d[\w.~+]*)\.orig\.tar\.\w+$/;

/** Where tarballs are kept. */
export function cacheDirectory(env: { get(name: string): string | undefined } = Deno.env): string {
  const base = env.get("XDG_CACHE_HOME") || (env.get("HOME") ? `${env.get("HOME")}/.cache` : "");
  return base === "" ? "/tmp/kvs-conformance" : `${base}/kvs/conformance`;
}

/**
 * The tarball of `version`, out of the cache or from Debian; where Debian has another version by now,
 * that one.
 *
 * @throws {Error} with a sentence for each archive and suite that was tried.
 */
export async function getTarball(version: string, log: (line: string) => void): Promise<Tarball> {
  const cache = await writable(cacheDirectory());
  const kept = tarballIn(cache, version);
  if (kept !== undefined) return { ...kept, origin: `kept in ${cache}` };

  const failures: string[] = [];
  for (const suite of SUITES) {
    for (const archive of await archives()) {
      log(`getting memcached's source from suite ${suite} of this machine's Debian archive`);
      const scratch = await Deno.makeTempDir({ prefix: "kvs-conformance-apt-" });
      try {
        const { path, version } = await download(archive, suite, scratch);
        const name = path.slice(path.lastIndexOf("/") + 1);
        await moveInto(path, `${cache}/${name}`);
        return { path: `${cache}/${name}`, version, origin: `Debian's suite ${suite}` };
      } catch (error) {
        failures.push(`suite ${suite}: ${messageOf(error)}`);
      } finally {
        await Deno.remove(scratch, { recursive: true });
      }
    }
  }
  if (failures.length === 0) failures.push("this machine's apt knows no Debian archive");
  throw new Error(`Cannot get memcached's source: ${failures.join("; ")}`);
}

/** A tarball that lies in a directory: of one version, or any. */
export function tarballIn(
  directory: string,
  version?: string,
): { path: string; version: string } | undefined {
  for (const { name } of Deno.readDirSync(directory)) {
    const found = TARBALL.exec(name)?.[1];
    if (found !== undefined && (version === undefined || found === version)) {
      return { path: `${directory}/${name}`, version: found };
    }
  }
}

async function download(archive: string, suite: string, scratch: string) {
  const apt = await aptOf(archive, suite, ["deb-src"], scratch);
  await ensureDir(`${scratch}/source`);
  let failure: unknown;
  try {
    await apt(["source", "--download-only", "memcached"], `${scratch}/source`);
  } catch (error) {
    // The tarball may have come although something beside it has not.
    failure = error;
  }
  const found = tarballIn(`${scratch}/source`);
  if (found === undefined) throw failure ?? new Error("it has no source of memcached");
  return found;
}

/** The directory, made; or one for this run, where it cannot be written. */
async function writable(directory: string): Promise<string> {
  try {
    await ensureDir(directory);
    await Deno.remove(await Deno.makeTempFile({ dir: directory }));
    return directory;
  } catch {
    return await Deno.makeTempDir({ prefix: "kvs-conformance-source-" });
  }
}

/** Moves a file to a place on another file system: whole, or not at all. */
async function moveInto(from: string, to: string): Promise<void> {
  const part = `${to}.${Deno.pid}.part`;
  await Deno.copyFile(from, part);
  await Deno.rename(part, to);
}
