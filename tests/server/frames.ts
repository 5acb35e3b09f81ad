/** Requests as properties draw them: few keys, so that they meet; all commands; right and wrong. */

import fc from "fast-check";

const key = fc.constantFrom("a", "b", "c", "k".repeat(250), "\x00\xff");
const number = fc.oneof(
  fc.integer({ min: 0, max: 20 }).map(String),
  fc.constantFrom("-1", "x", "4294967295", "4294967296", "18446744073709551615", "1.5", "007"),
);
const noreply = fc.constantFrom("", "", " noreply");
const value = fc.oneof(
  fc.string({ unit: fc.nat(255).map((byte) => String.fromCharCode(byte)), maxLength: 40 }),
  fc.constantFrom("", "1", "99", "18446744073709551615", "\r\n", "END\r\n", "x".repeat(1500)),
);

const retrieval = fc.tuple(
  fc.constantFrom("get", "gets", "gat 0", "gats 100"),
  fc.array(key, { minLength: 1, maxLength: 5 }),
).map(([command, keys]) => `${command} ${keys.join(" ")}\r\n`);

const storage = fc.tuple(
  fc.constantFrom("set", "add", "replace", "append", "prepend"),
  key,
  number,
  value,
  noreply,
).map(([command, key, flags, value, noreply]) =>
  `${command} ${key} ${flags} 0 ${value.length}${noreply}\r\n${value}\r\n`
);

const compareAndSwap = fc.tuple(key, fc.nat(30), value, noreply).map(
  ([key, unique, value, noreply]) =>
    `cas ${key} 0 0 ${value.length} ${unique}${noreply}\r\n${value}\r\n`,
);

const change = fc.tuple(
  fc.constantFrom("incr", "decr", "touch"),
  key,
  number,
  noreply,
).map(([command, key, number, noreply]) => `${command} ${key} ${number}${noreply}\r\n`);

const removal = fc.tuple(key, noreply).map(([key, noreply]) => `delete ${key}${noreply}\r\n`);

const other = fc.constantFrom(
  "version\r\n",
  "flush_all\r\n",
  "flush_all noreply\r\n",
  "verbosity 1\r\n",
  "verbosity 1 noreply\r\n",
  "stats settings\r\n",
);

const refused = fc.constantFrom(
  "\r\n",
  "nonsense\r\n",
  "get\r\n",
  `get a ${"k".repeat(251)}\r\n`,
  `set ${"k".repeat(251)} 0 0 1\r\na\r\n`,
  "set a x 0 3\r\nabc\r\n",
  "incr a x\r\n",
);

/** A request from its first byte to its last, which may be refused. */
export const frame = fc.oneof(
  { arbitrary: storage, weight: 4 },
  { arbitrary: retrieval, weight: 4 },
  { arbitrary: change, weight: 3 },
  compareAndSwap,
  removal,
  other,
  refused,
);

/** A request whose value or length does not fit, so that the rest of the stream is read anew. */
export const misfit = fc.constantFrom(
  "set a 0 0 3\r\nabcdef\r\n",
  "set a 0 0 3\r\na\r\n",
  "set a 0 0 x\r\nversion\r\n",
  "set a 0 0 -1 noreply\r\nversion\r\n",
  "append a 0 0 1\nb\n\r\n",
);
