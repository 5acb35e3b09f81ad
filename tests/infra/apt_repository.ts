/**
 * A signed repository of Debian packages on this machine, behind the name of another host: apt comes to it through a
 * proxy, over TLS and with its own checks.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { openssl } from "../certificates.ts";
import { TunnelProxy } from "../tunnel_proxy.ts";

async function run(program: string, args: string[], env: Record<string, string> = {}) {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, env }).output();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

const sha256 = (content: Uint8Array | string) => createHash("sha256").update(content).digest("hex");

/** A key that signs, in a keyring of its own. */
class SigningKey implements AsyncDisposable {
  private constructor(readonly home: string) {}

  static async make(): Promise<SigningKey> {
    const key = new SigningKey(await Deno.makeTempDir({ prefix: "kvs-gpg-" }));
    await key.gpg("--passphrase", "", "--quick-gen-key", "somebody@example.com", "rsa2048", "sign");
    return key;
  }

  gpg(...args: string[]): Promise<string> {
    return run("gpg", ["--homedir", this.home, "--batch", "--quiet", ...args]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("gpgconf", ["--homedir", this.home, "--kill", "all"]);
    await Deno.remove(this.home, { recursive: true });
  }
}

/** A package of these files; its control fields say nothing that is not needed. */
async function makePackage(name: string, files: Record<string, string>): Promise<Uint8Array> {
  const directory = await Deno.makeTempDir();
  try {
    const root = `${directory}/root`;
    await Deno.mkdir(`${root}/DEBIAN`, { recursive: true });
    await Deno.chmod(root, 0o755);
    await Deno.writeTextFile(
      `${root}/DEBIAN/control`,
      `Package: ${name}\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@example.com>\nDescription: a package\n`,
    );
    for (const [path, content] of Object.entries(files)) {
      const file = `${root}/${path}`;
      await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(file, content);
      await Deno.chmod(file, content.startsWith("#!") ? 0o755 : 0o644);
    }
    await run("dpkg-deb", ["--root-owner-group", "--build", root, `${directory}/package.deb`]);
    return await Deno.readFile(`${directory}/package.deb`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

export class AptRepository implements AsyncDisposable {
  /** Whether the key that it hands out is the one that it signs with. */
  honest = true;
  readonly #files = new Map<string, Uint8Array | string>();
  readonly #resources = new AsyncDisposableStack();
  #proxy!: TunnelProxy;

  private constructor(readonly directory: string) {}

  /** Starts a repository at `https://host/apt` with one package in one suite. */
  static async start(
    host: string,
    suite: string,
    name: string,
    files: Record<string, string>,
  ): Promise<AptRepository> {
    const repository = new AptRepository(await Deno.makeTempDir({ prefix: "kvs-apt-" }));
    const { directory } = repository;
    await repository.#sign(suite, name, await makePackage(name, files));
    await openssl(
      directory,
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-keyout", "key.pem", "-out", "certificate.pem", "-days", "2", "-subj", `/CN=${host}`],
      ...["-addext", `subjectAltName=DNS:${host}`],
    );
    const server = Deno.serve({
      port: 0,
      hostname: "127.0.0.1",
      cert: await Deno.readTextFile(`${directory}/certificate.pem`),
      key: await Deno.readTextFile(`${directory}/key.pem`),
      onListen() {},
    }, (request) => repository.answer(new URL(request.url).pathname));
    repository.#resources.defer(() => server.shutdown());
    repository.#proxy = repository.#resources.use(new TunnelProxy(() => server.addr.port));
    return repository;
  }

  get certificate(): string {
    return `${this.directory}/certificate.pem`;
  }

  /** What apt needs to come here; `certificate` is where it finds that. */
  configuration(certificate: string): string {
    return `Acquire::https::Proxy "${this.#proxy.url}";
Acquire::https::CAInfo "${certificate}";
`;
  }

  answer(path: string): Response {
    const key = path.endsWith("/apt-key.gpg") && !this.honest ? "/other-key.gpg" : path;
    const content = this.#files.get(key.replace(/^\/apt\//, "/").replace("/doc/", "/"));
    return content === undefined
      ? new Response(null, { status: 404 })
      : new Response(content as BodyInit);
  }

  async #sign(suite: string, name: string, deb: Uint8Array): Promise<void> {
    const packages = `Package: ${name}
Version: 1
Architecture: all
Maintainer: nobody <n@example.com>
Filename: pool/${name}.deb
Size: ${deb.length}
SHA256: ${sha256(deb)}
Description: a package
`;
    const architecture = (await run("dpkg", ["--print-architecture"])).trim();
    const place = `main/binary-${architecture}/Packages`;
    const release = `Suite: ${suite}
Codename: ${suite}
Date: ${new Date().toUTCString().replace("GMT", "UTC")}
Architectures: ${architecture}
Components: main
SHA256:
 ${sha256(packages)} ${packages.length} ${place}
`;
    await using key = await SigningKey.make();
    await using other = await SigningKey.make();
    await Deno.writeTextFile(`${this.directory}/Release`, release);
    this.#files.set(`/pool/${name}.deb`, deb);
    this.#files.set(`/dists/${suite}/${place}`, packages);
    this.#files.set(
      `/dists/${suite}/InRelease`,
      await key.gpg("--output", "-", "--clearsign", `${this.directory}/Release`),
    );
    this.#files.set("/apt-key.gpg", await key.gpg("--armor", "--export"));
    this.#files.set("/other-key.gpg", await other.gpg("--armor", "--export"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
    await Deno.remove(this.directory, { recursive: true });
  }
}
