/**
 * The schemas of Terraform's providers, out of the npm packages that CDK for Terraform makes of them: for
 * each resource the names of its arguments and blocks, and which of them must be there.
 *
 * @module
 */

/** What a block may hold. */
export interface Schema {
  readonly arguments: ReadonlySet<string>;
  readonly blocks: ReadonlyMap<string, Schema>;
  readonly required: ReadonlySet<string>;
}

/** The releases whose schemas they are. */
const PACKAGES = {
  google: "npm:@cdktf/provider-google@16.12.1",
  random: "npm:@cdktf/provider-random@12.0.1",
  tls: "npm:@cdktf/provider-tls@11.0.1",
};

/** The packages' files, in a directory that is gone with them. */
export class Provider implements AsyncDisposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Brings the packages: 31 MB from the registry, once; 300 MB of files. */
  static async install(): Promise<Provider> {
    const directory = await Deno.makeTempDir({ prefix: "kvs-provider-" });
    await Deno.writeTextFile(`${directory}/deno.json`, "{}");
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["install", "--quiet", "--node-modules-dir=auto", ...Object.values(PACKAGES)],
      cwd: directory,
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return new Provider(directory);
  }

  /** The schema of a resource such as `google_redis_cluster`. */
  async resource(type: string): Promise<Schema> {
    const folder = this.#folder(type);
    const texts = { js: "", ts: "" };
    for await (const { name } of Deno.readDir(folder)) {
      if (name.endsWith(".d.ts")) texts.ts += await Deno.readTextFile(`${folder}/${name}`);
      else if (name.endsWith(".js")) texts.js += await Deno.readTextFile(`${folder}/${name}`);
    }
    return schemaOf(texts.js, texts.ts);
  }

  #folder(type: string): string {
    const [provider, ...words] = type.split("_");
    const packages = `${this.#directory}/node_modules/@cdktf`;
    return `${packages}/provider-${provider}/lib/${words.join("-")}`;
  }

  /** What the resource's module was made from, in TypeScript: it stands in the map of its source. */
  async source(type: string): Promise<string> {
    const text = await Deno.readTextFile(`${this.#folder(type)}/index.js`);
    const [, map] = text.match(/sourceMappingURL=\S*?;base64,(\S+)/)!;
    return JSON.parse(
      new TextDecoder().decode(Uint8Array.from(atob(map), (sign) => sign.charCodeAt(0))),
    ).sourcesContent.join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** An entry of an attribute table: its name, how its value is made, and whether it is a block. */
const ENTRY = /^ {8,16}(\w+): \{\s*value: (.*?),\s*isBlock: (true|false),/gms;

function schemaOf(js: string, types: string): Schema {
  const tables = new Map<string, string>();
  for (const [, name, body] of js.matchAll(/^function (\w+ToHclTerraform)\(.*?\n(.*?)^}/gms)) {
    tables.set(name, body);
  }
  const read = (table: string, type: string): Schema => {
    const names = new Set<string>();
    const blocks = new Map<string, Schema>();
    for (const [, name, value, isBlock] of table.matchAll(ENTRY)) {
      const maker = /(\w+)ToHclTerraform/.exec(value)?.[1];
      if (isBlock === "false" || maker === undefined) names.add(name);
      else {
        const inner = maker[0].toUpperCase() + maker.slice(1);
        blocks.set(name, read(tables.get(`${maker}ToHclTerraform`) ?? "", inner));
      }
    }
    return { arguments: names, blocks, required: requiredOf(types, type) };
  };
  const own = js.slice(js.indexOf("synthesizeHclAttributes()"));
  const type = /^export declare class (\w+) extends cdktf\.TerraformResource/m.exec(types)![1];
  return read(own, `${type}Config`);
}

/** The properties of an interface that have no question mark, in the words of Terraform. */
function requiredOf(types: string, name: string): Set<string> {
  const body = new RegExp(`^export interface ${name} .*?\\{\n(.*?)^}`, "ms").exec(types)?.[1] ?? "";
  const required = [...body.matchAll(/^ {4}readonly (\w+):/gm)].map(([, property]) =>
    property.replace(/[A-Z]|(?<=[a-z])\d+/g, (sign) => `_${sign.toLowerCase()}`)
  );
  return new Set(required);
}
