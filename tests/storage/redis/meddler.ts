/**
 * A man in the middle between a store and Redis, who sees each command and may answer it himself.
 *
 * @module
 */

/** A command with its arguments, one character a byte. */
export type Words = readonly string[];

/**
 * What is to be answered in the place of Redis, as it is on the wire; nothing where Redis is to. A promise holds
 * up what comes behind the command on its connection.
 */
export type Meddle = (words: Words) => string | undefined | Promise<string | undefined>;

/** Listens on a port of its own and passes on what it does not answer. */
export class Meddler implements Disposable {
  /** Where connections that come from now on lead to. */
  target: number;
  /** Connections that came. */
  connections = 0;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.TcpConn>();
  readonly #meddle: Meddle;

  constructor(target: number, meddle: Meddle = () => undefined) {
    this.target = target;
    this.#meddle = meddle;
    this.#accept().catch(() => {});
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Ends every connection. */
  cut(): void {
    for (const connection of this.#open) end(connection);
    this.#open.clear();
  }

  async #accept(): Promise<void> {
    for await (const near of this.#listener) {
      this.connections++;
      this.#open.add(near);
      this.#pass(near).catch(() => {}).finally(() => end(near));
    }
  }

  async #pass(near: Deno.TcpConn): Promise<void> {
    const far = await Deno.connect({ hostname: "127.0.0.1", port: this.target });
    this.#open.add(far);
    try {
      const asked = new Wire(near);
      const answered = new Wire(far);
      for (;;) {
        const command = await asked.next();
        let reply = await this.#meddle(asked.strings);
        if (reply === undefined) {
          await write(far, command);
          reply = await answered.next();
        }
        await write(near, reply);
      }
    } finally {
      end(far);
    }
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    this.cut();
  }
}

/** Reads one RESP value after another, as it is on the wire. */
class Wire {
  /** The strings in the last value. */
  strings: string[] = [];
  #text = "";
  #at = 0;
  readonly #connection: Deno.TcpConn;

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** The next value; fails where the connection ends. */
  async next(): Promise<string> {
    this.#text = this.#text.slice(this.#at);
    this.#at = 0;
    this.strings = [];
    await this.#value();
    return this.#text.slice(0, this.#at);
  }

  async #value(): Promise<void> {
    let lineEnd: number;
    while ((lineEnd = this.#text.indexOf("\r\n", this.#at)) < 0) await this.#more();
    const line = this.#text.slice(this.#at, lineEnd);
    this.#at = lineEnd + 2;
    const count = Number(line.slice(1));
    if (line[0] === "$" && count >= 0) {
      this.#at += count + 2;
      while (this.#text.length < this.#at) await this.#more();
      this.strings.push(this.#text.slice(lineEnd + 2, this.#at - 2));
    }
    if (line[0] === "*") { for (let i = 0; i < count; i++) await this.#value(); }
  }

  async #more(): Promise<void> {
    const buffer = new Uint8Array(16 << 10);
    const count = await this.#connection.read(buffer);
    if (count === null) throw new Error("the connection has ended");
    for (let i = 0; i < count; i++) this.#text += String.fromCharCode(buffer[i]!);
  }
}

async function write(connection: Deno.TcpConn, text: string): Promise<void> {
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

function end(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // It has ended by itself.
  }
}
