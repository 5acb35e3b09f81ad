/**
 * Google credentials that the emulator takes.
 *
 * @module
 */

import { Place } from "./open.ts";

/** The rights that a server needs. */
export const allRights = ["get", "create", "delete", "list"].map((right) =>
  `storage.objects.${right}`
);

/** An account of the emulator's, in the environment for the time of a test. */
export class Account implements Disposable {
  static readonly address = "kvs@project.iam.gserviceaccount.com";
  readonly #directory = Deno.makeTempDirSync();

  constructor(place: Place, address = Account.address) {
    const [file, token] = ["credentials.json", "token"].map((name) => `${this.#directory}/${name}`);
    Deno.writeTextFileSync(token, address);
    const credentials = Account.credentials(place.emulator.endpoint, token);
    Deno.writeTextFileSync(file, JSON.stringify(credentials));
    Deno.env.set("GOOGLE_APPLICATION_CREDENTIALS", file);
  }

  /** What a file of credentials has for an emulator: the account's address is in the file `token`. */
  static credentials(endpoint: string, token: string) {
    return {
      type: "external_account",
      audience:
        "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/p",
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      token_url: `${endpoint}/token`,
      credential_source: { file: token },
    };
  }

  [Symbol.dispose](): void {
    Deno.env.delete("GOOGLE_APPLICATION_CREDENTIALS");
    Deno.removeSync(this.#directory, { recursive: true });
  }
}

/** The credentials library keeps connections of its own. */
export function testCredentials(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

/** An emulator that takes this account alone. */
export function guarded(rights: readonly string[], lifetime = 3600): Promise<Place> {
  return Place.open({ auth: { lifetime, accounts: { [Account.address]: rights } } });
}
