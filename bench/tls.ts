/**
 * What TLS costs a server: CPU time an operation without it, with it, and with clients' certificates, kvs
 * and memcached in turn on the same machine. Needs `openssl`, and memcached built with TLS, as Debian's is.
 *
 *     deno task bench-tls [--rounds 5] [--seconds 2s] …
 *
 * @module
 */

import type { ClientTls } from "../lib/net/tls/client.ts";
import { Lines } from "../lib/load/lines.ts";
import { runLoad } from "../lib/load/load.ts";
import { Records } from "../lib/load/records.ts";
import { parseSizes } from "../lib/load/distribution.ts";
import { makeCertificate, signCertificate } from "../tests/certificates.ts";
import { loadOptions, runBench } from "./front.ts";
import { median } from "./measure.ts";
import { cpuSeconds, kvsScript, type Server, startServer } from "./processes.ts";
import { textOf } from "./tables.ts";

const CONNECTIONS = 50;
const PIPELINES = [1, 16];
const WAYS = ["plain", "TLS", "mutual TLS"] as const;
type Way = typeof WAYS[number];

/** What one server took one way. */
interface Row {
  readonly server: string;
  readonly way: Way;
  readonly pipeline: number;
  /** CPU time of the server an operation, in microseconds: the median over the rounds. */
  readonly cpuMicroseconds: number;
  /** The load of the machine beside, as the system has it. */
  readonly load: number;
}

await runBench({
  manual: {
    usage: "deno task bench-tls [options]",
    about: "Measures what TLS costs kvs and memcached: CPU time an operation, 90 % gets.",
  },
  options: loadOptions,
  programs: { memcached: ["memcached", "-V"] },
  measure: measureAll,
  text,
});

async function measureAll(
  { rounds, seconds, keys, valueSize }: {
    rounds: number;
    seconds: number;
    keys: number;
    valueSize: number;
  },
): Promise<Row[]> {
  const directory = await Deno.makeTempDir();
  await using servers = new AsyncDisposableStack();
  try {
    await Deno.chmod(directory, 0o755);
    await makeCertificate(directory, "subjectAltName=DNS:localhost");
    await signCertificate(directory, "ca", "app", "subjectAltName=DNS:app.example");
    // memcached reads them as another user.
    for (const { name } of Deno.readDirSync(directory)) {
      await Deno.chmod(`${directory}/${name}`, 0o644);
    }
    const read = (name: string) => Deno.readTextFileSync(`${directory}/${name}`);
    const tls: Record<Way, ClientTls | undefined> = {
      plain: undefined,
      TLS: { ca: read("ca.crt") },
      "mutual TLS": { ca: read("ca.crt"), cert: read("app.crt"), key: read("app.key") },
    };
    const running: { name: string; way: Way; server: Server }[] = [];
    for (const way of WAYS) {
      for (const [name, command] of Object.entries(commandsOf(way, directory))) {
        running.push({ name, way, server: servers.use(await startServer(command)) });
      }
    }
    const records = new Records(1, parseSizes("16")!, parseSizes(String(valueSize))!);
    const lines = Lines.make(keys, (out, index) => records.writeKey(out, index));
    const rows: Row[] = [];
    for (const pipeline of PIPELINES) {
      const found = running.map((): number[] => []);
      for (let round = 0; round < rounds; round++) {
        for (const [i, { way, server }] of running.entries()) {
          // From when all are connected: a handshake is no operation.
          let begun: { readonly cpu: number; readonly requests: number } | undefined;
          const plan = {
            threads: 1,
            servers: [`localhost:${server.port}`],
            ...tls[way] && { tls: tls[way] },
            timeout: 30_000,
            clients: CONNECTIONS,
            pipeline,
            requests: Infinity,
            duration: seconds,
            getRatio: 0.9,
            keys: lines.shared,
            keyDistribution: "uniform",
            valueSizes: String(valueSize),
            seed: round,
          } as const;
          const { tally } = await runLoad(plan, {
            advance: ({ requests }) => begun ??= { cpu: cpuSeconds(server.pid), requests },
          });
          if (begun === undefined) throw new Error(`${seconds} ms are too short`);
          const cpu = cpuSeconds(server.pid) - begun.cpu;
          found[i]!.push(cpu / (tally.requests - begun.requests) * 1e6);
        }
      }
      const [load] = Deno.loadavg();
      rows.push(...running.map(({ name, way }, i) => ({
        server: name,
        way,
        pipeline,
        cpuMicroseconds: median(found[i]!),
        load: load!,
      })));
    }
    return rows;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** How the servers are started. */
function commandsOf(
  way: Way,
  directory: string,
): Record<string, (port: number) => [string, ...string[]]> {
  const verify = way === "mutual TLS" ? ["-o", "ssl_verify_mode=2"] : [];
  const files = ["-o", `ssl_chain_cert=${directory}/server.crt`].concat(
    ["-o", `ssl_key=${directory}/server.key`, "-o", `ssl_ca_cert=${directory}/ca.crt`],
  );
  const tls = way === "plain" ? [] : ["-Z", ...files, ...verify];
  const user = Deno.uid() === 0 ? ["-u", "nobody"] : [];
  return {
    kvs: (port) => kvsScript(port, "--store", "memory", ...tls),
    memcached: (
      port,
    ) => ["memcached", "-t", "1", "-U", "0", "-l", "127.0.0.1", "-p", `${port}`, ...user, ...tls],
  };
}

function text(rows: readonly Row[]): string {
  const loads = rows.map(({ load }) => load.toFixed(1));
  return `CPU time of the server an operation, microseconds; ${CONNECTIONS} connections, 90 % gets; load ${
    Math.min(...loads.map(Number))
  } to ${Math.max(...loads.map(Number))}\n\n` + textOf(
    [
      ["pipeline", "server", ...WAYS],
      ...PIPELINES.flatMap((pipeline) =>
        ["kvs", "memcached"].map((server) => [
          String(pipeline),
          server,
          ...WAYS.map((way) =>
            rows.find((row) =>
              row.pipeline === pipeline && row.server === server && row.way === way
            )!
              .cpuMicroseconds.toFixed(1)
          ),
        ])
      ),
    ],
  );
}
