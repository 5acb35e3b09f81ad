/**
 * A support bundle: text files in one tar, which a person reads before sending it to somebody.
 *
 * @module
 */

import { packTar } from "modern-tar";
import { Exit, ExitError, messageOf } from "../errors.ts";
import { redacted } from "../redact.ts";

/** Files of a bundle, by their names within it. */
export type BundleFiles = ReadonlyMap<string, string>;

/** Only its owner reads the files. */
const MODE = 0o600;

/** The name of a bundle that is made now, without `.tar`. */
export function bundleName(now: Date): string {
  return `kvs-report-${now.toISOString().replace(/[-:]|\.\d+/g, "")}`;
}

/**
 * Writes a bundle, and says on standard output what is in it. Passwords in URLs are left out of every file.
 *
 * @param path the file to write; `undefined` for one named after the time, in the working directory
 * @throws {ExitError} 73, in one line, where the file is there already or cannot be written
 */
export async function writeBundle(
  path: string | undefined,
  files: BundleFiles,
  now = new Date(),
): Promise<void> {
  const name = bundleName(now);
  const file = path ?? `${name}.tar`;
  const bytes = await packTar([...files].map(([entry, text]) => {
    const body = new TextEncoder().encode(redacted(text));
    return {
      header: { name: `${name}/${entry}`, size: body.length, mode: MODE, mtime: now },
      body,
    };
  }));
  try {
    await Deno.writeFile(file, bytes, { createNew: true, mode: MODE });
  } catch (error) {
    const why = error instanceof Deno.errors.AlreadyExists
      ? "it is there already"
      : messageOf(error);
    throw new ExitError(`cannot write '${file}': ${why}`, Exit.cannotCreate);
  }
  for (const entry of files.keys()) console.log(`  ${entry}`);
  console.log(`wrote ${file}; read it before you send it: tar xf ${file}`);
}
