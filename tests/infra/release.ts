/** Releases whose server is not ours to test, and the orders of a machine that gets one. */

import { SANDBOX_DENO } from "./sandbox.ts";
import { ROOT } from "./scripts.ts";

/** What a server that is not ours to test here does: tells systemd, and answers `version` with its label. */
export function serverProgram(label: string): string {
  const script = `
    const port = Number(Deno.env.get("KVS_PORT"));
    const listener = Deno.listen({ port, hostname: "127.0.0.1" });
    const transport = "unixpacket", systemd = Deno.env.get("NOTIFY_SOCKET");
    if (systemd) {
      const socket = Deno.listenDatagram({ transport, path: Deno.makeTempDirSync() + "/from" });
      await socket.send(new TextEncoder().encode("READY=1"), { transport, path: systemd });
    }
    for await (const conn of listener) {
      conn.read(new Uint8Array(512)).then(() =>
        conn.write(new TextEncoder().encode("VERSION ${label}\\r\\n"))
      ).then(() => conn.close()).catch(() => {});
    }`;
  return `#!/bin/sh\nDENO_DIR=/tmp/deno exec ${SANDBOX_DENO} eval --unstable-net --no-lock '${script}'\n`;
}

export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The files of a release whose server says `label`, with their sums. */
export async function releaseFiles(server: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {
    "kvs-server": server,
    "kvs-client": "#!/bin/sh\necho client\n",
    "kvs-bench": "#!/bin/sh\necho bench\n",
  };
  for (const name of ["kvs-ready", "kvs-drain", "kvs-server.service", "ops-agent.yaml"]) {
    files[name] = await Deno.readTextFile(`${ROOT}infra/${name}`);
  }
  let sums = "";
  for (const [name, content] of Object.entries(files)) {
    sums += `${await sha256(content)}  ${name}\n`;
  }
  return { ...files, SHA256SUMS: sums };
}

/** What the metadata of a new server's VM say, but for its options. */
export function firstOrders(release: string): Record<string, string> {
  return {
    "kvs-role": "server",
    "kvs-deployment": "d1",
    "kvs-release": release,
    "kvs-bin-bucket": "demo-kvs-bin",
  };
}

export async function ask(port: number): Promise<string> {
  using conn = await Deno.connect({ port, hostname: "127.0.0.1" });
  await conn.write(new TextEncoder().encode("version\r\n"));
  const buffer = new Uint8Array(100);
  return new TextDecoder().decode(buffer.subarray(0, await conn.read(buffer) ?? 0)).trim();
}
