/**
 * Reads `memcached.md`, the page that says of each of memcached's test files whether kvs passes it.
 * The page is the only place where that stands.
 *
 * Its files are the list items and the headings that begin with a name in backticks, below three
 * headings: what kvs passes, what does not apply to it, and what it does otherwise by choice.
 *
 *     ## Passes
 *     - `cas.t`
 *     - `restart.t` on disk: why not on the other store
 *     ## Not applicable
 *     - `lru.t`: why
 *     ## Differs by choice
 *     ### `udp.t`, `issue_67.t`
 *     why
 *
 * @module
 */

/** The stores that the files are run on. */
export const storeNames = ["disk", "memory"] as const;
/** One of {@linkcode storeNames}. */
export type StoreName = typeof storeNames[number];

/** What the page may say of a file. */
export type Class = "passes" | "not applicable" | "differs by choice";

/** What the page says of a file. */
export interface Entry {
  /** `cas.t` */
  readonly file: string;
  readonly class: Class;
  /** Where it passes. Empty in the other classes. */
  readonly stores: readonly StoreName[];
  /** Why it is in its class; may be empty where it passes on every store. */
  readonly why: string;
}

/** As many choices may there be, each perhaps for several files. */
const CHOICES = 3;

const ITEM = /^- `([^`]+\.t)`(?: on (\w+))?(?:: (.*))?$/;
const HEADING = /^### (`[^`]+\.t`(?:, `[^`]+\.t`)*)$/;

/**
 * Reads the page.
 *
 * @throws {Error} naming the line, where the page is not as it must be: a file that stands twice, an
 * unknown store, an entry outside the three classes or without its reason.
 */
export function parsePage(text: string): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  let within: Class | undefined;
  let open:
    | { files: readonly string[]; stores: readonly StoreName[]; why: string[]; at: number }
    | undefined;
  let choices = 0;

  const close = () => {
    if (open === undefined) return;
    const { files, stores, at } = open;
    const why = open.why.join(" ").trim();
    open = undefined;
    if (within === "differs by choice") choices++;
    for (const file of files) {
      const place = `memcached.md:${at}: \`${file}\``;
      if (within === undefined) throw new Error(`${place} stands in none of the classes`);
      if (entries.has(file)) throw new Error(`${place} stands on the page twice`);
      const everywhere = within === "passes" && stores.length === storeNames.length;
      if (why === "" && !everywhere) throw new Error(`${place} must say why`);
      entries.set(file, { file, class: within, stores: within === "passes" ? stores : [], why });
    }
  };

  for (const [index, line] of text.split("\n").entries()) {
    const at = index + 1;
    if (line.startsWith("## ")) {
      close();
      within = classOf(line.slice(3));
      continue;
    }
    const heading = HEADING.exec(line);
    const item = ITEM.exec(line);
    if (heading !== null) {
      close();
      const files = heading[1]!.split(", ").map((name) => name.slice(1, -1));
      open = { files, stores: [], why: [], at };
    } else if (item !== null) {
      close();
      open = { files: [item[1]!], stores: storesOf(item[2], at), why: [item[3] ?? ""], at };
    } else if (line.startsWith("### ") || line.startsWith("- ")) {
      close();
      if (line.startsWith("- `")) throw new Error(`memcached.md:${at}: cannot read '${line}'`);
    } else if (open !== undefined && (within === "differs by choice" || /^ {2}\S/.test(line))) {
      open.why.push(line.trim());
    } else {
      close();
    }
  }
  close();

  if (choices > CHOICES) {
    throw new Error(`memcached.md: there are ${choices} choices, and ${CHOICES} may be`);
  }
  return entries;
}

function classOf(heading: string): Class | undefined {
  const name = heading.trim().toLowerCase();
  return name === "passes" || name === "not applicable" || name === "differs by choice"
    ? name
    : undefined;
}

function storesOf(name: string | undefined, at: number): readonly StoreName[] {
  if (name === undefined) return storeNames;
  const store = storeNames.find((store) => store === name);
  if (store === undefined) throw new Error(`memcached.md:${at}: no store is called '${name}'`);
  return [store];
}

/** How the page and the files that are there differ; empty where both name the same. */
export function differencesOf(
  entries: ReadonlyMap<string, Entry>,
  files: readonly string[],
): { readonly unlisted: string[]; readonly missing: string[] } {
  const there = new Set(files);
  return {
    unlisted: files.filter((file) => !entries.has(file)),
    missing: [...entries.keys()].filter((file) => !there.has(file)),
  };
}
