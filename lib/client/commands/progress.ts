/** Says on standard error how far a long command is: nothing for one that is done in two seconds. */
export class Progress implements Disposable {
  readonly #start = performance.now();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #terminal = Deno.stderr.isTerminal();
  #shown = 0;

  /** How many items are done; the command counts them. */
  items = 0;

  /** `verb` is what is done to the items: `"dumped"`. */
  constructor(readonly verb: string) {
    // On a terminal the line is written over; in a log it would come again and again.
    this.#timer = setInterval(() => this.#show(), this.#terminal ? 2000 : 10_000);
    Deno.unrefTimer(this.#timer);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    if (this.#terminal && this.#shown > 0) Deno.stderr.writeSync(encoder.encode("\n"));
  }

  #show(): void {
    this.#shown++;
    const rate = Math.round(this.items / (performance.now() - this.#start) * 1000);
    const line = `${this.verb} ${this.items} items, ${rate} a second`;
    Deno.stderr.writeSync(encoder.encode(this.#terminal ? `\r\x1b[K${line}` : `${line}\n`));
  }
}

const encoder = new TextEncoder();
