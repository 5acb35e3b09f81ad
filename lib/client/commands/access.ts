/**
 * How a client program logs in and encrypts: the options, and what they come to.
 *
 * @module
 */

import { promptSecret } from "@std/cli";
import { flag, text } from "../../cli/option.ts";
import type { Values } from "../../cli/parse.ts";
import { Exit, ExitError, messageOf } from "../../errors.ts";
import type { ConnectionOptions } from "../connection.ts";

/** For every program that is a client. */
export const accessOptions = {
  user: text({
    flags: "--user",
    value: "NAME",
    help: "who logs in; the password is KVS_PASSWORD's, the file's or asked for",
  }),
  passwordFile: text({
    flags: "--password-file",
    value: "FILE",
    help: "the password of --user is the first line of this file",
  }),
  tls: flag({ flags: "--tls", help: "encrypt connections; the server's certificate is checked" }),
  ca: text({
    flags: "--ca",
    value: "FILE",
    help: "with TLS, authorities (PEM) to trust beside the machine's",
  }),
  cert: text({ flags: "--cert", value: "FILE", help: "with TLS, show this certificate (PEM)" }),
  key: text({ flags: "--key", value: "FILE", help: "the key (PEM) of --cert" }),
  tlsServerName: text({
    flags: "--tls-server-name",
    value: "NAME",
    help: "with TLS, the name that the server's certificate must have, instead of the host",
  }),
};

/**
 * What the options come to, with a password from the environment, a file or a person.
 *
 * @param logsIn whether a password is of any use
 */
export function accessOf(
  options: Values<typeof accessOptions>,
  logsIn = true,
): Pick<ConnectionOptions, "credentials" | "tls"> {
  return { ...(logsIn ? credentialsOf(options) : {}), ...tlsOf(options) };
}

function credentialsOf(
  { user, passwordFile }: Values<typeof accessOptions>,
): Pick<ConnectionOptions, "credentials"> {
  if (user === undefined) {
    if (passwordFile !== undefined) throw usage("--password-file needs --user NAME");
    return {};
  }
  const password = passwordFile !== undefined
    ? readText(passwordFile, "--password-file").split(/\r?\n/, 1)[0]!
    : Deno.env.get("KVS_PASSWORD") ?? promptSecret(`Password of ${user}: `);
  if (password === null) {
    throw usage("--user needs a password: set KVS_PASSWORD, or give --password-file FILE");
  }
  return { credentials: { user, password } };
}

function tlsOf(
  { tls, ca, cert, key, tlsServerName }: Values<typeof accessOptions>,
): Pick<ConnectionOptions, "tls"> {
  if (!tls) {
    if (
      ca === undefined && cert === undefined && key === undefined && tlsServerName === undefined
    ) {
      return {};
    }
    throw usage("--ca, --cert, --key and --tls-server-name are valid only with --tls");
  }
  if ((cert === undefined) !== (key === undefined)) throw usage("--cert and --key go together");
  return {
    tls: {
      ca: ca && readPem(ca, "--ca", "CERTIFICATE"),
      cert: cert && readPem(cert, "--cert", "CERTIFICATE"),
      key: key && readPem(key, "--key", "PRIVATE KEY"),
      serverName: tlsServerName,
    },
  };
}

/** A file that must hold something of a kind: Deno takes one that holds nothing without a word. */
function readPem(path: string, flag: string, kind: "CERTIFICATE" | "PRIVATE KEY"): string {
  const text = readText(path, flag);
  if (new RegExp(`-----BEGIN [A-Z ]*${kind}-----`).test(text)) return text;
  throw usage(`${flag}: '${path}' has no ${kind.toLowerCase()} (PEM)`);
}

function readText(path: string, flag: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw usage(`${flag}: cannot read '${path}': ${messageOf(error)}`);
  }
}

function usage(message: string): ExitError {
  return new ExitError(message, Exit.usage);
}
