import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { readBlocks } from "./hcl.ts";
import { Provider } from "./provider.ts";
import { ROOT } from "./scripts.ts";
import { blockOf } from "./terraform/types.ts";

/** Why Terraform's own run is skipped here, if it is. */
function obstacle(): string | undefined {
  if (Deno.env.get("KVS_TEST_PROVIDER") !== "yes") {
    return "KVS_TEST_PROVIDER=yes brings 31 MB for it";
  }
  try {
    new Deno.Command("terraform", { args: ["version"], env: QUIET }).outputSync();
    return undefined;
  } catch {
    return "terraform is not installed";
  }
}

/** What Terraform is told by its environment; the stand-in speaks in clear. */
const QUIET = { CHECKPOINT_DISABLE: "1", TF_IN_AUTOMATION: "1", TF_DISABLE_PLUGIN_TLS: "1" };

/** Releases that `main.tf` takes; the npm packages name the same or older ones. */
const VERSIONS: Record<string, string> = { google: "6.50.0", random: "3.7.2", tls: "4.1.0" };

const PLUGIN = new URL("terraform/plugin.ts", import.meta.url).pathname;

/** A copy of `infra`, with executables, and the real Terraform on stand-ins for its providers. */
class Place implements AsyncDisposable {
  private constructor(readonly directory: string) {}

  static async make(): Promise<Place> {
    const place = new Place(await Deno.makeTempDir({ prefix: "kvs-terraform-" }));
    const { directory } = place;
    await new Deno.Command("cp", { args: ["-r", `${ROOT}infra`, `${directory}/infra`] }).output();
    // What somebody's own terraform has left there.
    for (const name of [".terraform", ".terraform.lock.hcl"]) {
      const left = `${directory}/infra/terraform/${name}`;
      await Deno.remove(left, { recursive: true }).catch(() => {});
    }
    await Deno.mkdir(`${directory}/bin`);
    for (const name of ["kvs-client", "kvs-bench"]) {
      await Deno.writeTextFile(`${directory}/bin/${name}`, name);
    }
    await place.release("first");
    await place.#provide();
    const rules =
      `provider_installation {\n  filesystem_mirror {\n    path = "${directory}/mirror"\n  }\n}\n`;
    await Deno.writeTextFile(`${directory}/terraformrc`, rules);
    assertEquals(await place.terraform("init", "-input=false"), { code: 0, text: "" });
    return place;
  }

  /** Another server is compiled. */
  release(content: string): Promise<void> {
    return Deno.writeTextFile(`${this.directory}/bin/kvs-server`, content);
  }

  /** Puts a stand-in for each provider where Terraform looks, with the schemas of what the files name. */
  async #provide(): Promise<void> {
    await using provider = await Provider.install();
    const schemas = new Map<string, Record<string, unknown>>();
    for (const folder of ["infra/terraform", "infra/terraform/servers"]) {
      for await (const { name } of Deno.readDir(`${ROOT}${folder}`)) {
        if (!name.endsWith(".tf")) continue;
        for (const block of readBlocks(await Deno.readTextFile(`${ROOT}${folder}/${name}`))) {
          if (block.type !== "resource") continue;
          const [type] = block.labels, [owner] = type.split("_");
          const known = schemas.get(owner) ?? {};
          known[type] ??= blockOf(await provider.source(type));
          schemas.set(owner, known);
        }
      }
    }
    const platform = `linux_${Deno.build.arch === "aarch64" ? "arm64" : "amd64"}`;
    for (const [owner, known] of schemas) {
      const version = VERSIONS[owner];
      const path =
        `${this.directory}/mirror/registry.terraform.io/hashicorp/${owner}/${version}/${platform}`;
      await Deno.mkdir(path, { recursive: true });
      const file = `${this.directory}/${owner}.json`;
      await Deno.writeTextFile(file, JSON.stringify(known));
      const command = [Deno.execPath(), "run", "-A", "--no-check", PLUGIN, file, `${this.#log}`];
      await Deno.writeTextFile(
        `${path}/terraform-provider-${owner}_v${version}`,
        `#!/bin/sh\nexec ${command.map((word) => `'${word}'`).join(" ")}\n`,
        { mode: 0o755 },
      );
    }
  }

  get #log(): string {
    return `${this.directory}/log`;
  }

  /** Runs Terraform; what it says is kept where it fails. */
  async terraform(...args: string[]): Promise<{ code: number; text: string }> {
    const { code, stdout, stderr } = await new Deno.Command("terraform", {
      args: [...args, "-no-color"],
      cwd: `${this.directory}/infra/terraform`,
      env: { ...QUIET, TF_CLI_CONFIG_FILE: `${this.directory}/terraformrc` },
    }).output();
    const text = code === 0
      ? ""
      : [stdout, stderr].map((it) => new TextDecoder().decode(it)).join("");
    return { code, text };
  }

  /** Applies the files with such settings, and returns the beginnings and ends of what was changed. */
  async apply(settings: Record<string, string>, fails: string[] = []): Promise<Applied> {
    await Deno.writeTextFile(this.#log, "");
    await Deno.writeTextFile(`${this.#log}.fails`, fails.join("\n"));
    const args = Object.entries({ project: "demo", ...settings }).map(([k, v]) => `-var=${k}=${v}`);
    const state = `-state=${this.directory}/${settings.store}-${settings.redis_kind ?? ""}.tfstate`;
    const outcome = await this.terraform("apply", "-auto-approve", "-input=false", state, ...args);
    const lines = (await Deno.readTextFile(this.#log)).trim().split("\n").filter((line) => line);
    const changes = lines.map((line): Change => JSON.parse(line));
    const plan = ["plan", "-detailed-exitcode", "-input=false", state, ...args];
    return { ...outcome, changes, again: () => this.terraform(...plan) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

interface Change {
  readonly begin?: string;
  readonly end?: string;
  // deno-lint-ignore no-explicit-any
  readonly values?: any;
}

interface Applied {
  readonly code: number;
  readonly text: string;
  readonly changes: readonly Change[];
  /** What Terraform says of another plan: 0 where nothing is to change. */
  again(): Promise<{ code: number; text: string }>;
}

/** What is changed of some types, in its order, as `begin …` and `end …`. */
function order(changes: readonly Change[], ...types: string[]): string[] {
  const words = changes.map(({ begin, end }) => begin ? `begin ${begin}` : `end ${end}`);
  return words.filter((word) => types.includes(word.split(" ")[2].replace("google_", "")));
}

const GROUP = "google_compute_instance_group_manager";

const SETTINGS: Record<string, Record<string, string>> = {
  "the disk store": { store: "disk" },
  "a Redis instance with every setting": {
    store: "redis",
    redis_kind: "instance",
    tls: "true",
    auth_passwords: "[2, 1]",
    observe: "true",
    dashboard: "true",
    nat: "true",
    patching: "true",
    kms_key: "projects/p/locations/r/keyRings/k/cryptoKeys/n",
    maintenance: '{ day = "SUNDAY", hour = 3 }',
    alert_channels: '["projects/p/notificationChannels/1"]',
    uptime_service: "projects/p/locations/r/namespaces/kvs/services/kvs",
    server_count: "7",
    server_zones: '["europe-west1-b", "europe-west1-c", "europe-west1-d"]',
    server_env: '{ KVS_VERBOSE = "1" }',
  },
  "Redis Cluster": { store: "redis", redis_kind: "cluster" },
  "Valkey that asks for nothing, nor do the servers": {
    store: "redis",
    redis_kind: "valkey",
    redis_auth: "none",
    auth: "none",
  },
};

const why = obstacle();

Deno.test({
  name:
    `the real Terraform makes every store of infra/terraform, and replaces its servers one after another${
      why === undefined ? "" : ` (skipped: ${why})`
    }`,
  ignore: why !== undefined,
  async fn(test) {
    await using place = await Place.make();
    /** What the disk store's machine was told first. */
    let deployment = "";

    for (const [what, settings] of Object.entries(SETTINGS)) {
      await test.step(`${what} is made`, async () => {
        const { code, text, changes } = await place.apply(settings);
        assertEquals([code, text], [0, ""]);
        deployment ||= changes.find(({ end }) =>
          end === "create google_compute_instance kvs-server"
        )
          ?.values.metadata["kvs-deployment"];
        const sizes = changes.filter(({ end }) => end?.startsWith(`create ${GROUP}`))
          .map(({ values }) => [values.zone, values.target_size]);
        if (settings.server_count === "7") {
          const alerts = changes.filter(({ end }) =>
            end?.startsWith("create google_monitoring_alert_policy")
          );
          assertEquals(alerts.length, 5);
          assertEquals(sizes, [["europe-west1-b", 3], ["europe-west1-c", 2], [
            "europe-west1-d",
            2,
          ]]);
        }
      });
    }

    await test.step("a setting that is changed gives the machine other orders, which it follows", async () => {
      const { code, text, changes } = await place.apply({ store: "disk", observe: "true" });
      assertEquals([code, text], [0, ""]);
      const updated = changes.filter(({ end }) =>
        end?.startsWith("update google_compute_instance ")
      );
      const orders = updated.map(({ values }) => values.metadata["kvs-deployment"]);
      assertEquals(orders.length, 2);
      assertEquals(orders[0], orders[1]);
      assert(orders[0] !== deployment, `${orders[0]} is the deployment of before`);
    });

    await test.step("copies are switched on: a bucket, a right on it, and a server that is told of it", async () => {
      const { code, text, changes } = await place.apply({
        store: "disk",
        observe: "true",
        copies: "true",
        copy_location: "EU",
        alert_channels: '["projects/p/notificationChannels/1"]',
      });
      assertEquals([code, text], [0, ""]);
      const made = (type: string) =>
        changes.filter(({ end }) => end?.startsWith(`create google_${type}`)).map((it) =>
          it.values
        );
      const [bucket, ...others] = made("storage_bucket ");
      assertEquals([bucket.name, bucket.location, others], ["demo-kvs-copies", "EU", []]);
      const rights = made("storage_bucket_iam_member");
      assertEquals(rights.map(({ bucket, role }) => [bucket, role]), [
        ["demo-kvs-copies", "roles/storage.objectUser"],
      ]);
      assertEquals(made("monitoring_alert_policy").length, 5);
      const server = changes.find(({ end }) => end === "update google_compute_instance kvs-server");
      const { metadata } = server!.values;
      assertStringIncludes(metadata["kvs-options"], "KVS_COPY_TO=gs://demo-kvs-copies/kvs\n");
      assertStringIncludes(metadata["kvs-options"], "KVS_RESTORE_IF_EMPTY=true");
      assertEquals(metadata["kvs-allow"], "");
    });

    const gcs = {
      store: "gcs",
      bucket_location: "EU",
      bucket_placement: '["EUROPE-WEST1", "EUROPE-WEST4"]',
    };
    const zones = ["b", "c"].map((letter) => `${GROUP} kvs-servers-europe-west1-${letter}`);

    await test.step("store gcs is made: two servers in two zones, behind one address", async () => {
      const { code, text, changes } = await place.apply(gcs);
      assertEquals([code, text], [0, ""]);
      const made = (type: string) =>
        changes.filter(({ end }) => end?.startsWith(`create google_${type}`)).map((it) =>
          it.values
        );
      const groups = made("compute_instance_group_manager");
      assertEquals(groups.map(({ target_size }) => target_size), [1, 1]);
      for (const { update_policy: [policy], wait_for_instances_status } of groups) {
        assertEquals([policy.max_surge_fixed, policy.max_unavailable_fixed], [1, 0]);
        assertEquals(wait_for_instances_status, "UPDATED");
      }
      const [{ backend }] = made("compute_region_backend_service");
      assertEquals(
        backend.map(({ group }: { group: string }) => group).sort(),
        groups.map(({ instance_group }) => instance_group).sort(),
      );
    });

    await test.step("a new release reaches a zone when it has reached the one before, and what is older goes last", async () => {
      await place.release("second");
      const { code, text, changes, again } = await place.apply(gcs);
      assertEquals([code, text], [0, ""]);
      const [first, ...rest] = order(changes, "compute_instance_template", GROUP.slice(7));
      assertStringIncludes(first, "begin create google_compute_instance_template");
      assertEquals(
        rest.slice(1, 5),
        zones.flatMap((it) => [`begin update ${it}`, `end update ${it}`]),
      );
      assertStringIncludes(rest[5], "begin delete google_compute_instance_template");
      const all = changes.map(({ begin, end }) => begin ?? end!);
      const gone = all.findIndex((it) => it.startsWith("delete google_storage_bucket_object"));
      assert(gone > all.lastIndexOf(`update ${zones[1]}`), all.join("\n"));
      assertEquals(await again(), { code: 0, text: "" });
    });

    await test.step("a zone whose new servers do not answer is the last that is touched", async () => {
      await place.release("third");
      const failed = await place.apply(gcs, [`update ${zones[0]}`]);
      assertEquals(failed.code, 1);
      assertEquals(order(failed.changes, GROUP.slice(7)), [`begin update ${zones[0]}`]);
      assert(!failed.changes.some(({ begin }) => begin?.startsWith("delete ")));
      const { code, text, changes } = await place.apply(gcs);
      assertEquals([code, text], [0, ""]);
      assertEquals(
        order(changes, GROUP.slice(7)),
        zones.flatMap((it) => [`begin update ${it}`, `end update ${it}`]),
      );
    });
  },
});
