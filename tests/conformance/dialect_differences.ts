/**
 * Where kvs answers meta commands and frames otherwise than memcached 1.6.18, and why. What it answers is in the
 * rules that the scripts are made of. kvs follows the current memcached, 1.6.45.
 *
 * @module
 */

/** Scripts by their names, and which of their sends are answered otherwise: those that match, or all. */
type Sends = Readonly<Record<string, RegExp | "all">>;

interface Difference {
  readonly why: string;
  readonly sends: Sends;
}

/** All differences. */
export const dialectDifferences: readonly Difference[] = [
  {
    why: "the flag E came with 1.6.27",
    sends: {
      "meta: ms E sets the unique that the item gets": "all",
      "meta: ms E0 gets a unique as any other": "all",
      "meta: md I E sets the unique": "all",
      "meta: ma N makes an item that takes its unique of E": "all",
      "meta: ma E sets the unique that the item gets": "all",
      "meta: a stale item is stale no more after a set, a cas, an append": / E55/,
      "meta: ms I with the very unique stores, and the item is fresh": "all",
      "meta: ms I with a later unique does not store": "all",
      "meta: mg N E sets the unique of what it makes, and of nothing else": "all",
      "meta: a number that is none is a bad token": /^(mg|ms \w+ 2|md) ?\w* E/,
    },
  },
  {
    why: "the flag x came with 1.6.27",
    sends: {
      "meta: md q hides HD and nothing else": / x /,
      "meta: md x keeps the key, without value, flags and time": "all",
      "meta: md x keeps the unique, but for E": /md/,
      "meta: md x takes F and T": "all",
      "meta: md x I empties and marks as stale": /md/,
      "meta: md x of nothing finds nothing": "all",
    },
  },
  {
    why: "the flag C of mg came with 1.6.40, and flags that mean nothing are refused before it",
    sends: {
      "meta: mg C leaves out the value that the client has": /C\{1\}/,
      "meta: mg takes flags that have no meaning for it": / x /,
      "meta: ms returns nothing for other flags": "all",
      "meta: a line has at most 20 words": / C1 /,
    },
  },
  {
    why: "the flags N and s of ms came with 1.6.20",
    sends: {
      "meta: ms returns c, k, s, O and b in their order": "all",
      "meta: ms MA and MP add to a value, whose flags and time stay": / M[AP]/,
      "meta: ms MA and MP make the item where N says so": "all",
      "meta: ms C with MA and MP compares where there is an item": / s\r/,
    },
  },
  {
    why: "in 1.6.18 a mode is one letter; now its first letter is",
    sends: {
      "meta: ms MS sets, and a mode is its first letter": "all",
      "meta: ma M chooses up or down": "all",
      "meta: ma M of another mode is refused": /M\r/,
    },
  },
  {
    why: "in 1.6.18 q of ma hides no number",
    sends: { "meta: ma q hides HD and the number, and nothing else": / N0 q v/ },
  },
  {
    why: "in 1.6.18 md says one sentence of all that is wrong with its flags, as ma does still",
    sends: {
      "meta: a flag twice is refused": /^md/,
      "meta: a flag that is none is refused": /^md/,
      "meta: a number that is none is a bad token": /^md k [TNRC](?!\+)/,
      "meta: a number has its bounds": /^md k [CE]/,
      "meta: an opaque that is too long is told where nothing else is wrong": /^md/,
      "meta: q hides no refusal": /^md/,
      "meta: base64 that stands for nothing cannot be decoded": /^md/,
      "meta: a line has at most 20 words": /^md/,
    },
  },
  {
    why: "since 1.6.40 a number has no plus before it, and is refused beyond its bits",
    sends: {
      "meta: a number that is none is a bad token": / [TNRC]\+1/,
      "meta: a number has its bounds": /^mg k [TNR]-?\d{10}/,
      "meta: flags that are no number of 32 bits are refused": / F(\+1|4294967296)/,
      "meta: a delta or an initial value that is none is refused": / [DJ]\+1/,
      "meta: ms with a length that is none leaves the value to be read as commands":
        /^ms k (\+2|4294967296)/,
    },
  },
  {
    why: "since 1.6.40 a number has so many letters at most, and a minus alone is 0",
    sends: {
      "meta: a number of 32 bits has at most 11 letters, one of 64 bits 22, and a minus alone is 0":
        /R-|T0{11}1|C0{22}1|^ms/,
    },
  },
  {
    why:
      "since 1.6.40 a command with too few words, or a line of under two bytes, has a bad format, and was " +
      "an ERROR before",
    sends: {
      "meta: a command without a key has a bad format": /^m[gda] ?\r/,
      "meta: ms without a key or a length has a bad format": /^ms\r/,
      "meta: ms q hides HD and nothing else": /\r\nxy\r/,
      "meta: ms with a value that is too short or too long is a bad chunk": /^ms/,
    },
  },
  {
    why: "since 1.6.40 a line does not begin with a space, and has more than three bytes",
    sends: {
      "meta: a command is in lower case, from the start of the line": /^ /,
      "meta: a line feed alone ends a line": /^mn\n/,
    },
  },
  {
    why: "since 1.6.40 the value behind a wrong ms is passed over, and was run as a command",
    sends: {
      "meta: a key of 250 bytes is one, and of 251 none": /^ms k{251}/,
      "meta: a key of 251 bytes is told before what is wrong with the flags": /^ms/,
      "meta: a key in base64 has up to 250 bytes": /^ms .* 2 b/,
      "meta: a line has at most 20 words": /^ms/,
    },
  },
  {
    why:
      "in 1.6.18 a word that begins with no letter is a flag that is none; now it spoils the line",
    sends: { "meta: a word that begins with no letter and no digit spoils the line": "all" },
  },
  {
    why:
      "in 1.6.18 ma has sentences of their own for a key that is too long and for too many flags",
    sends: {
      "meta: a key of 250 bytes is one, and of 251 none": /^ma/,
      "meta: a line has at most 20 words": /^ma/,
    },
  },
  {
    why: "in 1.6.18 me reads a key in base64 also where no word follows the b",
    sends: { "meta: me reads a key in base64 where a word follows the b": /^me YWI=\r/ },
  },
  {
    why: "memcached takes 250 letters of base64, and kvs 250 bytes in it",
    sends: { "meta: a key in base64 has up to 250 bytes": /^ms .* 1 b/ },
  },
  {
    why: "memcached writes a key with a line feed as it is where it came in a frame",
    sends: {
      "meta: a key that came in a frame and would break the line is returned in base64": /^m/,
    },
  },
  {
    why: "memcached forgets that a key came in base64 where N makes its item",
    sends: { "meta: what N makes remembers that its key came in base64": "all" },
  },
  {
    why: "memcached forgets the marks of an item that takes more room than before",
    sends: {
      "meta: ma of a number that gets longer keeps its marks and its time too": /^mg/,
      "meta: a set forgets that the key came in base64, an append does not": / append|^ms/,
    },
  },
  {
    why: "memcached passes over the body of an unknown frame once more, so into the next frame",
    sends: { "binary: an unknown opcode is answered, and its body passed over": "all" },
  },
  {
    why:
      "1.6.18 waits for a body of any length; now what is nobody's item is refused before it comes",
    sends: { "binary: a body beyond 2^30 ends the connection before it has come": "all" },
  },
  {
    why: "memcached counts flushed items until it meets them",
    sends: { "binary: Stat ends with a frame without a name": /items/ },
  },
];
