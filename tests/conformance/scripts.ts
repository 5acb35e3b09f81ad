/**
 * Request scripts that memcached and kvs are both given. A script is a list of sends, each on a
 * connection of its own, to a server that was flushed. `{1}` is the first cas unique that the script
 * has been shown.
 *
 * @module
 */

export type Scripts = Record<string, readonly string[]>;

const key = (length: number) => "k".repeat(length);
const LOOK = "gets k\r\n";

/** Words as they stand in a script's name. */
function nameOf(words: string): string {
  return words.replace(/k{200,}/, (key) => `key of ${key.length}`) || "no key";
}

/** Storage commands, and what stands behind the length. */
const storing = [
  ["set", ""],
  ["add", ""],
  ["replace", ""],
  ["append", ""],
  ["prepend", ""],
  ["cas", " {1}"],
] as const;

/** The words between the command and the value, and the value, by what is particular to them. */
const headers: Record<string, (unique: string) => string> = {
  "plain": (u) => `k 5 0 3${u}\r\nabc\r\n`,
  "noreply": (u) => `k 5 0 3${u} noreply\r\nabc\r\n`,
  "a word more": (u) => `k 5 0 3${u} x\r\nabc\r\n`,
  "noreply and a word more": (u) => `k 5 0 3${u} noreply x\r\nabc\r\n`,
  "empty value": (u) => `k 0 0 0${u}\r\n\r\n`,
  "spaces between and behind": (u) => `  k   5  0   3${u.replace(" ", "   ")}   \r\nabc\r\n`,
  "line feed alone behind the line": (u) => `k 5 0 3${u}\nabc\r\n`,
  "line feed alone behind the value": (u) => `k 5 0 3${u}\r\nabc\nX\r\nget k\r\n`,
  "value too long": (u) => `k 5 0 3${u}\r\nabcdef\r\nget k\r\n`,
  "value too short": (u) => `k 5 0 3${u}\r\na\r\nget k\r\nget k\r\n`,
  "value with line ends": (u) => `k 5 0 9${u}\r\na\r\nb\r\n\r\nc\r\n`,
  "binary value": (u) => `k 5 0 6${u}\r\n\x00\x01\x7f\x80\xfe\xff\r\n`,
  "key of 250": (u) => `${key(250)} 0 0 1${u}\r\na\r\nget ${key(250)}\r\n`,
  "key of 251": (u) => `${key(251)} 0 0 1${u}\r\na\r\nget k\r\n`,
  "key of 251, noreply": (u) => `${key(251)} 0 0 1${u} noreply\r\na\r\nget k\r\n`,
  "binary key": (u) => `\x01\x7f\x80\xff 0 0 1${u}\r\na\r\nget \x01\x7f\x80\xff\r\n`,
  "greatest flags": (u) => `k 4294967295 0 1${u}\r\na\r\n`,
  "negative flags": (u) => `k -1 0 1${u}\r\na\r\nget k\r\n`,
  "flags no number": (u) => `k x 0 1${u}\r\na\r\nget k\r\n`,
  "negative exptime": (u) => `k 0 -1 1${u}\r\na\r\n`,
  "exptime in the past": (u) => `k 0 2592001 1${u}\r\na\r\n`,
  "exptime far ahead": (u) => `k 0 2147483647 1${u}\r\na\r\n`,
  "exptime no number": (u) => `k 0 x 1${u}\r\na\r\nget k\r\n`,
  "leading zeros": (u) => `k 007 00 0001${u}\r\na\r\n`,
  "negative length": (u) => `k 0 0 -1${u}\r\nversions\r\nget k\r\n`,
  "length no number": (u) => `k 0 0 x${u}\r\nversions\r\nget k\r\n`,
  "length no number, noreply": (u) => `k 0 0 x${u} noreply\r\nversions\r\nget k\r\n`,
  "length with a fraction": (u) => `k 0 0 1.5${u}\r\nversions\r\nget k\r\n`,
  "length of 2^31": (u) => `k 0 0 2147483648${u}\r\nversions\r\nget k\r\n`,
  "length of 2^32 + 1": (u) => `k 0 0 4294967297${u}\r\nversions\r\nget k\r\n`,
  "too large": (u) => `k 0 0 1048576${u}\r\n${"x".repeat(1048576)}\r\nget k\r\n`,
  "too large, noreply": (u) => `k 0 0 1048576${u} noreply\r\n${"x".repeat(1048576)}\r\nget k\r\n`,
  "no value": () => `k 0 0\r\nget k\r\n`,
  "no exptime": () => `k 0\r\nget k\r\n`,
  "no flags": () => `k\r\nget k\r\n`,
  "nothing": () => `\r\nget k\r\n`,
};

function storage(): Scripts {
  const scripts: Scripts = {};
  for (const [command, unique] of storing) {
    for (const [name, header] of Object.entries(headers)) {
      const send = `${command} ${header(unique)}`.replace(/ \r/, command === "set" ? " \r" : "\r");
      const set = "set k 9 0 2\r\nno\r\n";
      scripts[`${command}: ${name}`] = [set, LOOK, send, LOOK];
    }
    const send = `${command} k 5 0 3${unique && " 1"}\r\nabc\r\n`;
    scripts[`${command}: nothing there`] = [send, LOOK];
    scripts[`${command}: expired`] = ["set k 9 -1 2\r\nno\r\n", send, LOOK];
    scripts[`${command}: flushed`] = ["set k 9 0 2\r\nno\r\n", "flush_all\r\n", send, LOOK];
    scripts[`${command}: deleted`] = ["set k 9 0 2\r\nno\r\n", "delete k\r\n", send, LOOK];
  }
  return scripts;
}

function compareAndSwap(): Scripts {
  const set = "set k 9 0 2\r\nno\r\n";
  const withUnique = (unique: string) => [set, LOOK, `cas k 5 0 3 ${unique}\r\nabc\r\n`, LOOK];
  return {
    "cas: twice with one unique": [...withUnique("{1}"), "cas k 5 0 3 {1}\r\nabc\r\n", LOOK],
    "cas: 0": withUnique("0"),
    "cas: another": withUnique("1"),
    "cas: greatest": withUnique("18446744073709551615"),
    "cas: 2^64": withUnique("18446744073709551616"),
    "cas: negative": withUnique("-1"),
    "cas: no number": withUnique("x"),
    "cas: none": [set, "cas k 5 0 3\r\nabc\r\n", LOOK],
    "cas: none, noreply": [set, "cas k 5 0 3 noreply\r\nabc\r\n", LOOK],
    "cas: touch and gat keep the unique": [set, LOOK, "touch k 100\r\ngats 100 k\r\n", LOOK],
    "cas: every change gives another": [
      set,
      LOOK,
      `append k 0 0 1\r\nx\r\n${LOOK}prepend k 0 0 1\r\nx\r\n${LOOK}replace k 0 0 1\r\n1\r\n${LOOK}`,
      `incr k 1\r\n${LOOK}decr k 1\r\n${LOOK}set k 0 0 1\r\n1\r\n${LOOK}`,
    ],
  };
}

/**
 * Each change is a send of its own: memcached pads a number in place only where nobody else holds
 * the item, and a reply that is still to be sent does.
 */
function arithmetic(): Scripts {
  const scripts: Scripts = {};
  const values = ["0", "5", "99", "100", "007", "  7", "7  ", "", " ", "a", "12ab", "12 ab", "-5"]
    .concat("+5", "1.5", "0x10", "18446744073709551615", "18446744073709551616")
    .concat("99999999999999999999999", "00000000000000000000000000001", "1\r\n2", "\t7", "7\t");
  for (const value of values) {
    for (const command of ["incr", "decr"]) {
      scripts[`${command}: ${JSON.stringify(value)}`] = [
        `set k 5 0 ${value.length}\r\n${value}\r\n`,
        `${command} k 1\r\nget k\r\n`,
        `${command} k 10\r\nget k\r\n`,
      ];
    }
  }
  const deltas = ["0", "1", "007", "18446744073709551615", "18446744073709551616", "-1", "+1"]
    .concat("1.5", "0x1", "x", "1x", "noreply", "1 noreply", "x noreply", "1 2", "1 noreply 2");
  for (const delta of deltas) {
    for (const command of ["incr", "decr"]) {
      scripts[`${command}: by ${delta}`] = [
        "set k 0 0 2\r\n50\r\n",
        `${command} k ${delta}\r\nget k\r\n`,
        `${command} none ${delta}\r\nget none\r\n`,
      ];
    }
  }
  for (const command of ["incr", "decr"]) {
    scripts[`${command}: expired`] = ["set k 0 -1 1\r\n5\r\n", `${command} k 1\r\n`, LOOK];
    scripts[`${command}: flushed`] = ["set k 0 0 1\r\n5\r\nflush_all\r\n", `${command} k 1\r\n`];
    scripts[`${command}: no delta`] = [`${command} k\r\n`];
    scripts[`${command}: no key`] = [`${command}\r\n`];
    scripts[`${command}: key of 251`] = [`${command} ${key(251)} 1\r\n`];
    scripts[`${command}: key of 251, noreply`] = [`${command} ${key(251)} 1 noreply\r\n`];
  }
  scripts["decr: keeps its length, and incr again"] = [
    "set k 3 0 4\r\n1000\r\n",
    "decr k 1\r\nget k\r\n",
    "decr k 990\r\nget k\r\n",
    "incr k 1\r\nget k\r\n",
    "incr k 99999\r\nget k\r\n",
  ];
  return scripts;
}

function retrieval(): Scripts {
  const scripts: Scripts = {};
  const set = "set a 1 0 2\r\nxy\r\nset b 0 0 0\r\n\r\nset c 4294967295 0 1\r\n\n\r\n";
  const after = {
    "one": "a",
    "several": "a b c",
    "some missing": "x a y b z",
    "all missing": "x y z",
    "one twice": "a a",
    "noreply": "a noreply",
    "spaces": "  a   b  ",
    "key of 250": key(250),
    "key of 251": key(251),
    "tab": "a\tb",
    "nothing": "",
    "a thousand": "a x ".repeat(500),
  };
  for (const [name, words] of Object.entries(after)) {
    scripts[`get: ${name}`] = [set, `get ${words}\r\nget a\r\n`];
    scripts[`gets: ${name}`] = [set, `gets ${words}\r\nget a\r\n`];
    if (name === "a thousand") continue;
    scripts[`gat: ${name}`] = [set, `gat 100 ${words}\r\nget a\r\n`];
    scripts[`gats: ${name}`] = [set, `gats 100 ${words}\r\nget a\r\n`];
  }
  for (const exptime of ["0", "-1", "2592001", "x", "1.5", "+1", "1x", "4294967295"]) {
    scripts[`gat: exptime ${exptime}`] = [set, `gat ${exptime} a b\r\nget a b\r\n`];
    scripts[`gats: exptime ${exptime}`] = [set, `gats ${exptime} a b\r\nget a b\r\n`];
  }
  scripts["get: hits before a key of 251"] = [set, `get a ${key(251)} b\r\nget a\r\n`];
  scripts["get: hits before a key of 251, pipelined"] = [set, `version\r\nget a ${key(251)}\r\n`];
  scripts["gat: none"] = ["gat\r\n", "gat 0\r\n", "gats\r\n", "gats 0\r\n"];
  scripts["get: 18,700 keys"] = [set, `get ${"x ".repeat(9350)}a ${"x ".repeat(9349)}\r\n`];
  return scripts;
}

function removal(): Scripts {
  const set = "set k 1 0 2\r\nxy\r\n";
  const scripts: Scripts = {};
  for (const words of ["k", "k 0", "k noreply", "k 0 noreply", "none", "none noreply", key(250)]) {
    scripts[`delete: ${nameOf(words)}`] = [set, `delete ${words}\r\nget k\r\n`];
  }
  for (const words of ["k 5", "k x", "k 0 x", "k noreply 0", key(251), `${key(251)} noreply`, ""]) {
    scripts[`delete: ${nameOf(words)}`] = [set, `delete ${words}\r\nget k\r\n`];
  }
  for (const exptime of ["0", "100", "-1", "2592001", "x", "1.5", "100 noreply", "x noreply"]) {
    scripts[`touch: ${exptime}`] = [
      set,
      `touch k ${exptime}\r\nget k\r\ntouch none ${exptime}\r\n`,
    ];
  }
  for (const words of ["", "k", "k noreply", `${key(251)} 1`, `${key(251)} 1 noreply`, "k 1 2"]) {
    scripts[`touch: ${words === "k" ? "no exptime" : nameOf(words)}`] = [set, `touch ${words}\r\n`];
  }
  const flushes = ["", " 0", " -1", " 100", " noreply", " 0 noreply", " x", " x noreply", " 1.5"]
    .concat(" 100 noreply", " 0 x", " 2592001");
  for (const words of flushes) {
    scripts[`flush_all:${words}`] = [set, `flush_all${words}\r\n`, "get k\r\n", set, "get k\r\n"];
  }
  scripts["flush_all: with what came before and after in one batch"] = [
    `${set}flush_all\r\nget k\r\n${set}get k\r\n`,
    "get k\r\n",
  ];
  return scripts;
}

function lines(): Scripts {
  const scripts: Scripts = {};
  const alone = ["version", "version x y", "verbosity 1", "verbosity 0 noreply", "verbosity x"]
    .concat("verbosity", "verbosity 1 2", "verbosity -1", "nonsense", "nonsense a b c")
    .concat("GET a", "Set a 0 0 1", "getx a", "ge", "a", "", " ", "  ", " version", "  get a")
    .concat("get\ta", "version\r", "\x00", "\x00\x00\x00", "\x80\x81", "\xff\xff\xff\xff")
    .concat("noreply", "get a HTTP/1.1", "shutdown", "shutdown graceful", "shutdown x")
    .concat("stats reset", "stats reset noreply", "stats nonsense", "stats sizes")
    .concat("stats extstore", "stats cachedump", "stats cachedump 1")
    .concat("stats cachedump x 1", "stats cachedump 1 x", "stats cachedump 64 1")
    .concat("stats cachedump 5 10", "lru_crawler", "lru_crawler metadump", "lru_crawler metadump x")
    .concat("lru_crawler sleep 100", "lru_crawler sleep 2000000", "lru_crawler sleep x")
    .concat("lru_crawler tocrawl 10", "lru_crawler tocrawl x", "lru_crawler nonsense")
    .concat("lru_crawler tocrawl", "lru_crawler sleep", "lru_crawler crawl");
  for (const line of alone) {
    scripts[`line: ${JSON.stringify(line)}`] = [`${line}\r\n`, `version\r\n${line}\r\nget a\r\n`];
  }
  for (const first of ["GET / HTTP/1.1", "POST /x HTTP/1.0", "PUT x HTTP/1.1", "FOO HTTP/"]) {
    scripts[`line: ${first}`] = [`${first}\r\nversion\r\n`];
  }
  return {
    ...scripts,
    "line: of 2,049 bytes without its end": ["x".repeat(2049)],
    "line: of 2,048 bytes without its end": ["x".repeat(2048)],
    "line: of 8,200 bytes that comes whole": [`${"x".repeat(8200)}\r\nversion\r\n`],
    "line: a get of 4,000 bytes that has no end": [`get ${"x ".repeat(2000)}`],
    "line: quit": ["version\r\nquit\r\nversion\r\n", "quit x\r\nversion\r\n", "quit noreply\r\n"],
    "line: a pipeline of all kinds": [
      "set a 0 0 1\r\n1\r\nget a\r\nincr a 5\r\ndecr a 1\r\nappend a 0 0 1\r\n0\r\nget a\r\n" +
      "prepend a 0 0 1 noreply\r\n2\r\ngets a\r\ntouch a 0\r\ngat 0 a\r\nadd a 0 0 1\r\nx\r\n" +
      "replace a 0 0 1\r\nx\r\nincr a 1\r\ndelete a\r\ndelete a\r\nget a b c\r\nnonsense\r\nversion\r\n",
    ],
    "line: five hundred gets in a batch": [
      "set a 0 0 3\r\nabc\r\n",
      "get a\r\nget b\r\n".repeat(250),
    ],
    "line: five hundred sets in a batch": ["set a 0 0 3\r\nabc\r\n".repeat(500), "get a\r\n"],
    "line: noreply in a batch": [
      "set a 0 0 1 noreply\r\n1\r\nset b 0 0 1\r\n2\r\ndelete a noreply\r\nget a b\r\n" +
      "incr b 1 noreply\r\nincr b 1\r\nadd c 0 0 1 noreply\r\nx\r\nget c\r\n",
    ],
    "line: a value that looks like commands": [
      "set a 0 0 20\r\nget b\r\nflush_all\r\n\r\n\r\nget a\r\n",
      "get a\r\n",
    ],
    "line: ends in the middle of a value": ["set a 0 0 10\r\nabc", "get a\r\n"],
    "line: ends in the middle of a line": ["set a 0 0 1\r\nx\r\nset b 0 0", "get a b\r\n"],
    "size: greatest value": [
      `set k 0 0 1048516\r\n${"x".repeat(1048516)}\r\n`,
      `set k 0 0 1048517\r\n${"x".repeat(1048517)}\r\nget k\r\n`,
    ],
    "size: greatest value with flags": [
      `set k 1 0 1048512\r\n${"x".repeat(1048512)}\r\n`,
      `set k 1 0 1048513\r\n${"x".repeat(1048513)}\r\nget k\r\n`,
    ],
    "size: append beyond the limit": [
      `set k 0 0 1048000\r\n${"x".repeat(1048000)}\r\n`,
      `append k 0 0 1000\r\n${"y".repeat(1000)}\r\nprepend k 0 0 1000\r\n${"y".repeat(1000)}\r\n`,
      "get k\r\n",
    ],
  };
}

/** All scripts by name. */
export const scripts: Scripts = {
  ...storage(),
  ...compareAndSwap(),
  ...arithmetic(),
  ...retrieval(),
  ...removal(),
  ...lines(),
};
