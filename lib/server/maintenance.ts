/**
 * What `kvs-server` does to a data directory besides serving it: check, repair, copy.
 *
 * @module
 */

import { counted } from "../counted.ts";
import { Exit, ExitError } from "../errors.ts";
import { diskMaintenance } from "../storage/open.ts";

/** Where a stretch of damaged bytes is. */
interface Part {
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
}

/** Reads everything in a directory and prints what is there. Exit code 65 where something is wrong. */
export async function check(directory: string): Promise<number> {
  const { checkDirectory } = await diskMaintenance();
  const report = await checkDirectory({ directory });
  const { segments, bytes, records, items, tombstones, damaged, torn, problems } = report;
  console.log(
    `${directory}: ${counted(segments, "segment")}, ${counted(bytes, "byte")}, ` +
      `${counted(records, "whole record")} (${counted(items, "item")}, ` +
      `${counted(tombstones, "tombstone")}, alive or not)`,
  );
  for (const part of damaged) console.log(`damaged: ${place(part)}`);
  for (const part of torn) {
    const what = report.inUse ? "not yet written whole" : "torn, the next start cuts it off";
    console.log(`${what}: ${place(part)}`);
  }
  for (const problem of problems) console.log(`wrong: ${problem}`);
  if (damaged.length === 0 && problems.length === 0) {
    console.log("nothing is damaged");
    return Exit.ok;
  }
  console.log(`kvs-server --data-dir ${directory} --repair keeps what is whole and starts`);
  return Exit.data;
}

/** Sets aside what is damaged and keeps what is whole; says both. */
export async function repair(directory: string, log: (line: string) => void): Promise<void> {
  const { repairDirectory } = await diskMaintenance();
  const { records, damaged, setAside, missing, newManifest } = await repairDirectory({ directory });
  log(
    `repaired ${directory}: kept ${counted(records, "whole record")}, ` +
      `set ${counted(damaged.length, "part")} aside`,
  );
  for (const part of damaged) log(`damaged: ${place(part)}`);
  for (const path of setAside) log(`set aside: ${path}`);
  for (const path of missing) log(`missing: ${path}`);
  if (newManifest) log("the manifest was made again from the segments");
}

/** Copies a directory, also one that a server has, so that a server can start on the copy. */
export async function backup(
  directory: string,
  target: string | undefined,
  copy: boolean,
): Promise<number> {
  if (target === undefined) {
    throw new ExitError("backup needs a target: kvs-server backup TARGET", Exit.usage);
  }
  const { backupDirectory } = await diskMaintenance();
  const { segments, bytes, linkedBytes } = await backupDirectory({ directory, target, copy });
  console.log(
    `${target}: ${counted(segments, "segment")}, ${counted(bytes, "byte")}, ` +
      `${linkedBytes} of them shared with ${directory}` +
      (linkedBytes > 0 ? "; damage to these is damage to both, --copy shares nothing" : ""),
  );
  return Exit.ok;
}

function place({ path, offset, bytes }: Part): string {
  return `${counted(bytes, "byte")} of ${path} at offset ${offset}`;
}
