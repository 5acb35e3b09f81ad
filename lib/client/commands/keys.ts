/**
 * Keys on the command line: as text, or with `--base64` as base64, for keys of any bytes.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { bytesOf } from "../../bytes.ts";
import { complain, print, printable, quoted } from "../../cli/terminal.ts";
import { Exit, ExitError } from "../../errors.ts";
import type { Key } from "../../protocol/key.ts";
import type { Command } from "./command.ts";
import { eachServer } from "./each_server.ts";
import { bytesField } from "./item_line.ts";
import type { ClientValues } from "./options.ts";
import { pattern } from "./pattern.ts";
import { wordBytes } from "./words.ts";

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * The key that an argument names.
 *
 * @throws {ExitError} 64 where it is to be base64 and is not.
 */
export function keyOf({ base64 }: Pick<ClientValues, "base64">, text: string): Key {
  if (!base64) return wordBytes(text);
  if (!BASE64.test(text)) {
    throw new ExitError(`--base64 takes keys in base64, received '${text}'`, Exit.usage);
  }
  return Buffer.from(text, "base64");
}

/** An argument as a message may show it, whatever bytes it stands for. */
export function argumentText(text: string): string {
  const bytes = wordBytes(text);
  return typeof bytes === "string" ? printable(bytes) : quoted(bytes);
}

/** A key as a field of JSON: `key`, or `keyBase64` where it is not UTF-8. */
export function keyField(key: Key): Record<string, string> {
  return bytesField("key", typeof key === "string" ? bytesOf(key) : key);
}

export const keys: Command = {
  takes: "[PATTERN]",
  arguments: [0, 1],
  options: ["base64", "limit"],
  help: "print all keys, or those that PATTERN (user:*, ?, [a-z]) fits, one a line",
  examples: ["kvs-client keys 'user:*' --limit 20"],
  long: true,
  async run({ args, options, client, signal }) {
    const fits = args[0] === undefined ? () => true : pattern(args[0]);
    const { limit = Infinity } = options;
    let hidden = 0;
    let printed = 0;
    const failed = await eachServer("keys", client, async (server) => {
      if (printed === limit) return;
      for await (const entries of server.keys()) {
        signal.throwIfAborted();
        const lines: string[] = [];
        for (const { key, expires } of entries) {
          if (printed === limit) break;
          if (!fits(key)) continue;
          const line = options.json
            ? JSON.stringify({ ...keyField(key), ...(expires === 0 ? {} : { expires }) })
            : options.base64
            ? key.toBase64()
            : lineOf(key);
          if (line === undefined) hidden++;
          else {
            lines.push(line);
            printed++;
          }
        }
        if (lines.length > 0) await print(lines.join("\n") + "\n");
        if (printed === limit) break;
      }
    });
    if (hidden > 0) {
      complain(`keys: ${hidden} more are no line of text: --base64 or --json shows them`);
    }
    return failed;
  },
};

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A key as a line that can be typed again; `undefined` where no line can be it. */
export function lineOf(key: Uint8Array): string | undefined {
  try {
    const text = utf8.decode(key);
    // deno-lint-ignore no-control-regex -- that is what it is about
    return /[\0-\x1f\x7f-\x9f\u2028\u2029]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
