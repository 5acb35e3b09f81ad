/** What a document consists of: its outermost element, and the texts of its `text` elements. */
export interface Outline {
  readonly root: string;
  readonly texts: readonly string[];
}

/**
 * Reads as much XML as an SVG has in it.
 *
 * @throws {SyntaxError} where it is not well-formed.
 */
export function outline(xml: string): Outline {
  const open: string[] = [];
  const texts: string[] = [];
  let root: string | undefined;
  const token =
    /<!\[CDATA\[[^]*?\]\]>|<(\/?)([A-Za-z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
  while (token.lastIndex < xml.length) {
    const at = token.lastIndex;
    const match = token.exec(xml);
    if (match === null) throw new SyntaxError(`not XML: ${xml.slice(at, at + 80)}`);
    const [, closing, name, , empty, text] = match;
    if (text !== undefined) {
      if (/&(?!(amp|lt|gt|quot|apos|#\d+);)/.test(text)) throw new SyntaxError(`bare &: ${text}`);
      if (open.at(-1) === "text") texts.push(text);
    } else if (closing) {
      if (open.pop() !== name) throw new SyntaxError(`</${name}> closes nothing`);
    } else if (name !== undefined) {
      if (open.length === 0 && root !== undefined) throw new SyntaxError(`two roots: ${name}`);
      root ??= name;
      if (!empty) open.push(name);
    }
  }
  if (open.length > 0 || root === undefined) throw new SyntaxError(`not closed: ${open}`);
  return { root, texts };
}
