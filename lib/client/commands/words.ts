/**
 * A line of the shell as words.
 *
 * @module
 */

/**
 * Splits a line into words. Blanks part words. Single quotes keep all. Double quotes take
 * redis-cli's escapes: `\n`, `\r`, `\t`, `\a`, `\b`, `\xHH` for a byte, and `\` before `"`, `\`,
 * `$` and a backquote. Elsewhere a backslash keeps a sign that is no letter or digit. Any other
 * escape is refused, so that nothing is stored as what it does not look like.
 *
 * A byte of 0x80 and above stands in its word as a lone surrogate, which
 * {@linkcode wordBytes} turns back.
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(wordsOf(`set k "two words" 'a\\b'`), ["set", "k", "two words", "a\\b"]);
 * ```
 *
 * @throws {SyntaxError} for a quote that is not closed and an escape that is none.
 */
export function wordsOf(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let i = 0; i < line.length; i++) {
    const letter = line[i]!;
    if (letter === " " || letter === "\t") {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (letter === "'") {
      const end = line.indexOf("'", i + 1);
      if (end < 0) throw new SyntaxError("a single quote is not closed");
      word = (word ?? "") + line.slice(i + 1, end);
      i = end;
    } else if (letter === '"') {
      word ??= "";
      for (i++; line[i] !== '"'; i++) {
        if (i >= line.length) throw new SyntaxError("a double quote is not closed");
        if (line[i] !== "\\") {
          word += line[i];
          continue;
        }
        const hex = /^x([\da-f]{2})/i.exec(line.slice(i + 1, i + 4));
        const escape = line[++i] ?? "";
        if (hex !== null) {
          word += byteText(parseInt(hex[1]!, 16));
          i += 2;
        } else if (Object.hasOwn(ESCAPES, escape)) word += ESCAPES[escape];
        else {throw new SyntaxError(
            `"\\${escape}" is no escape: \\n, \\r, \\t, \\xHH, \\" and \\\\ are`,
          );}
      }
    } else if (letter === "\\") {
      const next = line[++i];
      if (next === undefined) throw new SyntaxError("nothing follows the backslash at the end");
      if (/[a-z0-9]/i.test(next)) {
        throw new SyntaxError(`\\${next} needs double quotes around it, or single ones to be kept`);
      }
      word = (word ?? "") + next;
    } else {
      word = (word ?? "") + letter;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  a: "\x07",
  b: "\b",
  '"': '"',
  "\\": "\\",
  "$": "$",
  "`": "`",
};

/** Where the lone surrogates begin that stand for bytes, as in Python's PEP 383. */
const SURROGATES = 0xdc00;

function byteText(byte: number): string {
  return String.fromCharCode(byte < 0x80 ? byte : SURROGATES + byte);
}

/** A word as what it stands for: itself, or bytes where it has escaped ones that are no ASCII. */
export function wordBytes(word: string): string | Uint8Array {
  if (word.isWellFormed()) return word;
  const parts = word.split(/([\udc80-\udcff])/u);
  const encoder = new TextEncoder();
  return Uint8Array.from(
    parts.flatMap((part, i) =>
      i % 2 === 1 ? [part.charCodeAt(0) - SURROGATES] : [...encoder.encode(part)]
    ),
  );
}
