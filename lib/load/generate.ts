/**
 * Writes the files of a workload: keys, values, and both as a dump that `kvs-client restore` takes.
 *
 * @module
 */

import { ensureDir } from "@std/fs";
import { ByteBuffer, bytesOf } from "../bytes.ts";
import { flag, integer, text } from "../cli/option.ts";
import type { Manual } from "../cli/help.ts";
import type { Values } from "../cli/parse.ts";
import { Exit, ExitError, messageOf } from "../errors.ts";
import { sizes } from "./distribution.ts";
import { countOf } from "./count.ts";
import { Progress } from "./progress.ts";
import { MOST_RECORDS, Records, shortestKey } from "./records.ts";

/** The options of generate. */
export const generateOptions = {
  out: text({ flags: "-o, --out", value: "DIR", default: ".", help: "where the files go" }),
  seed: integer({ flags: "--seed", default: 1, help: "the same seed makes the same files" }),
  keySize: sizes({ flags: "--key-size", default: "16", min: 2, max: 250, help: "of the keys" }),
  valueSize: sizes({
    flags: "--value-size",
    default: "100",
    min: 0,
    max: 2 ** 30,
    help: "of the values",
  }),
  version: flag({ flags: "-V, --version", lineOnly: true, help: "print the version" }),
  help: flag({ flags: "-h, --help", lineOnly: true, help: "show this text and end" }),
};

export const generateManual: Manual = {
  usage: "deno task generate [N] [options]",
  about:
    "Writes N (100) records: keys.txt and values.txt, line by line, and records.ndjson, which holds both.",
  notes:
    `Sizes: 100 is one size, 10-1000 any between, zipf (or zipf:10-1000) many small and few great.
A longer file begins with a shorter one of the same seed and sizes.

  deno task generate 10000 --value-size 10-1000
  deno task multiclient 100 --keys keys.txt --values values.txt
  kvs-client restore <records.ndjson`,
};

const CHUNK = 256 * 1024;

/** Writes the files; the exit code. */
export async function generate(
  options: Values<typeof generateOptions>,
  args: readonly string[],
): Promise<number> {
  const count = countOf("N", args, 100, MOST_RECORDS);
  const { out, seed, keySize, valueSize } = options;
  if (keySize.min < shortestKey(count)) {
    throw new ExitError(
      `--key-size takes at least ${
        shortestKey(count)
      } for ${count} records, received '${keySize.text}'`,
      Exit.usage,
    );
  }
  const progress = new Progress();
  try {
    await ensureDir(out);
    const records = new Records(seed, keySize, valueSize);
    await writeFiles(out, records, count, (done) => {
      progress.show(() => `${done.toLocaleString("en")} of ${count.toLocaleString("en")} records`);
    });
  } catch (error) {
    throw new ExitError(`cannot write to '${out}': ${messageOf(error)}`, Exit.cannotCreate);
  } finally {
    progress.clear();
  }
  console.log(
    `${count} records in ${
      ["keys.txt", "values.txt", "records.ndjson"].map((name) => `${out}/${name}`).join(", ")
    }`,
  );
  return Exit.ok;
}

async function writeFiles(
  directory: string,
  records: Records,
  count: number,
  report: (done: number) => void,
): Promise<void> {
  using keys = await LineFile.create(`${directory}/keys.txt`);
  using values = await LineFile.create(`${directory}/values.txt`);
  using dump = await LineFile.create(`${directory}/records.ndjson`);
  const record = [bytesOf('{"key":"'), bytesOf('","value":"'), bytesOf('","flags":0}\n')] as const;
  for (let index = 0; index < count; index++) {
    const key = keys.line((out) => records.writeKey(out, index));
    const value = values.line((out) => records.writeValue(out, index));
    dump.out.append(record[0]);
    dump.out.append(key);
    dump.out.append(record[1]);
    dump.out.append(value);
    dump.out.append(record[2]);
    for (const file of [keys, values, dump]) if (file.out.length >= CHUNK) await file.flush();
    if (index % 1024 === 0) report(index);
  }
  for (const file of [keys, values, dump]) await file.flush();
}

/** A file that is written in large pieces. */
class LineFile implements Disposable {
  readonly out = new ByteBuffer(CHUNK);

  private constructor(readonly file: Deno.FsFile) {}

  static async create(path: string): Promise<LineFile> {
    // Not `Deno.create`, which asks for the right to read as well.
    const options = { write: true, create: true, truncate: true };
    return new LineFile(await Deno.open(path, options));
  }

  /** Writes a line; returns it without its end, valid until the next one is written. */
  line(write: (out: ByteBuffer) => void): Uint8Array {
    const start = this.out.length;
    write(this.out);
    const end = this.out.length;
    this.out.byte(0x0a);
    return this.out.bytes.subarray(start, end);
  }

  async flush(): Promise<void> {
    const bytes = this.out.view();
    for (let at = 0; at < bytes.length;) at += await this.file.write(bytes.subarray(at));
    this.out.clear(CHUNK);
  }

  [Symbol.dispose](): void {
    this.file.close();
  }
}
