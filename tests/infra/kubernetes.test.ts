/** The example for Kubernetes is held to the types of its API: no field is misspelt or of a wrong type. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { parseAllDocuments } from "yaml";
import { serverOptions } from "../../lib/server/options.ts";
import { environmentName } from "../../lib/cli/parse.ts";

const root = new URL("../../", import.meta.url).pathname;

/** The kinds of Kubernetes, and the module of their types. */
const KINDS: Readonly<Record<string, string>> = {
  "v1/Service": "core/v1",
  "apps/v1/StatefulSet": "apps/v1",
};

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
}

const text = await Deno.readTextFile(`${root}infra/kubernetes/kvs.yaml`);
const manifests = parseAllDocuments(text).map((document) => document.toJS() as Manifest);

/** A module that compiles where manifests are what Kubernetes takes. */
function moduleOf(manifests: readonly Manifest[]): string {
  return manifests.map((manifest, index) => {
    const { apiVersion, kind } = manifest;
    return `import type { ${kind} as Kind${index} } from "kubernetes-types/${
      KINDS[`${apiVersion}/${kind}`]
    }.d.ts";
export const manifest${index}: Kind${index} = ${JSON.stringify(manifest)};
`;
  }).join("");
}

/** What the compiler finds in manifests; nothing where they are right. */
async function faultsOf(manifests: readonly Manifest[]): Promise<string> {
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(path, moduleOf(manifests));
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--quiet", "--frozen", "--config", `${root}deno.json`, path],
    env: { NO_COLOR: "1" },
  }).output();
  await Deno.remove(path);
  return success ? "" : new TextDecoder().decode(stderr);
}

Deno.test("the example for Kubernetes has the fields that its API has", async () => {
  const misspelt = JSON.parse(JSON.stringify(manifests).replace('"replicas"', '"replcas"'));
  const [none, one] = await Promise.all([faultsOf(manifests), faultsOf(misspelt)]);
  assertEquals(none, "");
  assertStringIncludes(one, `'"replcas"' does not exist in type 'StatefulSetSpec'`);
});

Deno.test("the example for Kubernetes sets variables of the server, on its port, where a volume is", () => {
  // deno-lint-ignore no-explicit-any -- the test above holds it to its type
  const [service, { spec }] = manifests as any[];
  const [container] = spec.template.spec.containers;
  const known = Object.values(serverOptions).map(environmentName);
  const names = container.env.map(({ name }: { name: string }) => name);
  assertEquals(names.filter((name: string) => !known.includes(name)), []);
  assertEquals(service.spec.ports[0].port, serverOptions.port.default);
  assertEquals(container.ports[0].containerPort, serverOptions.port.default);
  const directory = container.env.find(({ name }: { name: string }) => name === "KVS_DATA_DIR");
  const [claim] = spec.volumeClaimTemplates;
  const mount = container.volumeMounts.find(({ name }: { name: string }) =>
    name === claim.metadata.name
  );
  assertStringIncludes(directory.value, `${mount.mountPath}/`);
});

Deno.test("the example for Kubernetes lets in who logs in, by a secret that others cannot read", () => {
  // deno-lint-ignore no-explicit-any -- the test above holds it to its type
  const { spec } = (manifests[1] as any).spec.template;
  const [container] = spec.containers;
  const file = container.env.find(({ name }: { name: string }) => name === "KVS_AUTH_FILE").value;
  const { secret } = spec.volumes.find(({ name }: { name: string }) => name === "users");
  const mount = container.volumeMounts.find(({ name }: { name: string }) => name === "users");
  assertEquals([file, secret.defaultMode & 0o007], [`${mount.mountPath}/users`, 0]);
});
