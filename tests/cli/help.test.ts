import { assertEquals } from "@std/assert";
import { helpText } from "../../lib/cli/help.ts";
import { flag, ignored, integer, size } from "../../lib/cli/option.ts";

Deno.test("the help names each option with its value, variable and default", () => {
  const spec = {
    port: integer({ flags: "-p, --port", default: 11211, help: "TCP port to listen on" }),
    disk: size({
      flags: "--max-disk",
      help: "most that the data directory may take up, over which stores are refused until " +
        "something is deleted or expires",
    }),
    help: flag({ flags: "-h, --help", lineOnly: true, help: "show this text" }),
    threads: ignored({ flags: "-t, --threads", value: "N" }),
    user: ignored({ flags: "-u, --user", value: "NAME" }),
  };
  const manual = {
    usage: "kvs [options] COMMAND",
    about: "A server.",
    commands: [["get KEY", "print it"]] as const,
    notes: "That is all.\n",
  };
  assertEquals(
    helpText(manual, spec),
    `\
Usage: kvs [options] COMMAND

A server.

Commands:
  get KEY                     print it

Options:
  -p, --port N                TCP port to listen on [KVS_PORT, default 11211]
      --max-disk SIZE         most that the data directory may take up, over which stores are
                              refused until something is deleted or expires [KVS_MAX_DISK]
  -h, --help                  show this text

Accepted as memcached's own, and ignored: -t, --threads; -u, --user

That is all.
`,
  );
});
