/**
 * Large values as a store gets them: in the memory that a connection has received them into.
 *
 * @module
 */

import { bytesOf, bytesOfBinaryString } from "../../lib/bytes.ts";
import { ReceiveBuffer } from "../../lib/protocol/framing.ts";
import { Request } from "../../lib/protocol/request.ts";
import { LineDialect } from "../../lib/protocol/text/dialect.ts";
import { ArrivedItem } from "../../lib/storage/arrived_item.ts";
import {
  type Awaitable,
  Batch,
  type Expected,
  type Store,
  type Swapped,
} from "../../lib/storage/contract.ts";

/** A set that a connection has received whole, and has not run. */
export class Arrived {
  readonly input = new ReceiveBuffer();
  readonly request = new Request();
  readonly batch = new Batch();
  readonly #dialect = new LineDialect({ itemSize: 64 * 2 ** 20 });
  /** All memory that the request lies in. */
  readonly memory: Uint8Array;
  readonly #sent: Uint8Array;

  /** @param before bytes of a value that another set has brought into the same memory before */
  constructor(readonly key: string, value: string | number, behind = "", before = 0) {
    const text = typeof value === "number" ? "v".repeat(value) : value;
    const sent = bytesOfBinaryString(`set ${key} 7 0 ${text.length}\r\n${text}\r\n${behind}`);
    this.batch.giver = this.input;
    if (before === 0) this.#receive(sent);
    else {
      // So that the memory stays, some of this request comes with the other.
      const other = `set ${key} 0 0 ${before}\r\n${" ".repeat(before)}\r\n`;
      this.#receive(bytesOf(`${other}set ${key}`));
      this.#receive(sent.subarray(`set ${key}`.length));
    }
    this.memory = this.request.bytes;
    this.#sent = sent.slice(0, sent.length - behind.length);
  }

  /** Receives one request. */
  #receive(sent: Uint8Array): void {
    for (let rest = sent; !this.#dialect.next(this.input, this.request);) {
      const room = this.input.room();
      const part = rest.subarray(0, room.length);
      room.set(part);
      this.input.added(part.length);
      rest = rest.subarray(part.length);
    }
  }

  /** Runs it. */
  set(store: Store, expected: Expected = "any"): Awaitable<Swapped> {
    const { bytes, keyStart, keyEnd, valueStart, valueEnd, flags } = this.request;
    const item = new ArrivedItem(bytes, valueStart, valueEnd, flags, 0, 0n, 0, false);
    return store.swapAt!(bytes, keyStart, keyEnd, expected, item, this.batch);
  }

  /** Whether the request's bytes are as they were sent, up to the value's end. */
  get isWhole(): boolean {
    const { bytes, valueEnd } = this.request;
    const sent = this.#sent.subarray(0, -2);
    return sent.every((byte, i) => bytes[valueEnd - sent.length + i] === byte);
  }

  /** Whether a store has its memory. */
  get isGiven(): boolean {
    return this.input.bytes !== this.memory;
  }
}
