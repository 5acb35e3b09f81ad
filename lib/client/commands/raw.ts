/**
 * `raw`: a line of the text protocol as it is.
 *
 * @module
 */

import { bytesOf } from "../../bytes.ts";
import { print } from "../../cli/terminal.ts";
import { Exit } from "../../errors.ts";
import type { Response } from "../../protocol/text/parse_reply.ts";
import type { Command } from "./command.ts";
import { bytesField } from "./item_line.ts";

export const raw: Command = {
  takes: "LINE…",
  arguments: [1, Infinity],
  options: [],
  help: "send a line as it is to the first server, and print the reply",
  async run({ args, options, client }) {
    const response = await client.raw(args.join(" "));
    for (const line of linesOfResponse(response)) {
      if (options.json) await print(JSON.stringify(bytesField("line", line)) + "\n");
      else {
        await print(line);
        await print("\n");
      }
    }
    return Exit.ok;
  },
};

/** A response as it came, line by line; a value counts as a line. */
function linesOfResponse(response: Response): Uint8Array[] {
  switch (response.kind) {
    case "values":
      return [
        ...response.values.flatMap(({ key, flags, value, cas }) => {
          const unique = cas === 0n ? "" : ` ${cas}`;
          return [bytesOf(`VALUE ${key} ${flags} ${value.length}${unique}`), value];
        }),
        bytesOf("END"),
      ];
    case "lines":
      return [...response.lines, "END"].map(bytesOf);
    case "meta":
      return [bytesOf(response.line), ...(response.value === undefined ? [] : [response.value])];
    case "line":
    case "error":
      return [bytesOf(response.line)];
    case "unreadable":
      return [bytesOf(response.reason)];
  }
}
