/**
 * Splits a line of the shell into words the way a POSIX shell does: blanks part words, single
 * quotes keep all, double quotes and a backslash keep what is special; in double quotes `\n`, `\r`
 * and `\t` are what they are in most languages, as a line cannot hold them otherwise.
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(wordsOf(`set k "two words" 'a\\b'`), ["set", "k", "two words", "a\\b"]);
 * ```
 *
 * @throws {SyntaxError} for a quote that is not closed.
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
        if (line[i] === "\\") word += ESCAPES[line[++i]!] ?? line[i] ?? "";
        else word += line[i];
      }
    } else {
      word = (word ?? "") + (letter === "\\" && i + 1 < line.length ? line[++i] : letter);
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t" };
