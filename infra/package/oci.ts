/**
 * An OCI image as an archive, made without Docker: one layer with the server, the client, what of the C
 * library they load, and the certificates of this machine.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { VERSION } from "../../lib/version.ts";
import { run, writeFile } from "./files.ts";

/** OCI's names of the machines that Deno runs on. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" };
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";
/** The user that the server runs as in the image. */
const USER = 10001;
/** The image is the same whenever it is made. */
const EPOCH = "1970-01-01T00:00:00Z";

/** Makes the archive; returns its path. `bin` has the executables, `arch` is Deno's name. */
export async function makeImage(bin: string, out: string, arch: string): Promise<string> {
  const work = await Deno.makeTempDir();
  try {
    const root = `${work}/root`;
    const entrypoint = await fill(root, bin, work);
    const layout = `${work}/layout`;
    const tar = await tarOf(root, `${work}/layer.tar`);
    const layer = await blob(layout, gzipSync(tar), "application/vnd.oci.image.layer.v1.tar+gzip");
    const config = await blob(
      layout,
      JSON.stringify({
        created: EPOCH,
        architecture: ARCHITECTURES[arch],
        os: "linux",
        config: {
          User: `${USER}:${USER}`,
          ExposedPorts: { "11211/tcp": {} },
          Env: [
            "PATH=/usr/bin:/bin",
            "KVS_LISTEN=0.0.0.0",
            // docs/operations.md, "Huge pages".
            "GLIBC_TUNABLES=glibc.malloc.hugetlb=1",
            "LD_BIND_NOW=1",
          ],
          // The disk store's default directory is ./data; a variable would be refused with other stores.
          WorkingDir: "/",
          Entrypoint: entrypoint,
          Volumes: { "/data": {} },
          StopSignal: "SIGTERM",
          Labels: {
            "org.opencontainers.image.title": "kvs",
            "org.opencontainers.image.version": VERSION,
            "org.opencontainers.image.licenses": "MIT",
          },
        },
        rootfs: { type: "layers", diff_ids: [digest(tar)] },
        history: [{ created: EPOCH, created_by: "deno task package" }],
      }),
      "application/vnd.oci.image.config.v1+json",
    );
    const manifest = await blob(
      layout,
      JSON.stringify({
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        config,
        layers: [layer],
      }),
      "application/vnd.oci.image.manifest.v1+json",
    );
    await writeFile(`${layout}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
    const named = { ...manifest, annotations: { "org.opencontainers.image.ref.name": VERSION } };
    await writeFile(
      `${layout}/index.json`,
      JSON.stringify({ schemaVersion: 2, manifests: [named] }),
    );
    const path = `${out}/kvs_${VERSION}_${ARCHITECTURES[arch]}.oci.tar`;
    await Deno.writeFile(path, await tarOf(layout, `${work}/archive.tar`));
    return path;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Fills the root directory of the image; returns how its server is started. */
async function fill(root: string, bin: string, work: string): Promise<string[]> {
  const put = (path: string, content: string | Uint8Array, mode?: number) =>
    writeFile(`${root}/${path}`, content, mode);
  await put("etc/passwd", `kvs:x:${USER}:${USER}::/data:/sbin/nologin\n`);
  await put("etc/group", `kvs:x:${USER}:\n`);
  await put("etc/nsswitch.conf", "hosts: files dns\n");
  await put(CERTIFICATES.slice(1), await Deno.readFile(CERTIFICATES));
  await put("data/.keep", "");
  await put("tmp/.keep", "");
  // The directory is the user's own, and the temporary one everybody's.
  await Deno.chmod(`${root}/data`, 0o777);
  await Deno.chmod(`${root}/tmp`, 0o1777);
  const server = await Deno.readFile(`${bin}/kvs-server`);
  const isScript = server[0] === 0x23;
  let entrypoint = ["/usr/bin/kvs-server"];
  let runtime = `${bin}/kvs-server`;
  if (!isScript) await put("usr/bin/kvs-server", server, 0o755);
  else ({ entrypoint, runtime } = await unpacked(root, bin, work));
  for (const library of await librariesOf(runtime)) {
    await put(library.slice(1), await Deno.readFile(library), 0o755);
  }
  return entrypoint;
}

/** A self-extracting executable needs a shell: in the image it is unpacked already. */
async function unpacked(
  root: string,
  bin: string,
  work: string,
): Promise<{ entrypoint: string[]; runtime: string }> {
  const { success } = await new Deno.Command(`${bin}/kvs-server`, {
    args: ["--version"],
    env: { XDG_CACHE_HOME: `${work}/cache` },
    stdout: "null",
  }).output();
  if (!success) throw new Error("Cannot unpack kvs-server");
  const cache = `${work}/cache/kvs`;
  let runtime = "";
  for await (const { name, isDirectory } of Deno.readDir(cache)) {
    if (name.startsWith("deno-")) {
      runtime = `${cache}/${name}`;
      await writeFile(`${root}/opt/kvs/deno`, await Deno.readFile(runtime), 0o755);
    } else if (isDirectory && name.startsWith("kvs-server-")) {
      for await (const { name: part } of Deno.readDir(`${cache}/${name}`)) {
        await writeFile(`${root}/opt/kvs/${part}`, await Deno.readFile(`${cache}/${name}/${part}`));
      }
    }
  }
  const head = new TextDecoder().decode(
    (await Deno.readFile(`${bin}/kvs-server`)).subarray(0, 8192),
  );
  const [, flags] = /\$runtime" (run [^]*?) "\$directory/.exec(head)!;
  const words = flags!.replaceAll("\\\n", " ").split(/\s+/).filter((word) => word !== "");
  return { entrypoint: ["/opt/kvs/deno", ...words, "/opt/kvs/main.js"], runtime };
}

/** The shared libraries that a program loads, by their paths. */
async function librariesOf(program: string): Promise<string[]> {
  const lines = (await run("ldd", program)).split("\n");
  const loaded = lines.flatMap((line) => /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1] ?? []);
  // The C library loads these by itself to look up names.
  const resolvers = ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"];
  const directory = loaded.find((path) => path.includes("libc.so"))!.replace(/\/[^/]*$/, "");
  for (const name of resolvers) {
    const path = `${directory}/${name}`;
    if (await Deno.stat(path).then(() => true, () => false)) loaded.push(path);
  }
  return [...new Set(loaded)];
}

/** A directory as an archive that is the same whenever it is made. */
async function tarOf(directory: string, path: string): Promise<Uint8Array> {
  await run(
    "tar",
    ...["--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"],
    ...["--format=pax", "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"],
    ...["--file", path, "--directory", directory, "."],
  );
  return await Deno.readFile(path);
}

function digest(content: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

/** Writes a blob; returns what a manifest says of it. */
async function blob(layout: string, content: Uint8Array | string, mediaType: string) {
  const name = digest(content);
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  await writeFile(`${layout}/blobs/${name.replace(":", "/")}`, bytes);
  return { mediaType, digest: name, size: bytes.length };
}
