/**
 * Where kvs answers otherwise than memcached 1.6.18, and why. kvs follows the current memcached,
 * 1.6.45; most of what differs here memcached changed itself in 1.6.40, with its new parser.
 *
 * @module
 */

/** What kvs answers to a send of a script: script, number of the send, reply. */
type Answer = readonly [script: string, send: number, reply: string];

interface Difference {
  readonly why: string;
  readonly answers: readonly Answer[];
}

const FORMAT = "CLIENT_ERROR bad command line format\r\n";
const CHUNK = "CLIENT_ERROR bad data chunk\r\n";
/** What the storage scripts find under `k` where nothing was stored. */
const OLD = "VALUE k 9 2\r\nno\r\nEND\r\n";

const storing = ["set", "add", "replace", "append", "prepend", "cas"];
const counting = ["incr", "decr"];

/** The same answer of each command to its script of one name. */
function each(commands: readonly string[], name: string, send: number, reply: string): Answer[] {
  return commands.map((command) => [`${command}: ${name}`, send, reply]);
}

/** The answers to a line alone, and to the same line between two others. */
function line(text: string, reply: string): Answer[] {
  const script = `line: ${JSON.stringify(text)}`;
  return [[script, 0, reply], [script, 1, `VERSION\r\n${reply}END\r\n`]];
}

const gatHits = "VALUE a 1 2\r\nxy\r\nVALUE b 0 0\r\n\r\nEND\r\n";

/** All differences. */
export const differences: readonly Difference[] = [
  {
    why: "a line that ends in HTTP/1.x ends the connection, whatever its first word",
    answers: [
      ['line: "get a HTTP/1.1"', 0, ""],
      ['line: "get a HTTP/1.1"', 1, "VERSION\r\n"],
    ],
  },
  {
    why: "since 1.6.40 a command with too few words has a bad format, and was an ERROR before",
    answers: [
      ...["no value", "no exptime", "no flags", "nothing"].flatMap((name) =>
        each(storing, name, 2, FORMAT + OLD)
      ),
      ...each(counting, "no delta", 0, FORMAT),
      ...each(counting, "no key", 0, FORMAT),
      ...["get", "gets", "gat", "gats"].map((command): Answer => [
        `${command}: nothing`,
        1,
        `${FORMAT}VALUE a 1 2\r\nxy\r\nEND\r\n`,
      ]),
      ...[0, 1, 2, 3].map((send): Answer => ["gat: none", send, FORMAT]),
      ["delete: no key", 1, `${FORMAT}VALUE k 1 2\r\nxy\r\nEND\r\n`],
      ["touch: no key", 1, FORMAT],
      ["touch: no exptime", 1, FORMAT],
      ...line("verbosity", FORMAT),
    ],
  },
  {
    why: "since 1.6.40 a line shorter than two bytes has a bad format, and was an ERROR before",
    answers: [
      ...line("", FORMAT),
      ...line(" ", FORMAT),
      ...line("a", FORMAT),
      ...line("\x00", FORMAT),
      ...each(storing, "line feed alone behind the value", 2, CHUNK + FORMAT + OLD),
      ...each(storing, "value too long", 2, CHUNK + FORMAT + OLD),
    ],
  },
  {
    why: "since 1.6.40 the value behind a wrong header is passed over, and was run as a command",
    answers: [
      ...["key of 251", "negative flags", "flags no number", "exptime no number"].flatMap((name) =>
        each(storing, name, 2, FORMAT + OLD)
      ),
      ...each(storing, "key of 251, noreply", 2, OLD),
      ["cas: 2^64", 2, FORMAT],
      ["cas: negative", 2, FORMAT],
      ["cas: no number", 2, FORMAT],
      ["cas: none", 1, FORMAT],
      ["cas: none, noreply", 1, ""],
    ],
  },
  {
    why: "since 1.6.40 noreply is not read where the length cannot be",
    answers: each(storing, "length no number, noreply", 2, `${FORMAT}ERROR\r\n${OLD}`),
  },
  {
    why: "since 1.6.40 a number beyond 32 bits is refused, and lost its upper bits before",
    answers: [
      ...each(storing, "length of 2^32 + 1", 2, `${FORMAT}ERROR\r\n${OLD}`),
      ...each(
        ["gat", "gats"],
        "exptime 4294967295",
        1,
        `CLIENT_ERROR invalid exptime argument\r\n${gatHits}`,
      ),
    ],
  },
  {
    why: "since 1.6.40 a number has no plus before it",
    answers: [
      ...counting.flatMap((command): Answer[] => [
        [
          `${command}: by +1`,
          1,
          "CLIENT_ERROR invalid numeric delta argument\r\nVALUE k 0 2\r\n50\r\nEND\r\n",
        ],
        [`${command}: by +1`, 2, "CLIENT_ERROR invalid numeric delta argument\r\nEND\r\n"],
      ]),
      ...each(
        ["gat", "gats"],
        "exptime +1",
        1,
        `CLIENT_ERROR invalid exptime argument\r\n${gatHits}`,
      ),
    ],
  },
  {
    why: "since 1.6.40 words beyond those that a command has are ignored",
    answers: [
      ["set: noreply and a word more", 2, "STORED\r\n"],
      ["set: noreply and a word more", 3, "VALUE k 5 3 #2\r\nabc\r\nEND\r\n"],
      ["add: noreply and a word more", 2, "NOT_STORED\r\n"],
      ["replace: noreply and a word more", 2, "STORED\r\n"],
      ["replace: noreply and a word more", 3, "VALUE k 5 3 #2\r\nabc\r\nEND\r\n"],
      ["append: noreply and a word more", 2, "STORED\r\n"],
      ["append: noreply and a word more", 3, "VALUE k 9 5 #2\r\nnoabc\r\nEND\r\n"],
      ["prepend: noreply and a word more", 2, "STORED\r\n"],
      ["prepend: noreply and a word more", 3, "VALUE k 9 5 #2\r\nabcno\r\nEND\r\n"],
      ["cas: noreply and a word more", 2, "STORED\r\n"],
      ["cas: noreply and a word more", 3, "VALUE k 5 3 #2\r\nabc\r\nEND\r\n"],
      ["incr: by 1 noreply 2", 1, "51\r\nVALUE k 0 2\r\n51\r\nEND\r\n"],
      ["decr: by 1 noreply 2", 1, "49\r\nVALUE k 0 2\r\n49\r\nEND\r\n"],
      ["incr: by 1 noreply 2", 2, "NOT_FOUND\r\nEND\r\n"],
      ["decr: by 1 noreply 2", 2, "NOT_FOUND\r\nEND\r\n"],
    ],
  },
  {
    why: "since 1.6.40 a line does not begin with a space",
    answers: [
      ...line(" version", "ERROR\r\n"),
      ...line("  get a", "ERROR\r\n"),
    ],
  },
  {
    why: "since 1.6.40 shutdown is refused as a SERVER_ERROR",
    answers: ["shutdown", "shutdown graceful", "shutdown x"].flatMap((text) =>
      line(text, "SERVER_ERROR: shutdown not enabled\r\n")
    ),
  },
  {
    why: "memcached drops earlier replies of the batch where a get fails; kvs answers each request",
    answers: [["get: hits before a key of 251, pipelined", 1, `VERSION\r\n${FORMAT}`]],
  },
  {
    why: "kvs reads the class of a dump before it looks whether the dump may follow other replies",
    answers: [[
      'line: "lru_crawler metadump x"',
      1,
      "VERSION\r\nBADCLASS invalid class id\r\nEND\r\n",
    ]],
  },
  {
    why: "memcached takes a flush at a moment in the past for none at all; kvs for one that is due",
    answers: [["flush_all: 2592001", 2, "END\r\n"]],
  },
  {
    why: "since 1.6.40 noreply silences unknown commands too",
    answers: [
      ['line: "noreply"', 0, ""],
      ['line: "noreply"', 1, "VERSION\r\nEND\r\n"],
    ],
  },
];
