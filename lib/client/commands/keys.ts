/**
 * Keys on the command line: as text, or with `--base64` as base64, for keys of any bytes.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { bytesOf } from "../../bytes.ts";
import { print } from "../../cli/terminal.ts";
import { Exit, ExitError } from "../../errors.ts";
import type { Key } from "../../protocol/key.ts";
import type { Command } from "./command.ts";
import { bytesField } from "./item_line.ts";
import type { ClientValues } from "./options.ts";

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * The key that an argument names.
 *
 * @throws {ExitError} 64 where it is to be base64 and is not.
 */
export function keyOf({ base64 }: Pick<ClientValues, "base64">, text: string): Key {
  if (!base64) return text;
  if (!BASE64.test(text)) {
    throw new ExitError(`--base64 takes keys in base64, received '${text}'`, Exit.usage);
  }
  return Buffer.from(text, "base64");
}

/** A key as a field of JSON: `key`, or `keyBase64` where it is not UTF-8. */
export function keyField(key: Key): Record<string, string> {
  return bytesField("key", typeof key === "string" ? bytesOf(key) : key);
}

export const keys: Command = {
  takes: "",
  arguments: [0, 0],
  options: ["base64"],
  help: "print all keys, one a line",
  async run({ options, client }) {
    let hidden = 0;
    for await (const entries of client.keys()) {
      const lines: string[] = [];
      for (const { key, expires } of entries) {
        const line = options.json
          ? JSON.stringify({ ...keyField(key), ...(expires === 0 ? {} : { expires }) })
          : options.base64
          ? Buffer.from(key).toString("base64")
          : lineOf(key);
        if (line === undefined) hidden++;
        else lines.push(line);
      }
      if (lines.length > 0) await print(lines.join("\n") + "\n");
    }
    if (hidden > 0) {
      console.error(`keys: ${hidden} more are no line of text: --base64 or --json shows them`);
    }
    return Exit.ok;
  },
};

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A key as a line that can be typed again; `undefined` where no line can be it. */
function lineOf(key: Uint8Array): string | undefined {
  try {
    const text = utf8.decode(key);
    // deno-lint-ignore no-control-regex -- that is what it is about
    return /[\0-\x1f\x7f-\x9f\u2028\u2029]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
