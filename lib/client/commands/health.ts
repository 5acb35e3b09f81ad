/**
 * `health`: whether a server takes writes, for load balancers and containers.
 *
 * @module
 */

import { print, shown } from "../../cli/terminal.ts";
import { Exit, ExitError, messageOf } from "../../errors.ts";
import type { ConnectionOptions } from "../connection.ts";
import type { Command } from "./command.ts";

/** Where `--http` is in the deployments of `infra/`. */
const USUAL = "127.0.0.1:9150";
/** Milliseconds that an answer may take. */
const PATIENCE = 5000;
/** Bytes of an answer that are shown. */
const MOST = 2000;

/** Asks `/readyz`; the exit code is 0 for ready, 1 for not ready, and 69 where nobody answers. */
export const health: Command = {
  takes: "[[https://]HOST:PORT]",
  arguments: [0, 1],
  options: [],
  asksNobody: true,
  help: `ask at --http (${USUAL}) whether a server takes writes; exit code 1 if it does not`,
  details: "Over https:// the server's certificate is checked, as --tls and --ca say.",
  examples: [
    "kvs-client health 10.0.0.5:9150",
    "kvs-client --tls --ca ca.pem health https://cache.example:9150",
  ],
  async run({ args, client, options, signal }) {
    const address = args[0] ?? USUAL;
    const url = URL.parse(`${/^https?:\/\//.test(address) ? "" : "http://"}${address}/readyz`);
    if (url === null || url.host === "" || url.pathname !== "/readyz") {
      throw new ExitError(`health takes HOST:PORT, received '${address}'`, Exit.usage);
    }
    let ready: boolean;
    let text: string;
    try {
      using http = httpClient(client.connection);
      const response = await fetch(url, {
        signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]),
        redirect: "error",
        client: http,
      });
      ready = response.status === 200;
      text = (await response.text()).trim().slice(0, MOST);
    } catch (error) {
      signal.throwIfAborted();
      throw new ExitError(
        `${address} does not answer: ${reasonOf(error)}; a kvs-server does with --http ${url.host}`,
        Exit.unavailable,
      );
    }
    await print(options.json ? `${JSON.stringify({ ready, text })}\n` : `${shown(text)}\n`);
    return ready ? Exit.ok : Exit.no;
  },
};

/** What asks over HTTPS, with the authorities and the certificate that the options name. */
function httpClient({ tls: { ca, cert, key } = {} }: ConnectionOptions): Deno.HttpClient {
  return Deno.createHttpClient({
    ...ca !== undefined && { caCerts: [ca] },
    ...cert !== undefined && key !== undefined && { cert, key },
  });
}

/** What an error was made of: `fetch` says no more than that it has failed. */
function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error ? rootOf(error.cause) : error;
}

/** Why a request failed, without what Deno's `fetch` says before it: the address stands there already. */
function reasonOf(error: unknown): string {
  return messageOf(rootOf(error)).replace(
    /^error sending request .*?\): (client error \(\w+\): )?(tcp connect error: )?/,
    "",
  );
}
