/**
 * `raw`: a line of the text protocol as it is.
 *
 * @module
 */

import { bytesOfBinaryString } from "../../bytes.ts";
import { print, shown } from "../../cli/terminal.ts";
import { Exit } from "../../errors.ts";
import type { RawReply } from "../client.ts";
import type { Command } from "./command.ts";
import { bytesField } from "./item_line.ts";

export const raw: Command = {
  takes: "LINE…",
  arguments: [1, Infinity],
  options: [],
  help: "send a line as it is to the first server, and print the reply",
  details: "A line that a value follows, such as set, gets none.",
  examples: ["kvs-client raw mg greeting v t", "kvs-client raw stats slabs"],
  async run({ args, options, client }) {
    for (const line of linesOfReply(await client.raw(args.join(" ")))) {
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
