import { assertEquals } from "@std/assert";
import { negotiate, type Protocols } from "../../lib/protocol/negotiation.ts";

const limits = { itemSize: 2 ** 20 };

/** Which dialect each first byte is: of a frame, of a line, and any other. */
const choices: [
  protocols: Protocols,
  authenticated: boolean,
  frame: string,
  line: string,
][] = [
  ["auto", true, "binary", "ascii"],
  ["ascii", true, "none", "ascii"],
  ["binary", true, "binary", "none"],
  ["auto", false, "binary, for a login", "ascii, for a login"],
  ["ascii", false, "none", "ascii, for a login"],
  ["binary", false, "binary, for a login", "none"],
];

function choice(first: number, protocols: Protocols, authenticated: boolean): string {
  const dialect = negotiate(first, protocols, limits, authenticated);
  if (dialect === undefined) return "none";
  return dialect.isLogin ? `${dialect.name}, for a login` : dialect.name;
}

for (const [protocols, authenticated, frame, line] of choices) {
  const who = authenticated ? "who needs no login" : "who has to log in";
  Deno.test(`negotiation: a listener for ${protocols} has for ${who} a frame as ${frame}, a line as ${line}`, () => {
    assertEquals(choice(0x80, protocols, authenticated), frame);
    for (let first = 0; first < 256; first++) {
      if (first !== 0x80) assertEquals(choice(first, protocols, authenticated), line, `${first}`);
    }
  });
}
