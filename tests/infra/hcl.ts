/**
 * As much of Terraform's language as `infra/terraform` is written in: blocks, and the names of their
 * arguments. Values are skipped.
 *
 * @module
 */

/** A block: `type "label" "label" { … }`. */
export interface Block {
  readonly type: string;
  readonly labels: readonly string[];
  readonly arguments: readonly string[];
  readonly blocks: readonly Block[];
}

/** Reads the blocks of a file. */
export function readBlocks(text: string): Block[] {
  return new Reader(text).body("").blocks as Block[];
}

class Reader {
  #at = 0;

  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  body(end: "}" | ""): { arguments: string[]; blocks: Block[] } {
    const body = { arguments: [] as string[], blocks: [] as Block[] };
    for (;;) {
      this.#space();
      if (end === "" ? this.#at === this.#text.length : this.#text[this.#at] === end) {
        this.#at += end.length;
        return body;
      }
      const name = this.#match(/[\w-]+/y);
      this.#match(/[ \t]*/y);
      if (this.#text[this.#at] === "=") {
        this.#at++;
        this.#value();
        body.arguments.push(name);
        continue;
      }
      const labels: string[] = [];
      while (this.#text[this.#at] === '"') {
        labels.push(this.#match(/"[^"]*"/y).slice(1, -1));
        this.#match(/[ \t]*/y);
      }
      this.#match(/\{/y);
      body.blocks.push({ type: name, labels, ...this.body("}") });
    }
  }

  /** Passes over an expression: to the end of the line outside of all brackets. */
  #value(): void {
    let depth = 0;
    for (; this.#at < this.#text.length; this.#at++) {
      const sign = this.#text[this.#at];
      if (sign === '"') this.#string();
      else if (sign === "#") this.#match(/[^\n]*/y, -1);
      else if ("([{".includes(sign)) depth++;
      else if (")]}".includes(sign)) {
        // The end of the block that the argument stands in, on one line with it.
        if (depth === 0) return;
        depth--;
      } else if (sign === "\n" && depth === 0) return;
    }
  }

  /** Passes over a string with what is put into it, up to its last quote. */
  #string(): void {
    for (this.#at++; this.#text[this.#at] !== '"'; this.#at++) {
      if (this.#text[this.#at] === "\\") this.#at++;
      else if (this.#text.startsWith("${", this.#at)) {
        for (let depth = 0;; this.#at++) {
          if (this.#text[this.#at] === '"') this.#string();
          else if (this.#text[this.#at] === "{") depth++;
          else if (this.#text[this.#at] === "}" && --depth === 0) break;
        }
      }
    }
  }

  #space(): void {
    this.#match(/(?:\s|#[^\n]*)*/y);
  }

  #match(pattern: RegExp, more = 0): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined) {
      const line = this.#text.slice(0, this.#at).split("\n").length;
      throw new Error(`line ${line}: ${this.#text.slice(this.#at, this.#at + 40)}`);
    }
    this.#at += found.length + more;
    return found;
  }
}
