/**
 * Partial responses: the JSON API's `fields` parameter
 * (cloud.google.com/storage/docs/json_api#partial-response).
 *
 * @module
 */

/** Which fields are asked for, and of those which parts; `true` is all of it. */
type Mask = true | Map<string, Mask>;

const masks = new Map<string, Mask>();

/** The parts of a resource that `fields` names; without it all of them. */
export function selectFields(resource: unknown, fields: string | undefined): unknown {
  if (!fields || fields === "*") return resource;
  let mask = masks.get(fields);
  if (mask === undefined) masks.set(fields, mask = new MaskReader(fields).read());
  return select(resource, mask);
}

function select(value: unknown, mask: Mask): unknown {
  if (mask === true || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((element) => select(element, mask));
  const selected: Record<string, unknown> = {};
  for (const [name, part] of Object.entries(value)) {
    const inner = mask.get(name) ?? mask.get("*");
    if (inner !== undefined) selected[name] = select(part, inner);
  }
  return selected;
}

/** Reads `a,b/c,b/d,e(f,g)`; what is named twice is asked for together. */
class MaskReader {
  #at = 0;

  constructor(readonly text: string) {}

  read(): Mask {
    const mask = new Map<string, Mask>();
    while (this.#at < this.text.length && this.text[this.#at] !== ")") {
      this.#path(mask);
      if (this.text[this.#at] === ",") this.#at++;
    }
    return mask;
  }

  /** Adds one name and what follows it. */
  #path(mask: Map<string, Mask>): void {
    const name = /^[^,/()]*/.exec(this.text.slice(this.#at))![0];
    this.#at += name.length;
    const sign = this.text[this.#at];
    if (sign !== "/" && sign !== "(") return void mask.set(name, true);
    this.#at++;
    const known = mask.get(name);
    const inner = known instanceof Map ? known : new Map<string, Mask>();
    if (known !== true) mask.set(name, inner);
    if (sign === "/") return this.#path(inner);
    for (const [part, parts] of this.read() as Map<string, Mask>) inner.set(part, parts);
    this.#at++;
  }
}
