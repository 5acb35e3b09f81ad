import { assertEquals } from "@std/assert";
import { helpText } from "../../lib/cli/help.ts";
import { flag, ignored, integer, refused, size, text } from "../../lib/cli/option.ts";

Deno.test("the help names each option with its value, variable and default", () => {
  const spec = {
    port: integer({ flags: "-p, --port", default: 11211, help: "TCP port to listen on" }),
    disk: size({
      flags: "--max-disk",
      help: "most that the data directory may take up, over which stores are refused until " +
        "something is deleted or expires",
    }),
    help: flag({ flags: "-h, --help", lineOnly: true, help: "show this text" }),
    threads: ignored(integer({ flags: "-t, --threads", help: "" })),
    user: ignored(text({ flags: "-u, --user", help: "" })),
    ssl: refused({ flags: "-Z, --enable-ssl", refusal: "not yet" }),
  };
  const manual = {
    title: "kvs 1.2.3",
    usage: "kvs [options] COMMAND",
    about: "A server.",
    commands: [["get KEY", "print it"]] as const,
    notes: "That is all.\n",
  };
  assertEquals(
    helpText(manual, spec),
    `\
kvs 1.2.3

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

memcached's own, and refused: -Z, --enable-ssl

That is all.
`,
  );
});
