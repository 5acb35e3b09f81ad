/**
 * `raw`: a line of the text protocol as it is.
 *
 * @module
 */

import { bytesOfBinaryString } from "../../bytes.ts";
import { print, shown } from "../../cli/terminal.ts";
import { Exit, ExitError } from "../../errors.ts";
import type { RawReply } from "../client.ts";
import type { Command } from "./command.ts";
import { bytesField } from "./item_line.ts";

/** Without its value a server would wait for it, and answer nothing. */
const WITH_VALUE = new Set(["set", "add", "replace", "append", "prepend", "cas", "ms"]);

export const raw: Command = {
  takes: "LINE…",
  arguments: [1, Infinity],
  options: [],
  help: "send a line as it is to the first server, and print the reply",
  details:
    "A value cannot follow the line: set, add, ms and the like are refused, and so is noreply.",
  examples: ["kvs-client raw mg greeting v t", "kvs-client raw stats slabs"],
  async run({ args, options, client }) {
    const text = args.join(" ");
    const words = text.trim().split(/ +/);
    if (WITH_VALUE.has(words[0]!)) {
      throw new ExitError(
        `raw sends a line, and a value must follow '${words[0]}': kvs-client set sends both`,
        Exit.usage,
      );
    }
    if (words.at(-1) === "noreply") {
      throw new ExitError("raw prints the reply, and noreply asks for none", Exit.usage);
    }
    for (const line of linesOfReply(await client.raw(text))) {
      if (options.json) await print(JSON.stringify(bytesField("line", line)) + "\n");
      else {
        await print(shown(line));
        await print("\n");
      }
    }
    return Exit.ok;
  },
};

/** A reply as it came, line by line; a value counts as a line. */
function linesOfReply(reply: RawReply): Uint8Array[] {
  switch (reply.kind) {
    case "values":
      return [
        ...reply.values.flatMap(({ key, flags, value, cas }) => {
          const unique = cas === 0n ? "" : ` ${cas}`;
          return [bytesOfBinaryString(`VALUE ${key} ${flags} ${value.length}${unique}`), value];
        }),
        bytesOfBinaryString("END"),
      ];
    case "lines":
      return [...reply.lines, "END"].map(bytesOfBinaryString);
    case "meta":
      return [bytesOfBinaryString(reply.line), ...(reply.value === undefined ? [] : [reply.value])];
    case "line":
      return [bytesOfBinaryString(reply.line)];
  }
}
