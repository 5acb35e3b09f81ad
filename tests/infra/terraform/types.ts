/**
 * The whole schema of a resource, with types: what Terraform itself needs to plan it. It is read out of the
 * TypeScript that CDK for Terraform has made of the provider's own schema.
 *
 * @module
 */

/** A type as Terraform's plugin protocol has it in JSON, such as `["list", "string"]`. */
export type Type =
  | "string"
  | "number"
  | "bool"
  | ["list" | "set" | "map", Type]
  | ["object", Record<string, Type>];

export interface Attribute {
  readonly type: Type;
  readonly computed: boolean;
  readonly optional: boolean;
  readonly required: boolean;
}

export interface NestedBlock {
  readonly block: Block;
  readonly nesting: "single" | "list" | "set";
  readonly required: boolean;
  /** Whether it may be there once only. */
  readonly once: boolean;
}

export interface Block {
  readonly attributes: Record<string, Attribute>;
  readonly blocks: Record<string, NestedBlock>;
}

/** What a name is, as its comment says. */
const NAMES = /\/\/ (\w+) - computed: (\w+), optional: (\w+), required: (\w+)/g;

/** An entry of an attribute table: its name, whether it is a block, its kind, and the type of its values. */
const ENTRIES =
  /^ {4,10}(\w+): \{\s*value: .*?,\s*isBlock: (true|false),\s*type: "(\w+)",\s*storageClassType: "(\w+)"/gms;

const PRIMITIVES: Record<string, Type> = { string: "string", number: "number", boolean: "bool" };

/** What a getter or a member's class says of the type. */
const CLASSES: Record<string, Type> = {
  Number: "number",
  Boolean: "bool",
  BooleanMap: ["map", "bool"],
  List: ["list", "string"],
  NumberList: ["list", "number"],
  NumberMap: ["map", "number"],
  StringMap: ["map", "string"],
  StringMapList: ["list", ["map", "string"]],
};

export function blockOf(source: string): Block {
  const classes = new Map<string, string>();
  for (const [, name, body] of source.matchAll(/^export class (\w+) extends .*?\{\n(.*?)^\}/gms)) {
    classes.set(name, body);
  }
  const tables = new Map<string, string>();
  const functions = /^export function (\w+)ToHclTerraform\(.*?\n(.*?)^\}/gms;
  for (const [, name, body] of source.matchAll(functions)) tables.set(name, body);

  const read = (name: string, table: string): Block => {
    const body = classes.get(name)!;
    const entries = new Map([...table.matchAll(ENTRIES)].map((match) => [match[1], match]));
    const attributes: Record<string, Attribute> = {};
    const blocks: Record<string, NestedBlock> = {};
    for (const [, name, ...words] of body.matchAll(NAMES)) {
      const [computed, optional, required] = words.map((word) => word === "true");
      const [, , isBlock, kind, stored] = entries.get(name) ?? [];
      const made = new RegExp(
        `private _\\w+ = new (cdktf\\.)?(\\w+)\\(this, "${name}"(?:, (true))?`,
      ).exec(body);
      if (made === null || made[1] !== undefined) {
        const getter = new RegExp(`this\\.get(\\w+)Attribute\\('${name}'\\)`).exec(body)?.[1];
        const type = typeOf(kind, stored) ?? CLASSES[made?.[2] ?? getter ?? ""] ?? "string";
        attributes[name] = { type, computed, optional, required };
        continue;
      }
      const maker = made[2].replace(/(List|OutputReference)$/, "");
      const inner = read(
        `${maker}OutputReference`,
        tables.get(maker[0].toLowerCase() + maker.slice(1)) ?? "",
      );
      if (isBlock === "true") {
        const nesting = kind === "struct" ? "single" : kind as "list" | "set";
        const once = !made[2].endsWith("List") && nesting !== "single";
        blocks[name] = { block: inner, nesting, required, once };
      } else {
        const members = Object.entries(inner.attributes).map(([name, { type }]) => [name, type]);
        const type: Type = [made[3] ? "set" : "list", ["object", Object.fromEntries(members)]];
        attributes[name] = { type, computed: true, optional, required: false };
      }
    }
    return { attributes, blocks };
  };

  const top = /^export class (\w+) extends cdktf\.TerraformResource/m.exec(source)![1];
  return read(top, source.slice(source.indexOf("synthesizeHclAttributes()")));
}

/** The type of an attribute table's entry, where it is a simple one. */
function typeOf(kind: string | undefined, stored: string | undefined): Type | undefined {
  if (kind === "simple") return PRIMITIVES[stored!];
  const [, element, collection] = /^(string|number|boolean)(List|Map)$/.exec(stored ?? "") ?? [];
  if (element === undefined) return undefined;
  return [
    kind === "set" ? "set" : collection === "Map" ? "map" : "list",
    PRIMITIVES[element],
  ];
}
