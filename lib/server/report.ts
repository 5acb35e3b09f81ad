/**
 * `kvs-server report`: what somebody needs who helps with a server, in one tar.
 *
 * @module
 */

import { statfsSync } from "node:fs";
import { type BundleFiles, writeBundle } from "../cli/bundle.ts";
import { messageOf } from "../errors.ts";
import { freeDescriptors } from "../net/free_descriptors.ts";
import { memoryOfMachine } from "../observe/process.ts";
import { diskMaintenance } from "../storage/open.ts";
import { MEMCACHED_VERSION, VERSION } from "../version.ts";
import type { Configuration } from "./configuration.ts";
import { isLoopback } from "./http/address.ts";

/** Milliseconds that a running server has to answer. */
const PATIENCE = 5000;
/** Bytes of an answer that are kept. */
const MOST = 4 * 2 ** 20;
/** Descriptors that are tried. */
const MOST_DESCRIPTORS = 65536;

const ABOUT =
  `What is here was gathered by 'kvs-server report' for somebody who helps with a server.

options.txt     the options in force, as 'kvs-server config' prints them; passwords are left out
version.txt     kvs, Deno and the system
system.txt      memory, processors, open files, and room on the file system
directory.txt   the files of the data directory with their sizes; nothing of what is in them
manifest.txt    the directory's manifest, without the secret that keys are hashed with
readyz.txt      what a server at --http answered, where one runs, and its
metrics.txt     figures, which are those of stats, and its
events.txt      last 100 lines of log

There are no keys and no values. Addresses of clients may stand in events.txt. What a server said before its last
start is in the journal: journalctl -u kvs-server. 'kvs-client report' asks a server that runs.
`;

/** Gathers a report and writes it. */
export async function report(
  configuration: Configuration,
  options: string,
  path: string | undefined,
): Promise<void> {
  const files = new Map([
    ["README.txt", ABOUT],
    ["options.txt", `${options}\n`],
    ["version.txt", versionText()],
    ["system.txt", systemText(configuration)],
  ]);
  if (configuration.store === "disk") {
    const { describeDirectory } = await diskMaintenance();
    const { listing, manifest } = describeDirectory(configuration.dataDir);
    files.set("directory.txt", listing).set("manifest.txt", manifest);
  }
  for (const [name, text] of await askServer(configuration)) files.set(name, text);
  await writeBundle(path, files);
}

function versionText(): string {
  const { os, arch } = Deno.build;
  return `kvs ${VERSION} (memcached ${MEMCACHED_VERSION})\n` +
    `deno ${Deno.version.deno}, v8 ${Deno.version.v8}\n${os} ${arch} ${Deno.osRelease()}\n`;
}

function systemText({ store, dataDir }: Configuration): string {
  const told = (what: () => unknown): string => {
    try {
      return String(what());
    } catch (error) {
      return `not known: ${messageOf(error)}`;
    }
  };
  const lines = [
    `time                   ${new Date().toISOString()}`,
    `processors             ${navigator.hardwareConcurrency}`,
    `load                   ${told(() => Deno.loadavg().join(" "))}`,
    `memory, bytes          ${told(() => memoryOfMachine())}`,
    `memory available       ${told(() => Deno.systemMemoryInfo().available)}`,
    // Of this process: a server that systemd starts has the unit's LimitNOFILE.
    `files that can be open ${freeDescriptors(MOST_DESCRIPTORS)} (tried up to ${MOST_DESCRIPTORS})`,
  ];
  if (store === "disk") {
    const room = told(() => {
      const { bsize, blocks, bavail, files, ffree, type } = statfsSync(dataDir);
      return `${bavail * bsize} of ${
        blocks * bsize
      } bytes free, ${ffree} of ${files} inodes, type 0x${type.toString(16)}`;
    });
    lines.push(`file system            ${room}`);
  }
  return `${lines.join("\n")}\n`;
}

/** What a server says that runs with these options, where `--http` is among them. */
async function askServer({ http, tls }: Configuration): Promise<BundleFiles> {
  if (http === undefined || http.port === 0) return new Map();
  const host = http.host.includes(":") ? `[${http.host}]` : http.host;
  const scheme = tls === undefined || isLoopback(http.host) ? "http" : "https";
  const ask = (path: string) => answerOf(`${scheme}://${host}:${http.port}${path}`);
  const [ready, metrics, events] = await Promise.all(["/readyz", "/metrics", "/log"].map(ask));
  return new Map([["readyz.txt", ready], ["metrics.txt", metrics], ["events.txt", events]]);
}

async function answerOf(url: string): Promise<string> {
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    const response = await fetch(url, { signal, redirect: "error" });
    return (await response.text()).slice(0, MOST);
  } catch (error) {
    return `${url} does not answer: ${messageOf(error)}\n`;
  }
}
