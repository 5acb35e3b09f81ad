/**
 * Packages and sources out of Debian's archive that this machine's own suite does not have.
 *
 * They come from the archive that this machine's apt uses, by an apt that keeps its lists and its downloads in a
 * directory of its own: nothing of the machine's apt is changed, and nobody needs to be root. apt checks Debian's
 * signature. What came is unpacked in the user's cache.
 */

import { ensureDir } from "@std/fs";

/** What to get. */
export interface Wanted {
  /** A binary package, or the upstream tarball of a source package. */
  readonly kind: "package" | "source";
  readonly name: string;
  /** Debian's suite: `sid`, `trixie`. */
  readonly suite: string;
}

/** The key that Debian's archives are signed with, where Debian puts it. */
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Where it lies unpacked, if it has come. */
export function placeOf({ kind, name, suite }: Wanted): string {
  const home = Deno.env.get("HOME");
  const cache = Deno.env.get("XDG_CACHE_HOME") || (home ? `${home}/.cache` : "/tmp");
  return `${cache}/kvs/debian/${kind}-${name}-${suite}`;
}

/**
 * Gets and unpacks what is not there yet.
 *
 * @throws {Error} what apt says where no archive has it.
 */
export async function get(wanted: readonly Wanted[], log: (line: string) => void): Promise<void> {
  const missing = wanted.filter((each) => !exists(placeOf(each)));
  for (const suite of new Set(missing.map((each) => each.suite))) {
    const ofSuite = missing.filter((each) => each.suite === suite);
    log(`getting ${ofSuite.map(({ name }) => name).join(", ")} from Debian's suite ${suite}`);
    await getFrom(suite, ofSuite);
  }
}

async function getFrom(suite: string, wanted: readonly Wanted[]): Promise<void> {
  const failures: string[] = [];
  for (const archive of await archives()) {
    const scratch = await Deno.makeTempDir({ prefix: "kvs-apt-" });
    try {
      const types = new Set(wanted.map(({ kind }) => kind === "source" ? "deb-src" : "deb"));
      const apt = await aptOf(archive, suite, types, scratch);
      for (const each of wanted) {
        const arriving = `${scratch}/${each.kind}-${each.name}`;
        await ensureDir(arriving);
        await download(apt, each, arriving);
        await unpack(each, arriving);
      }
      return;
    } catch (error) {
      failures.push((error as Error).message);
    } finally {
      await Deno.remove(scratch, { recursive: true });
    }
  }
  if (failures.length === 0) failures.push("this machine's apt knows no Debian archive");
  throw new Error(`Cannot get them from suite ${suite}: ${failures.join("; ")}`);
}

/** The roots of the Debian archives that this machine's apt knows, without what only has security updates. */
export async function archives(): Promise<string[]> {
  const format = "$(IDENTIFIER)|$(COMPONENT)|$(LABEL)|$(REPO_URI)";
  const lines = await output("apt-get", ["indextargets", "--format", format]);
  return archivesAmong(lines.split("\n"));
}

/** The same, out of apt's lines. A field that apt does not know yet stands there as `$(LABEL)`. */
export function archivesAmong(lines: readonly string[]): string[] {
  const found = lines.flatMap((line) => {
    const [identifier, component, label, root] = line.split("|");
    const debian = label === "Debian" || label === "$(LABEL)" || label === "";
    return identifier === "Packages" && component === "main" && debian ? [root!] : [];
  });
  return [...new Set(found)];
}

/** Runs apt-get with these arguments in a directory, and returns its standard output. */
export type Apt = (args: readonly string[], directory: string) => Promise<string>;

/** An apt of its own, in the directory `scratch`, that knows one suite of one archive. */
export async function aptOf(
  archive: string,
  suite: string,
  types: Iterable<"deb" | "deb-src">,
  scratch: string,
): Promise<Apt> {
  const signed = exists(KEYRING) ? ` [signed-by=${KEYRING}]` : "";
  const sources = Array.from(types, (type) => `${type}${signed} ${archive} ${suite} main\n`);
  await Deno.writeTextFile(`${scratch}/sources`, sources.join(""));
  for (const name of ["lists/partial", "cache/archives/partial"]) {
    await ensureDir(`${scratch}/${name}`);
  }
  const settings = [
    `Dir::Etc::sourcelist "${scratch}/sources";`,
    'Dir::Etc::sourceparts "-";',
    `Dir::State "${scratch}";`,
    `Dir::State::lists "${scratch}/lists";`,
    'Dir::State::status "/dev/null";',
    `Dir::Cache "${scratch}/cache";`,
    // Without a user of its own apt can write here whoever runs it.
    'APT::Sandbox::User "";',
    'Acquire::Languages "none";',
    // What an image does to the machine's apt after an update is none of this one's business.
    "#clear APT::Update::Pre-Invoke;",
    "#clear APT::Update::Post-Invoke;",
    "#clear APT::Update::Post-Invoke-Success;",
  ];
  await Deno.writeTextFile(`${scratch}/apt.conf`, settings.join("\n") + "\n");
  const apt: Apt = (args, directory) =>
    output("apt-get", ["-q", "-c", `${scratch}/apt.conf`, ...args], directory);
  await apt(["update"], scratch);
  return apt;
}

async function download(apt: Apt, { kind, name }: Wanted, directory: string): Promise<void> {
  if (kind === "package") await apt(["download", name], directory);
  else await apt(["source", "--download-only", name], directory);
}

/** Unpacks what has come to where it belongs: whole, or not at all. */
async function unpack(wanted: Wanted, arrived: string): Promise<void> {
  const suffix = wanted.kind === "package" ? /\.deb$/ : /\.orig\.tar\.\w+$/;
  const file = Array.from(Deno.readDirSync(arrived), ({ name }) => name)
    .find((name) => suffix.test(name));
  if (file === undefined) throw new Error(`nothing has come of ${wanted.name}`);
  const place = placeOf(wanted);
  const part = `${place}.${Deno.pid}.part`;
  await ensureDir(part);
  try {
    if (wanted.kind === "package") await output("dpkg-deb", ["-x", `${arrived}/${file}`, part]);
    else {
      await output("tar", ["xf", `${arrived}/${file}`, "-C", part, "--strip-components=1"]);
    }
    await Deno.rename(part, place);
  } catch (error) {
    await Deno.remove(part, { recursive: true });
    if (!exists(place)) throw error;
  }
}

/** Runs a program to its end and returns its standard output. */
async function output(program: string, args: readonly string[], cwd?: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    env: { LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
    cwd,
  }).output();
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  const said = decoder.decode(stderr).trim().split("\n");
  throw new Error(said.findLast((line) => line.startsWith("E: ")) ?? `${program}: ${said.at(-1)}`);
}

/** Whether there is something at a path. */
export function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
