/**
 * What a restore is measured against: all pieces of a destination are read and written to files that are
 * synced, by as many threads and as many at a time as a restore takes, and nothing is looked at.
 *
 *     deno run -A bench/copies/plain.ts DIRECTORY URL [ENDPOINT]
 *
 * @module
 */

/// <reference lib="webworker" />

import { systemFiles } from "../../lib/copies/disk_files.ts";
import { PIECES } from "../../lib/copies/names.ts";
import { openDestination } from "../../lib/copies/open.ts";
import { LANES } from "../../lib/copies/restore.ts";
import { SyncedFile } from "../../lib/copies/synced_file.ts";

interface Task {
  readonly directory: string;
  readonly url: string;
  readonly endpoint: string | undefined;
  readonly names: readonly string[];
}

const THREAD = "plain reader";
const threads = navigator.hardwareConcurrency;

async function readAndWrite({ directory, url, endpoint, names }: Task): Promise<void> {
  const destination = await openDestination(url, { endpoint });
  const queue = names.values();
  await Promise.all(Array.from({ length: Math.ceil(LANES / threads) }, async () => {
    for (const name of queue) {
      const path = `${directory}/${name.replaceAll("/", "-")}`;
      const file = new SyncedFile(systemFiles.open(path, "create"));
      let at = 0;
      for await (const block of destination.stream(name)) {
        file.write(block, at);
        at += block.length;
      }
      await file.sync();
      await file.close();
    }
  }));
  await destination.close();
}

async function main(): Promise<void> {
  const [directory, url, endpoint] = Deno.args as [string, string, string | undefined];
  const destination = await openDestination(url, { endpoint });
  await Deno.mkdir(directory);
  const names: string[] = [];
  for await (const { name } of destination.list(PIECES)) names.push(name);
  await destination.close();
  await Promise.all(Array.from({ length: threads }, (_, thread) => {
    const worker = new Worker(import.meta.url, { type: "module", name: THREAD });
    const done = new Promise<void>((resolve, reject) => {
      worker.onmessage = () => resolve();
      worker.onerror = (event) => reject(new Error(event.message));
    });
    const mine = names.filter((_, i) => i % threads === thread);
    worker.postMessage({ directory, url, endpoint, names: mine } satisfies Task);
    return done;
  }));
  Deno.exit(0);
}

const thread = globalThis as unknown as DedicatedWorkerGlobalScope;
if (thread.name === THREAD) {
  thread.onmessage = async ({ data }: MessageEvent<Task>) => {
    await readAndWrite(data);
    thread.postMessage(undefined);
  };
} else await main();
