import { counted } from "../../counted.ts";

/**
 * Says on standard error how far a long command is: nothing for one that is done in two seconds, and
 * nothing where the same terminal shows what the command prints.
 */
export class Progress implements Disposable {
  readonly #start = performance.now();
  readonly #timer: ReturnType<typeof setInterval> | undefined;
  readonly #terminal = Deno.stderr.isTerminal();
  #shown = false;

  /** What is done to the items, such as `"dumped"`. */
  verb: string;
  /** How many items are done; the command counts them. */
  items = 0;

  constructor(verb: string, { prints = false }: { prints?: boolean } = {}) {
    this.verb = verb;
    if (prints && this.#terminal && Deno.stdout.isTerminal()) return;
    // On a terminal the line is written over; in a log it would come again and again.
    this.#timer = setInterval(() => this.#show(), this.#terminal ? 2000 : 10_000);
    Deno.unrefTimer(this.#timer);
  }

  /** Takes the line away, so that what is said next begins at its start. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    if (this.#terminal && this.#shown) Deno.stderr.writeSync(encoder.encode("\r\x1b[K"));
    this.#shown = false;
  }

  #show(): void {
    this.#shown = true;
    const rate = Math.round(this.items / (performance.now() - this.#start) * 1000);
    const line = `${this.verb} ${counted(this.items, "item")}, ${rate} a second`;
    Deno.stderr.writeSync(encoder.encode(this.#terminal ? `\r\x1b[K${line}` : `${line}\n`));
  }
}

const encoder = new TextEncoder();
