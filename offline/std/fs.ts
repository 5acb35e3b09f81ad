/** Stand-in for `jsr:@std/fs`: the part that the project uses, with the package's signatures. */

/** Options for {@linkcode exists}. */
export interface ExistsOptions {
  isDirectory?: boolean;
  isFile?: boolean;
}

/** Options for {@linkcode walk}. */
export interface WalkOptions {
  maxDepth?: number;
  includeFiles?: boolean;
  includeDirs?: boolean;
  includeSymlinks?: boolean;
  /** Endings of the paths to give, with or without the dot. */
  exts?: string[];
  match?: RegExp[];
  skip?: RegExp[];
}

export interface WalkEntry extends Deno.DirEntry {
  path: string;
}

export async function ensureDir(dir: string | URL): Promise<void> {
  await Deno.mkdir(dir, { recursive: true });
}

function fits(info: Deno.FileInfo, options: ExistsOptions | undefined): boolean {
  if (options?.isDirectory && options.isFile) {
    throw new TypeError("ExistsOptions.options.isDirectory and isFile must not be true together.");
  }
  return !(options?.isDirectory && !info.isDirectory) && !(options?.isFile && !info.isFile);
}

export async function exists(path: string | URL, options?: ExistsOptions): Promise<boolean> {
  try {
    return fits(await Deno.stat(path), options);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function wanted(path: string, options: WalkOptions): boolean {
  const { exts, match, skip } = options;
  return !(exts && !exts.some((ext) => path.endsWith(ext.startsWith(".") ? ext : `.${ext}`))) &&
    !(match && !match.some((pattern) => pattern.test(path))) &&
    !(skip && skip.some((pattern) => pattern.test(path)));
}

/** Returns `root` and all that is below it, parents first. */
export async function* walk(
  root: string | URL,
  options: WalkOptions = {},
): AsyncIterableIterator<WalkEntry> {
  const {
    maxDepth = Infinity,
    includeFiles = true,
    includeDirs = true,
    includeSymlinks = true,
    exts,
    match,
    skip,
  } = options;
  if (maxDepth < 0) return;
  const directory = root instanceof URL ? decodeURIComponent(root.pathname) : root;
  if (includeDirs && wanted(directory, { exts, match, skip })) {
    yield {
      path: directory,
      name: directory.slice(directory.lastIndexOf("/") + 1),
      isFile: false,
      isDirectory: true,
      isSymlink: false,
    };
  }
  if (maxDepth < 1 || !wanted(directory, { skip })) return;
  for await (const entry of Deno.readDir(directory)) {
    const path = directory === "." ? entry.name : `${directory.replace(/\/$/, "")}/${entry.name}`;
    if (entry.isDirectory) {
      yield* walk(path, { ...options, maxDepth: maxDepth - 1 });
    } else if (entry.isSymlink ? includeSymlinks : includeFiles) {
      if (wanted(path, { exts, match, skip })) yield { path, ...entry };
    }
  }
}
