/**
 * What the client library uses of Deno, over Node's own modules: `Deno.connect` and its connections. TLS it has from
 * `node:tls` itself.
 *
 * @module
 */

import net from "node:net";

/** A socket that is read when it is asked for, as `Deno.Conn` is. */
class Connection {
  #socket;
  #ended = false;
  #failure;
  #wake = () => {};

  constructor(socket) {
    this.#socket = socket;
    socket.on("readable", () => this.#wake());
    socket.on("end", () => {
      this.#ended = true;
      this.#wake();
    });
    socket.on("error", (error) => {
      this.#failure ??= error;
      this.#wake();
    });
    socket.on("close", () => {
      this.#failure ??= new Error("the connection was closed");
      this.#wake();
    });
  }

  async read(memory) {
    while (true) {
      const chunk = this.#socket.read();
      if (chunk !== null) {
        const length = Math.min(chunk.length, memory.length);
        memory.set(chunk.subarray(0, length));
        if (length < chunk.length) this.#socket.unshift(chunk.subarray(length));
        return length;
      }
      if (this.#ended) return null;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise((resolve) => this.#wake = resolve);
    }
  }

  write(bytes) {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve(bytes.length));
    });
  }

  setNoDelay() {
    this.#socket.setNoDelay();
  }

  close() {
    this.#socket.destroy();
  }
}

export const Deno = {
  errors: {
    BadResource: class extends Error {},
    ConnectionReset: class extends Error {},
  },
  connect({ hostname, port, path }) {
    return new Promise((resolve, reject) => {
      const socket = net.connect(path === undefined ? { host: hostname, port } : { path });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new Connection(socket));
      });
    });
  },
};
