import { ByteBuffer } from "../bytes.ts";
import type { KeyEntry } from "./keys.ts";

const PART = 500;
/** The bytes of a time of expiry and a size. */
const NUMBERS = 12;

/**
 * Many keys in little memory, thirteen bytes beside the key itself: those of a server with ten million
 * items must be held together, and as objects they would take gigabytes.
 */
export class KeySpool {
  readonly #bytes = new ByteBuffer(64 * 1024);

  push({ key, expires, size }: KeyEntry): void {
    const out = this.#bytes;
    // A key has at most 250 bytes.
    out.byte(key.length);
    out.append(key);
    out.reserve(NUMBERS);
    const view = new DataView(out.bytes.buffer);
    view.setFloat64(out.length, expires);
    view.setUint32(out.length + 8, Math.min(size, 0xffffffff));
    out.length += NUMBERS;
  }

  /** All that was pushed, in parts of some hundreds; the keys are views. */
  *parts(): Generator<readonly KeyEntry[]> {
    const bytes = this.#bytes.view();
    const view = new DataView(bytes.buffer);
    let part: KeyEntry[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = at + 1 + bytes[at]!;
      part.push({
        key: bytes.subarray(at + 1, end),
        expires: view.getFloat64(end),
        size: view.getUint32(end + 8),
      });
      at = end + NUMBERS;
      if (part.length === PART) {
        yield part;
        part = [];
      }
    }
    if (part.length > 0) yield part;
  }
}
