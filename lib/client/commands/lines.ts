/** The lines of a stream of UTF-8, without their line ends; the last one may lack its own. */
export async function* linesOf(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string> {
  let rest: string[] = [];
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = text.split("\n");
    // A line of a megabyte comes in many pieces, which are put together once.
    rest.push(lines[0]!);
    if (lines.length === 1) continue;
    yield withoutReturn(rest.join(""));
    for (let i = 1; i < lines.length - 1; i++) yield withoutReturn(lines[i]!);
    rest = [lines.at(-1)!];
  }
  const last = rest.join("");
  if (last !== "") yield withoutReturn(last);
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}
