/** Meta commands as properties draw them: few keys, all flags, right and wrong. */

import fc from "fast-check";

const key = fc.constantFrom("a", "b", "c", "YQ==", "YWI=", "k".repeat(250));
const number = fc.oneof(
  { arbitrary: fc.integer({ min: 0, max: 40 }).map(String), weight: 4 },
  fc.constantFrom("-1", "100", "x", "", "2147483648", "18446744073709551615", "+1", "007"),
);
const letter = fc.constantFrom(..."bcfhklqstuvxIPL");
const flag = fc.oneof(
  { arbitrary: letter, weight: 6 },
  {
    arbitrary: fc.tuple(fc.constantFrom(..."TNRCEFDJ"), number).map((parts) => parts.join("")),
    weight: 4,
  },
  { arbitrary: fc.constantFrom("ME", "MA", "MP", "MR", "MS", "MI", "MD", "M+", "M"), weight: 2 },
  { arbitrary: fc.constantFrom("O1", "Oabc", "O", `O${"x".repeat(32)}`), weight: 2 },
  fc.constantFrom("z", "-", "?"),
);
/** Flags of which most lines have none twice, as that is refused. */
const flags = fc.oneof(
  { arbitrary: fc.uniqueArray(flag, { maxLength: 7, selector: (flag) => flag[0] }), weight: 12 },
  fc.array(flag, { maxLength: 24 }),
).map((flags) => flags.map((flag) => ` ${flag}`).join(""));
const value = fc.oneof(
  fc.string({ unit: fc.nat(255).map((byte) => String.fromCharCode(byte)), maxLength: 40 }),
  fc.constantFrom(
    "",
    "1",
    "99",
    "18446744073709551615",
    "\r\n",
    "EN\r\n",
    "mn\r\n",
    "x".repeat(1500),
  ),
);

const line = fc.tuple(fc.constantFrom("mg", "mg", "md", "ma"), key, flags)
  .map(([command, key, flags]) => `${command} ${key}${flags}\r\n`);
const storage = fc.tuple(key, value, flags)
  .map(([key, value, flags]) => `ms ${key} ${value.length}${flags}\r\n${value}\r\n`);
const other = fc.constantFrom(
  ...["mn\r\n", "me a\r\n", "me YWI= b x\r\n", "get a b c\r\n", "gets a\r\n", "incr a 1\r\n"],
  ...["set a 5 0 2\r\n10\r\n", "append b 0 0 1\r\n1\r\n", "touch a 100\r\n", "delete c\r\n"],
);
const refused = fc.constantFrom("mg\r\n", "ms a\r\n", "m\r\n", "me\r\n", " mn\r\n", "mx a\r\n");

/** A meta command, or a classic one beside it, from its first byte to its last. */
export const metaFrame: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: line, weight: 8 },
  { arbitrary: storage, weight: 5 },
  { arbitrary: other, weight: 3 },
  refused,
);

/** One whose value or length does not fit, so that the rest of the stream is read anew. */
export const metaMisfit: fc.Arbitrary<string> = fc.constantFrom(
  "ms a 3\r\nabcdef\r\n",
  "ms a 3\r\na\r\n",
  "ms a x\r\nmn\r\n",
  "ms a 2 -\r\nmn\r\n",
  "ms a 1\nb\n\r\n",
);
