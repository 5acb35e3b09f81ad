import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { bytesOf } from "../../lib/bytes.ts";
import { linesOf } from "../../lib/client/commands/lines.ts";
import { wordsOf } from "../../lib/client/commands/words.ts";

Deno.test("a line is split into words as a shell splits it", () => {
  const lines: [line: string, words: string[]][] = [
    ["", []],
    ["  get\ta  b ", ["get", "a", "b"]],
    ["set k ''", ["set", "k", ""]],
    [`set k 'a "b" \\n'`, ["set", "k", 'a "b" \\n']],
    [`set k "a 'b' \\"c\\" \\\\ \\r\\n\\t"`, ["set", "k", `a 'b' "c" \\ \r\n\t`]],
    ["a\\ b c\\\\", ["a b", "c\\"]],
    [`a"b"'c'`, ["abc"]],
  ];
  for (const [line, words] of lines) assertEquals(wordsOf(line), words);
  for (const line of [`"a`, `'a`, `"a\\"`]) {
    assertThrows(() => wordsOf(line), SyntaxError, "quote is not closed");
  }
  for (const line of [`"\\q"`, `"\\x0"`, "a\\nb", "a\\"]) {
    assertThrows(() => wordsOf(line), SyntaxError);
  }
});

Deno.test("lines are the same however the stream is cut", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.string({ unit: "grapheme" }).map((line) => line.replace(/[\r\n]/g, ""))),
    fc.integer({ min: 1, max: 20 }),
    async (lines, size) => {
      const bytes = bytesOf(lines.map((line) => line + "\r\n").join(""));
      const pieces: Uint8Array<ArrayBuffer>[] = [];
      for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.slice(at, at + size));
      assertEquals(await Array.fromAsync(linesOf(ReadableStream.from(pieces))), lines);
    },
  ));
});

Deno.test("a last line without its line end is a line too", async () => {
  const stream = ReadableStream.from([bytesOf("a\nb")]);
  assertEquals(await Array.fromAsync(linesOf(stream)), ["a", "b"]);
});
