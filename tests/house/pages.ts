/**
 * The documents for people, and what stands in them that can be tried.
 *
 * @module
 */

import { trackedFiles } from "./tracked_files.ts";

export const root = new URL("../..", import.meta.url).pathname;

/** A page in Markdown. */
export interface Page {
  /** Its path in the repository. */
  readonly path: string;
  readonly text: string;
}

/** A fenced block of a page. */
export interface Block {
  readonly path: string;
  /** What stands behind its fence: `sh`, `console`, `ts`, `text`, or nothing. */
  readonly language: string;
  readonly body: string;
}

/** Every page of the repository. */
export async function pages(): Promise<Page[]> {
  const paths = (await trackedFiles()).filter((path) => path.endsWith(".md"));
  return await Promise.all(
    paths.map(async (path) => ({ path, text: await Deno.readTextFile(root + path) })),
  );
}

/** The fenced blocks of pages in a language. */
export function blocks(of: readonly Page[], language?: string): Block[] {
  return of.flatMap(({ path, text }) =>
    [...text.matchAll(/^```(\w*)[^\n]*\n([^]*?)^```$/gm)]
      .map(([, word, body]) => ({ path, language: word!, body: body! }))
  ).filter((block) => language === undefined || block.language === language);
}

/** A page without its blocks. */
function prose(text: string): string {
  return text.replace(/^```[^]*?^```$/gm, "").replace(/^ {4}.*$/gm, "");
}

/** The code within the sentences of a page, on one line each. */
export function spans(text: string): string[] {
  return [...prose(text).matchAll(/(?<!`)`([^`]+)`(?!`)/g)]
    .map(([, code]) => code!.replace(/\s+/g, " "));
}

/** Where the links of a page lead, within the repository. */
export function links(text: string): string[] {
  return [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target));
}

/** The anchors of a page's headings, as GitHub names them. */
export function anchors(text: string): string[] {
  return [...prose(text).matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!.toLowerCase().replace(/[^\p{L}\p{N}\- _]/gu, "").replaceAll(" ", "-")
  );
}
