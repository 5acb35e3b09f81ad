/**
 * Which service is meant: Google's, or one that an option or the environment names.
 *
 * @module
 */

import { Exit, ExitError } from "../../errors.ts";

/** Where the service is reached. */
export interface Endpoint {
  /** Such as `https://storage.googleapis.com`. */
  readonly address: string;
  /** Whether requests are authorized. */
  readonly takesCredentials: boolean;
}

/** Whether a bucket can have this name. */
export function isBucketName(name: string): boolean {
  return /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(name);
}

/**
 * The address that `--gcs-endpoint` names; without it that of the environment's
 * `STORAGE_EMULATOR_HOST`, which takes no credentials, else Google's own.
 *
 * @throws {ExitError} where it is no address.
 */
export function endpointOf(option: string | undefined): Endpoint {
  const endpoint = option ?? emulatorAddress(Deno.env.get("STORAGE_EMULATOR_HOST") || undefined);
  if (endpoint !== undefined && !/^https?:\/\/[^/]+\/*$/.test(endpoint)) {
    throw new ExitError(
      `${
        option === undefined ? "STORAGE_EMULATOR_HOST" : "--gcs-endpoint"
      } takes an address such as http://127.0.0.1:4443, not '${endpoint}'`,
      Exit.usage,
    );
  }
  return {
    address: (endpoint ?? "https://storage.googleapis.com").replace(/\/+$/, ""),
    takesCredentials: needsCredentials(endpoint),
  };
}

/** The address in `STORAGE_EMULATOR_HOST`, which Google's clients take with and without `http://`. */
function emulatorAddress(host: string | undefined): string | undefined {
  return host === undefined || /^https?:\/\//.test(host) ? host : `http://${host}`;
}

/**
 * Google's own address takes credentials, and so does any other over TLS. In clear they are sent only
 * where somebody says which: an emulator on this machine need not have them.
 */
function needsCredentials(endpoint: string | undefined): boolean {
  return endpoint === undefined || endpoint.startsWith("https:") ||
    Deno.env.has("GOOGLE_APPLICATION_CREDENTIALS");
}
