/**
 * What a person is told of a data directory who looks for what is wrong with it: names, sizes and times,
 * and the manifest. No key and no value is read, and nothing is changed.
 *
 * @module
 */

import { isDirectoryLocked } from "../fs/lock.ts";
import { MANIFEST } from "../format/manifest.ts";

/** What there is to tell of a directory. */
export interface DirectoryReport {
  /** A line a file: its size in bytes, when it was written, and its name. */
  readonly listing: string;
  /** The manifest without the secret that its keys are hashed with, or why there is none. */
  readonly manifest: string;
}

/** Looks at a directory, which a server may have meanwhile. */
export function describeDirectory(directory: string): DirectoryReport {
  const lines: string[] = [
    isDirectoryLocked(directory) ? "a server has it" : "no server has it",
  ];
  try {
    const names = Array.from(Deno.readDirSync(directory), ({ name }) => name).sort();
    for (const name of names) lines.push(lineOf(directory, name));
  } catch (error) {
    lines.push(`cannot be read: ${error}`);
  }
  return { listing: `${directory}\n${lines.join("\n")}\n`, manifest: manifestOf(directory) };
}

function lineOf(directory: string, name: string): string {
  try {
    const { size, mtime } = Deno.lstatSync(`${directory}/${name}`);
    return `${String(size).padStart(14)}  ${mtime?.toISOString() ?? "-"}  ${name}`;
  } catch (error) {
    // A compaction may have removed it meanwhile.
    return `${"-".padStart(14)}  ${name}: ${error}`;
  }
}

function manifestOf(directory: string): string {
  let text: string;
  try {
    text = Deno.readTextFileSync(`${directory}/${MANIFEST}`);
  } catch (error) {
    return `${error}\n`;
  }
  const [json = "", sum = ""] = text.split("\n");
  try {
    return `${JSON.stringify({ ...JSON.parse(json), hashKey: "…" }, undefined, 2)}\nsum ${sum}\n`;
  } catch (error) {
    return `${text.length} characters that are no JSON: ${error}\n`;
  }
}
