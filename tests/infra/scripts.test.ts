import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Json, PROJECT, TOKEN } from "./cloud.ts";
import { hasGcloud } from "./gcloud.ts";
import { commands, Deployment, dryRun, type Outcome, ROOT } from "./scripts.ts";

const STORES: Record<string, Record<string, string>> = {
  disk: { KVS_STORE: "disk" },
  "disk with copies": { KVS_STORE: "disk", KVS_COPIES: "yes", KVS_COPY_LOCATION: "EU" },
  gcs: { KVS_STORE: "gcs" },
  redis: { KVS_STORE: "redis" },
  "redis cluster": { KVS_STORE: "redis", KVS_REDIS_KIND: "cluster" },
  valkey: { KVS_STORE: "redis", KVS_REDIS_KIND: "valkey" },
};

/** One more deployment that goes all the way: the bucket store with all that is off by default. */
const EVERYTHING = "gcs with every setting";

/** A key of the project's. */
const KEY = `projects/${PROJECT}/locations/europe-west1/keyRings/ring/cryptoKeys/key`;

/** What is not on by default. */
const EVERY_SETTING = {
  KVS_TLS: "yes",
  KVS_NAT: "yes",
  KVS_PATCHING: "yes",
  KVS_DELETION_PROTECTION: "yes",
  KVS_COPIES: "yes",
  KVS_COPY_LOCATION: "EU",
  KVS_KMS_KEY: KEY,
  KVS_BUCKET_LOCATION: "EU",
  KVS_BUCKET_PLACEMENT: "europe-west1,europe-west4",
  KVS_MAINTENANCE: "sunday 3",
  KVS_OBSERVE: "yes",
  KVS_DASHBOARD: "yes",
  KVS_ALERT_CHANNELS: `projects/${PROJECT}/notificationChannels/1`,
  KVS_UPTIME: "yes",
};

const SERVER = `serviceAccount:kvs-server@${PROJECT}.iam.gserviceaccount.com`;
const CLIENT = `serviceAccount:kvs-client@${PROJECT}.iam.gserviceaccount.com`;

/** The account that Google's uptime checks run as. */
const CHECKER = "serviceAccount:service-1@gcp-sa-monitoring-notification.iam.gserviceaccount.com";

/** Who has rights in a project, without the accounts of Google's own. */
function members({ cloud }: Deployment): string[] {
  return [...cloud.policies.values()].flatMap((it) => it.bindings ?? [])
    .flatMap((it: Json) => it.members).filter((member: string) => member !== CHECKER);
}

/** Whether a program is here. */
function has(program: string, asked = "--version"): boolean {
  try {
    return new Deno.Command(program, { args: [asked], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}

const withoutGcloud = !hasGcloud() || !has("openssl", "version");
if (withoutGcloud) {
  console.error("infra/*.sh run against nothing here: they need gcloud and openssl");
}
/**
 * A store takes 300 commands of gcloud's, a minute of CPU: by default one goes all the way, another where
 * KVS_TEST_INFRA names it, and all with `full`. CI takes the others beside the tests, two at a time.
 */
const wanted = Deno.env.get("KVS_TEST_INFRA") ?? "disk";

function succeeded(outcome: Outcome): Outcome {
  assertEquals(outcome.code, 0, outcome.stdout + outcome.stderr);
  return outcome;
}

// --- dry runs ---------------------------------------------------------------------------------------------

for (const [store, settings] of Object.entries(STORES)) {
  Deno.test(`a dry run for ${store} prints every command on a line and calls none`, async () => {
    for (const script of ["create.sh", "deploy.sh", "rotate.sh", "destroy.sh"]) {
      const outcome = succeeded(await dryRun(script, settings));
      assertEquals(outcome.stderr, "");
      for (const line of outcome.stdout.trim().split("\n")) {
        assertMatch(line, /^(gcloud |curl |# |Kept: )/);
      }
      for (const command of commands(outcome)) {
        assertMatch(command, / --project=demo --quiet$/);
        assert(!command.includes("0.0.0.0/0"), command);
      }
    }
  });

  Deno.test(`what a dry run for ${store} creates, a dry run of destroy with the data removes`, async () => {
    const created = commands(succeeded(await dryRun("create.sh", settings)))
      .map((line) =>
        line.match(/^gcloud (.*) (?:create|connect)(?: tcp| snapshot-schedule)? (\S+)/)
      )
      .filter((match) => match !== null);
    const destroyed = commands(succeeded(await dryRun("destroy.sh", settings, "--data")));
    assert(created.length > 10);
    for (const [line, group, name] of created) {
      const gone = destroyed.some((it) =>
        group === "storage buckets"
          ? it.startsWith(`gcloud storage rm --recursive ${name} `)
          : it.startsWith(`gcloud ${group} delete ${name.replace(/^--.*/, "")}`) ||
            it.startsWith(`gcloud ${group} delete ${name}@`)
      );
      assert(gone, `destroy.sh does not remove what this makes: ${line}`);
    }
  });
}

Deno.test("destroy without the data leaves alone what holds items, and Redis its network", async () => {
  for (const [store, settings] of Object.entries(STORES)) {
    const outcome = succeeded(await dryRun("destroy.sh", settings));
    for (const line of commands(outcome)) {
      assert(
        !/disks|resource-policies|snapshots|redis|networks|demo-kvs-data|peerings/.test(line) ||
          / list | remove-iam-policy-binding /.test(line),
        `${store}: ${line}`,
      );
    }
    assertStringIncludes(outcome.stdout, "Kept: disk kvs-data");
  }
});

Deno.test("machines have their own account, no address outside, a measured boot and OS Login", async () => {
  for (const [store, settings] of Object.entries(STORES)) {
    const machines = commands(succeeded(await dryRun("create.sh", settings)))
      .filter((line) => /compute (instances|instance-templates) create/.test(line));
    assertEquals(machines.length, 2, store);
    for (const line of machines) {
      assertMatch(line, /--service-account=kvs-(server|client)@demo\.iam\.gserviceaccount\.com/);
      assertMatch(line, /--network-interface=[^ ]*no-address/);
      assertMatch(line, /--shielded-secure-boot --shielded-vtpm --shielded-integrity-monitoring/);
      assertMatch(line, /enable-oslogin=TRUE\|block-project-ssh-keys=TRUE/);
      // Secret Manager, where the password is, takes no narrower scope.
      assertStringIncludes(line, "auth/cloud-platform");
    }
    const open = commands(succeeded(await dryRun("create.sh", { ...settings, KVS_AUTH: "none" })))
      .filter((line) => /compute (instances|instance-templates) create/.test(line));
    for (const line of open) {
      // That of a Redis instance is there too; Redis's tokens take no narrower scope either.
      assertEquals(
        line.includes("auth/cloud-platform"),
        settings.KVS_STORE === "redis" && !line.includes("kvs-client@"),
      );
    }
  }
});

Deno.test("the servers are closed unless KVS_AUTH=none says otherwise, which is said aloud", async () => {
  for (const [store, settings] of Object.entries(STORES)) {
    const closed = succeeded(await dryRun("create.sh", settings));
    assertMatch(closed.stdout, /^gcloud secrets versions add kvs-users --data-file=- /m, store);
    assertMatch(closed.stdout, /KVS_AUTH_FILE=\/etc\/kvs\/users\\?n?KVS_ENABLE_SASL=true/, store);
    assertEquals(/KVS_ENABLE_SSL|kvs-tls|kvs-ca/.test(closed.stdout), false, store);
    const open = succeeded(await dryRun("create.sh", { ...settings, KVS_AUTH: "none" }));
    assertMatch(open.stdout, /^# KVS_AUTH=none: whoever reaches ADDRESS:11211 /m, store);
    assertEquals(/KVS_AUTH_FILE|kvs-users|unauthenticated/.test(open.stdout), false, store);
    const encrypted = succeeded(await dryRun("create.sh", { ...settings, KVS_TLS: "yes" }));
    assertMatch(encrypted.stdout, /KVS_ENABLE_SSL=true\\?n?KVS_SSL_CHAIN_CERT=/, store);
    assertMatch(encrypted.stdout, /kvs-ca=\/tmp\/kvs-infra\/kvs-ca.pem/, store);
    const grouped = settings.KVS_STORE !== "disk";
    assertEquals(/health-checks create ssl/.test(encrypted.stdout), grouped, store);
    assertEquals(/KVS_IDLE_TIMEOUT=9m/.test(encrypted.stdout), grouped, store);
  }
});

Deno.test("each setting that is off by default becomes the flags and things that it names", async () => {
  const lines = async (settings: Record<string, string>) =>
    commands(succeeded(await dryRun("create.sh", { ...EVERY_SETTING, ...settings })));
  const one = (all: string[], pattern: RegExp) => {
    const found = all.filter((line) => pattern.test(line));
    assertEquals(found.length, 1, `${pattern}: ${found.join("\n")}`);
    return found[0];
  };
  const disk = await lines({ KVS_STORE: "disk" });
  assertStringIncludes(one(disk, /instances create kvs-server /), " --deletion-protection");
  assertStringIncludes(one(disk, /instances create kvs-server /), `--boot-disk-kms-key=${KEY}`);
  assertStringIncludes(one(disk, /disks create /), `--kms-key=${KEY}`);
  one(disk, /compute routers create kvs-nat /);
  one(disk, /compute routers nats create kvs-nat .*--auto-allocate-nat-external-ips/);
  one(disk, /patch-deployments create kvs-weekly /);
  one(disk, /monitoring dashboards create /);
  one(disk, /service-directory endpoints create kvs .*--address=ADDRESS --port=11211/);
  one(disk, /^curl .*monitoring.googleapis.com.v3.projects.demo.uptimeCheckConfigs$/);
  const { KVS_COPIES: _, ...others } = EVERY_SETTING;
  const shut = commands(
    succeeded(await dryRun("create.sh", { ...others, KVS_STORE: "disk" })),
  );
  assertMatch(one(shut, /instances create kvs-server /), /kvs-allow=10.120.0.0.20 35.199.192.0.19/);
  assertEquals(shut.filter((line) => /copies|COPY/.test(line)), []);
  assertEquals(disk.filter((line) => /monitoring policies create /.test(line)).length, 6);
  assertMatch(one(disk, /instances create kvs-server /), /kvs-observe=yes.*enable-osconfig=TRUE/);
  const gcs = await lines({ KVS_STORE: "gcs" });
  assertMatch(
    one(gcs, /buckets create gs:..demo-kvs-data /),
    new RegExp(
      `--location=EU .*--placement=europe-west1,europe-west4 .*--default-encryption-key=${KEY}`,
    ),
  );
  const redis = await lines({ KVS_STORE: "redis" });
  assertMatch(
    one(redis, /redis instances create /),
    /--enable-auth .*--maintenance-window-day=sunday --maintenance-window-hour=3 --customer-managed-key=/,
  );
  const cluster = await lines({ KVS_STORE: "redis", KVS_REDIS_KIND: "cluster" });
  assertMatch(
    one(cluster, /redis clusters create /),
    /^gcloud beta .* --maintenance-window-day=sunday .*--kms-key=/,
  );
  const valkey = await lines({ KVS_STORE: "redis", KVS_REDIS_KIND: "valkey" });
  assertStringIncludes(one(valkey, /memorystore instances create /), `--kms-key=${KEY}`);
});

Deno.test("copies have a bucket without a rule by age, one role on it, and a server that may reach it", async () => {
  const settings = { KVS_STORE: "disk", KVS_COPIES: "yes", KVS_COPY_DAYS: "30" };
  const lines = commands(
    succeeded(await dryRun("create.sh", { ...settings, KVS_COPY_LOCATION: "EUR4" })),
  );
  const bucket = lines.filter((line) => line.includes("gs://demo-kvs-copies "));
  assertEquals(bucket.map((line) => line.split(" ").slice(1, 4).join(" ")), [
    "storage buckets create",
    "storage buckets update",
    "storage buckets add-iam-policy-binding",
  ]);
  const [made, updated, bound] = bucket;
  assertMatch(made, /--location=EUR4 --uniform-bucket-level-access --public-access-prevention/);
  assertMatch(updated, /--lifecycle-file=\S*copies-lifecycle.json/);
  assertMatch(bound, /--member=serviceAccount:kvs-server@.* --role=roles\/storage.objectUser /);
  const { rule } = JSON.parse(await Deno.readTextFile(`${ROOT}infra/copies-lifecycle.json`));
  for (const { action, condition } of rule) {
    // What is live may be years old and needed.
    assertEquals("age" in condition, action.type === "AbortIncompleteMultipartUpload");
  }
  const server = lines.find((line) => /instances create kvs-server /.test(line))!;
  assertMatch(
    server,
    /KVS_COPY_TO=gs:\/\/demo-kvs-copies\/kvs\\nKVS_COPY_RETENTION=30d\\nKVS_RESTORE_IF_EMPTY=true/,
  );
  assertMatch(server, /kvs-allow=\|/);
  for (const [KVS_COPIES, scope] of [["yes", "read_write"], ["no", "read_only"]]) {
    // A password would take a wider one.
    const open = { ...settings, KVS_AUTH: "none", KVS_COPIES: KVS_COPIES! };
    const { stdout } = succeeded(await dryRun("create.sh", open));
    assertMatch(
      stdout,
      new RegExp(`instances create kvs-server .*--scopes=\\S*devstorage.${scope},`),
    );
  }
});

Deno.test("a place of copies that is another deployment's is used, and stays when this one goes", async () => {
  const settings = {
    KVS_STORE: "disk",
    KVS_COPIES: "yes",
    KVS_NAME: "second",
    KVS_COPY_TO: "gs://demo-kvs-copies/kvs",
  };
  const created = succeeded(await dryRun("create.sh", settings)).stdout;
  assertStringIncludes(created, "buckets add-iam-policy-binding gs://demo-kvs-copies ");
  const destroyed = commands(succeeded(await dryRun("destroy.sh", settings, "--data")));
  const lines = destroyed.filter((line) => line.includes("copies"));
  assertEquals(lines.length, 1, lines.join("\n"));
  assertMatch(lines[0], /remove-iam-policy-binding gs:\/\/demo-kvs-copies /);
});

Deno.test("every kind of Redis asks who connects, and says so aloud where it is told not to", async () => {
  const kinds = {
    instance: [/--enable-auth/, /--no-enable-auth/],
    cluster: [/--auth-mode=iam-auth/, /--auth-mode=disabled/],
    valkey: [/--authorization-mode=iam-auth/, /--authorization-mode=auth-disabled/],
  };
  for (const [kind, [required, none]] of Object.entries(kinds)) {
    const settings = { KVS_STORE: "redis", KVS_REDIS_KIND: kind };
    const made = (outcome: Outcome) =>
      commands(outcome).find((line) =>
        /(redis|memorystore) (instances|clusters) create/.test(line)
      )!;
    const usual = succeeded(await dryRun("create.sh", settings));
    assertMatch(made(usual), required);
    const iam = kind !== "instance";
    assertEquals(/KVS_REDIS_AUTH=iam/.test(usual.stdout), iam);
    assertEquals(/dbConnectionUser/.test(usual.stdout), iam);
    assertEquals(/whoever reaches its address/.test(usual.stdout), false);
    const open = succeeded(await dryRun("create.sh", { ...settings, KVS_REDIS_AUTH: "none" }));
    assertMatch(made(open), none);
    assertMatch(open.stdout, /^# KVS_REDIS_AUTH=none: whoever reaches its address/m);
    assertEquals(/kvs-redis-url|KVS_REDIS_AUTH=iam/.test(open.stdout), false);
  }
});

Deno.test("servers behind the load balancer remind it of silent connections before it forgets them", async () => {
  for (const [store, settings] of Object.entries(STORES)) {
    const { stdout } = succeeded(await dryRun("create.sh", settings));
    assertEquals(/kvs-keepalive=300/.test(stdout), settings.KVS_STORE !== "disk", store);
    assertEquals(/kvs-drain=15/.test(stdout), settings.KVS_STORE !== "disk", store);
  }
});

Deno.test("a wrong setting is said in a line, with exit code 64", async () => {
  const wrong: Record<string, string> = {
    KVS_PROJECT: "",
    KVS_STORE: "tape",
    KVS_PORT: "eleven",
    KVS_NAME: "Kvs",
    KVS_ZONE: "us-central1-a",
    KVS_SERVER_ENV: "no equals sign",
    KVS_COPIES: "some",
    KVS_COPY_TO: "/var/copies",
    KVS_COPY_DAYS: "seven",
    KVS_REDIS_KIND: "sentinel",
    KVS_REDIS_AUTH: "optional",
    KVS_AUTH: "optional",
    KVS_AUTH_USER: "a:b",
    KVS_TLS: "true",
    KVS_MAINTENANCE: "sunday 24",
    KVS_KMS_KEY: "key",
    KVS_NAT: "maybe",
    KVS_UPTIME: "no idea",
  };
  for (const [name, value] of Object.entries(wrong)) {
    const { code, stderr } = await dryRun("create.sh", { [name]: value });
    assertEquals(code, 64, name);
    assertStringIncludes(stderr, name);
    assertEquals(stderr.trim().split("\n").length, 1);
  }
});

Deno.test("each failure of gcloud's names its remedy", async () => {
  const cases: [said: string, remedy: string][] = [
    ["You do not currently have an active account selected.", "gcloud auth login"],
    ["Reauthentication failed. cannot prompt", "gcloud auth login"],
    [
      "Secret Manager API has not been used in project 1 before: secretmanager.googleapis.com",
      "gcloud services enable secretmanager.googleapis.com --project=demo",
    ],
    ["Quota 'CPUS' exceeded.  Limit: 8.0 in region europe-west1.", "iam-admin/quotas?project=demo"],
    ["Billing account for project '1' is not found.", "billing/linkedaccount?project=demo"],
    ["ZONE_RESOURCE_POOL_EXHAUSTED", "KVS_ZONE"],
    ["HTTPError 409: The requested bucket name is not available.", "KVS_BIN_BUCKET"],
    ["Constraint constraints/compute.vmExternalIpAccess violated", "policy of your organization"],
    ["PERMISSION_DENIED: caller lacks it", "roles/owner"],
    ["Producer services (e.g. Cloud Memstore) are still using this connection", "run this again"],
  ];
  const script = `source infra/lib.sh; gcloud() { echo somebody@example.com; }; remedy "$1"`;
  for (const [said, remedy] of cases) {
    const { stdout } = await new Deno.Command("bash", {
      args: ["-c", script, "bash", said],
      cwd: ROOT,
      env: { KVS_PROJECT: PROJECT },
    }).output();
    assertStringIncludes(new TextDecoder().decode(stdout), remedy, said);
  }
});

// --- the whole way ------------------------------------------------------------------------------------------

/** The same commands, whatever the names by content, the work directory and where the scripts lie. */
function normalized(outcome: Outcome): string[] {
  return commands(outcome)
    .filter((line) =>
      !/^gcloud (\S+ )+(list|list-configs|describe|get-iam-policy|get-certificate-authority|get-cluster-certificate-authority|get-auth-string|access) /
        .test(line)
    )
    .filter((line) => !/^gcloud compute instance-groups managed list-instances/.test(line))
    .map((line) =>
      line.replaceAll(`${ROOT}infra`, "infra")
        .replaceAll(/\/tmp\/kvs-infra\.\w+/g, "/tmp/kvs-infra")
        .replaceAll(/kvs-deployment=[0-9a-f]{16}|kvs-servers-[0-9a-f]{16}/g, (it) =>
          it.replace(/[0-9a-f]{16}/, "DEPLOYMENT"))
        .replaceAll(/(releases\/|kvs-release=)[0-9a-f]{16}/g, "$1RELEASE")
        .replaceAll("10.120.0.2", "ADDRESS")
        .replaceAll(/(projects\/|service-)1(?=[/@])/g, "$1NUMBER")
        .replaceAll("10.120.0.9:6379", "HOST:6379")
    );
}

function metadata(document: Json): Record<string, string> {
  return Object.fromEntries(document.metadata.items.map((it: Json) => [it.key, it.value]));
}

/** What has been made for a store, seen from Google's side. */
function checkResources({ cloud }: Deployment, store: string): void {
  const project = `projects/${PROJECT}`;
  const region = `${project}/regions/europe-west1`;
  const copied = store === "disk with copies";
  assertEquals(cloud.get(`${project}/global/networks/kvs`).autoCreateSubnetworks, false);
  const subnet = cloud.get(`${region}/subnetworks/kvs`);
  assertEquals(subnet.privateIpGoogleAccess, true);

  const admitted = Object.fromEntries(
    cloud.list(`${project}/global/firewalls`).map((rule) => [
      rule.name,
      `${
        rule.allowed.map((it: Json) => `${it.IPProtocol}:${it.ports}`)
      } from ${rule.sourceRanges} to ${
        rule.targetServiceAccounts.map((it: string) => it.split("@")[0])
      }`,
    ]),
  );
  assertEquals(admitted, {
    "kvs-clients": `tcp:11211 from ${subnet.ipCidrRange} to kvs-server`,
    ...(!store.startsWith("disk") &&
      { "kvs-health": "tcp:11211 from 35.191.0.0/16,130.211.0.0/22 to kvs-server" }),
    "kvs-ssh": "tcp:22 from 35.235.240.0/20 to kvs-server,kvs-client",
    ...(store === EVERYTHING && { "kvs-uptime": "tcp:11211 from 35.199.192.0/19 to kvs-server" }),
  });

  const rightsOf = (account: string) =>
    [...cloud.policies].flatMap(([path, policy]) =>
      policy.bindings.filter((it: Json) => it.members.includes(account)).map((it: Json) =>
        `${it.role} on ${path}`
      )
    ).sort();
  assertEquals(rightsOf(CLIENT), [
    "roles/logging.logWriter on projects/demo",
    "roles/monitoring.metricWriter on projects/demo",
    "roles/secretmanager.secretAccessor on projects/demo/secrets/kvs-users",
    "roles/storage.objectViewer on buckets/demo-kvs-bin",
  ]);
  assertEquals(
    rightsOf(SERVER),
    [
      "roles/logging.logWriter on projects/demo",
      "roles/monitoring.metricWriter on projects/demo",
      ...(store === "redis"
        ? ["roles/secretmanager.secretAccessor on projects/demo/secrets/kvs-redis-url"]
        : []),
      "roles/secretmanager.secretAccessor on projects/demo/secrets/kvs-users",
      ...(store === EVERYTHING
        ? ["roles/secretmanager.secretAccessor on projects/demo/secrets/kvs-tls"]
        : []),
      "roles/storage.objectViewer on buckets/demo-kvs-bin",
      ...(store === "redis cluster" ? ["roles/redis.dbConnectionUser on projects/demo"] : []),
      ...(store === "valkey" ? ["roles/memorystore.dbConnectionUser on projects/demo"] : []),
      ...(store.startsWith("gcs") ? ["roles/storage.objectUser on buckets/demo-kvs-data"] : []),
      ...(copied ? ["roles/storage.objectUser on buckets/demo-kvs-copies"] : []),
    ].sort(),
  );

  for (const bucket of cloud.list("buckets")) {
    assertEquals(bucket.iamConfiguration.publicAccessPrevention, "enforced");
    assertEquals(bucket.iamConfiguration.uniformBucketLevelAccess.enabled, true);
    const dual = store === EVERYTHING && bucket.name === "demo-kvs-data" ||
      bucket.name === "demo-kvs-copies";
    assertEquals(bucket.location.toLowerCase(), dual ? "eu" : "europe-west1");
  }
  if (store.startsWith("gcs")) {
    const bucket = cloud.get("buckets/demo-kvs-data");
    assertEquals(String(bucket.softDeletePolicy.retentionDurationSeconds), "0");
    assertEquals(bucket.versioning.enabled, false);
    assertEquals(bucket.lifecycle.rule[0].condition, { daysSinceCustomTime: 1 });
  }

  if (copied) {
    const bucket = cloud.get("buckets/demo-kvs-copies");
    assertEquals(String(bucket.softDeletePolicy.retentionDurationSeconds), "604800");
    assertEquals(bucket.lifecycle.rule[0].condition, { daysSinceNoncurrentTime: 7 });
  }

  if (store.startsWith("disk")) {
    const vm = cloud.get(`${project}/zones/europe-west1-b/instances/kvs-server`);
    const data = vm.disks.find((it: Json) => it.deviceName === "kvs-data");
    assertEquals(data.autoDelete, false);
    assertEquals(vm.networkInterfaces[0].accessConfigs ?? [], []);
    assertEquals(metadata(vm)["kvs-options"].split("\n"), [
      "KVS_STORE=disk",
      "KVS_LISTEN=0.0.0.0",
      "KVS_PORT=11211",
      "KVS_HTTP=127.0.0.1:9150",
      "KVS_DATA_DIR=/var/lib/kvs/data",
      ...copied
        ? [
          "KVS_COPY_TO=gs://demo-kvs-copies/kvs",
          "KVS_COPY_RETENTION=7d",
          "KVS_RESTORE_IF_EMPTY=true",
        ]
        : [],
      "KVS_AUTH_FILE=/etc/kvs/users",
      "KVS_ENABLE_SASL=true",
    ]);
    // It must reach Google to be copied.
    assertEquals(metadata(vm)["kvs-allow"], copied ? "" : subnet.ipCidrRange);
    // No narrower scope takes in the secret with the users; the account's roles bound it.
    assertEquals(vm.serviceAccounts[0].scopes, ["https://www.googleapis.com/auth/cloud-platform"]);
    assertEquals(vm.networkInterfaces[0].networkIP, cloud.get(`${region}/addresses/kvs`).address);
  } else {
    const { type, tcpHealthCheck, sslHealthCheck } = cloud.get(
      `${project}/global/healthChecks/kvs`,
    );
    assertEquals(type, store === EVERYTHING ? "SSL" : "TCP");
    const { port, request, response } = tcpHealthCheck ?? sslHealthCheck;
    assertEquals([port, request, response], [
      11211,
      "version\n",
      "CLIENT_ERROR unauthenticated",
    ]);
    // The load balancer finds out within the time that a server is out of it; the group waits much longer.
    const [balancer, heal] = ["kvs", "kvs-heal"].map((name) => {
      const { checkIntervalSec, timeoutSec, unhealthyThreshold } = cloud.get(
        `${project}/global/healthChecks/${name}`,
      );
      return unhealthyThreshold * checkIntervalSec + timeoutSec;
    });
    assert(balancer <= 15 && heal >= 120, `${balancer} s and ${heal} s`);
    const group = cloud.get(`${region}/instanceGroupManagers/kvs-servers`);
    assertEquals(group.autoHealingPolicies.length, 1);
    const rule = cloud.get(`${region}/forwardingRules/kvs`);
    assertEquals([rule.loadBalancingScheme, rule.IPProtocol, rule.ports], ["INTERNAL", "TCP", [
      "11211",
    ]]);
  }
  const locations = `${project}/locations/europe-west1`;
  if (store === "redis") {
    const redis = cloud.get(`${locations}/instances/kvs`);
    assertEquals([redis.authEnabled, redis.transitEncryptionMode], [true, "SERVER_AUTHENTICATION"]);
    assertEquals(redis.redisConfigs, { "maxmemory-policy": "noeviction" });
    const version = cloud.list(`${project}/secrets/kvs-redis-url/versions`).at(-1);
    assertEquals(atob(version.payload.data), `rediss://:${cloud.authString}@10.200.0.4:6378`);
  }
  if (store === "redis cluster") {
    const cluster = cloud.get(`${locations}/clusters/kvs`);
    assertEquals(cluster.transitEncryptionMode, "TRANSIT_ENCRYPTION_MODE_SERVER_AUTHENTICATION");
    assertEquals(cluster.redisConfigs, { "maxmemory-policy": "noeviction" });
    assertEquals(cluster.authorizationMode, "AUTH_MODE_IAM_AUTH");
  }
  if (store === "valkey") {
    const valkey = cloud.get(`${locations}/instances/kvs`);
    assertEquals([valkey.authorizationMode, valkey.transitEncryptionMode], [
      "IAM_AUTH",
      "SERVER_AUTHENTICATION",
    ]);
    assertEquals(valkey.engineConfigs, { "maxmemory-policy": "noeviction" });
  }
  if (store === EVERYTHING) {
    assertEquals(cloud.get(`${region}/routers/kvs-nat`).nats.length, 1);
    assertEquals(cloud.list(`${project}/patchDeployments`).length, 1);
    assertEquals(cloud.list(`${project}/dashboards`)[0].displayName, "kvs (kvs)");
    const alerts = cloud.list(`${project}/alertPolicies`);
    assertEquals(alerts.length, 5);
    for (const { displayName, notificationChannels } of alerts) {
      assertMatch(displayName, /^kvs kvs: /);
      assertEquals(notificationChannels, [EVERY_SETTING.KVS_ALERT_CHANNELS]);
    }
    const [check, ...others] = cloud.list(`${project}/uptimeCheckConfigs`);
    assertEquals(others, []);
    assertEquals([check.checkerType, check.tcpCheck.port], ["VPC_CHECKERS", 11211]);
    const { location, namespace_name, service_name } = check.monitoredResource.labels;
    const endpoints = cloud.list(
      `${project}/locations/${location}/namespaces/${namespace_name}/services/${service_name}/endpoints`,
    );
    assertEquals(
      endpoints.map(({ address, port, network }) => [address, Number(port), network]),
      [["10.120.0.2", 11211, "projects/1/locations/global/networks/kvs"]],
    );
    for (const role of ["viewer", "pscAuthorizedService"]) {
      assert(cloud.grants(project, CHECKER, `roles/servicedirectory.${role}`), role);
    }
  }
  assertEquals(cloud.unknown, []);
}

/** What Secret Manager keeps, version by version. */
function kept({ cloud }: Deployment, secret: string): string[] {
  return cloud.list(`projects/${PROJECT}/secrets/${secret}/versions`).map(({ payload }) =>
    atob(payload.data)
  );
}

function servers({ cloud }: Deployment): string[] {
  return [...cloud.states].filter(([path]) => path.includes("kvs-server")).map(([, state]) =>
    state
  );
}

for (
  const [store, settings] of Object.entries({
    ...STORES,
    [EVERYTHING]: { ...EVERY_SETTING, KVS_STORE: "gcs" },
  })
) {
  const name =
    `for ${store}: create, again after a failure, again; deploy, one that fails; status; destroy`;
  const ignore = withoutGcloud || (wanted !== "full" && wanted !== store);
  Deno.test({ name, ignore }, async (test) => {
    await using kvs = await Deployment.start(settings);
    const { cloud } = kvs;
    const said: string[] = [];
    const run = async (script: string, args: string[] = [], input?: string) => {
      const outcome = await kvs.run(script, args, input);
      said.push(outcome.stdout, outcome.stderr);
      return outcome;
    };
    const made: string[] = [];
    const passwords = [cloud.authString];

    await test.step("a step that fails ends create with the remedy", async () => {
      cloud.fail(
        /^POST compute\/.*\/(instances|instanceTemplates)$/,
        403,
        "Quota 'CPUS' exceeded. Limit: 8.0 in region europe-west1.",
        "quotaExceeded",
      );
      const outcome = await run("create.sh");
      assertEquals(outcome.code, 1);
      assertStringIncludes(
        outcome.stderr,
        "Ask for more at https://console.cloud.google.com/iam-admin/quotas",
      );
      assertStringIncludes(outcome.stderr, "run infra/create.sh again");
      made.push(...normalized(outcome).slice(0, -1));
    });

    await test.step("create goes on from there, with the commands that its dry run prints", async () => {
      // What was made a moment ago is not known everywhere immediately.
      cloud.fail(
        /^POST compute\/.*\/instances$/,
        400,
        "Service account kvs-client@demo does not exist.",
      );
      const outcome = succeeded(await run("create.sh"));
      made.push(...normalized(outcome));
      assertEquals(made, normalized(await dryRun("create.sh", settings)));
      assert(servers(kvs).length > 0);
      for (const state of servers(kvs)) assertMatch(state, /^[0-9a-f]{16} ready$/);
      checkResources(kvs, store);
      // What failed and was done again has made no second password.
      const [users, ...others] = kept(kvs, "kvs-users");
      assertEquals(others, []);
      assertMatch(users, /^app:[\w-]{32}\n$/);
    });

    await test.step("a further create changes nothing and says so", async () => {
      const before = cloud.requests.length;
      const outcome = succeeded(await run("create.sh"));
      assertStringIncludes(outcome.stdout, "Nothing to do: everything was there already.");
      assertEquals(kvs.changes(before), []);
      assert(!outcome.stdout.includes("infra/deploy.sh"), outcome.stdout);
    });

    let first = "";
    await test.step("a deployment whose server does not answer is taken back", async () => {
      first = servers(kvs)[0];
      const old = metadata(
        cloud.list(`projects/${PROJECT}/zones/europe-west1-b/instances`)
          .find((it) => it.name.startsWith("kvs-server")),
      )["kvs-release"];
      cloud.answers = (_, orders) => orders["kvs-release"] === old;
      await kvs.build("two");
      const outcome = await run("deploy.sh");
      assertEquals(outcome.code, 1, outcome.stdout + outcome.stderr);
      assertStringIncludes(outcome.stderr, "the server does not answer");
      assertStringIncludes(outcome.stderr, "again.");
      assertEquals(new Set(servers(kvs)), new Set([first]));
    });

    await test.step("a deployment that answers reaches every server, one after another", async () => {
      cloud.answers = () => true;
      succeeded(await run("deploy.sh"));
      const [second, ...others] = new Set(servers(kvs));
      assertEquals(others, []);
      assertMatch(second, /^[0-9a-f]{16} ready$/);
      assert(second !== first);
      checkResources(kvs, store);
    });

    await test.step("a new password is added, reaches every machine, and then stands alone", async () => {
      const [old] = kept(kvs, "kvs-users");
      succeeded(await run("rotate.sh"));
      const both = kept(kvs, "kvs-users").at(-1)!;
      const [added, ...rest] = both.split("\n");
      assertMatch(added, /^app:[\w-]{32}$/);
      assertEquals([added + "\n" === old, rest.join("\n")], [false, old]);
      succeeded(await run("deploy.sh"));
      const machines = cloud.list(`projects/${PROJECT}/zones/europe-west1-b/instances`);
      for (const machine of machines) {
        assertMatch(metadata(machine)["kvs-users-secret"], /kvs-users\/versions\/2$/);
      }
      succeeded(await run("rotate.sh", ["--finish"]));
      assertEquals(kept(kvs, "kvs-users").at(-1), `${added}\n`);
      assertStringIncludes(succeeded(await run("rotate.sh", ["--finish"])).stdout, "one password");
      succeeded(await run("deploy.sh"));
      for (const state of servers(kvs)) assertMatch(state, /ready$/);
      passwords.push(...[old, added].map((line) => line.trim().slice("app:".length)));
    });

    await test.step({
      name: "the certificate is for the address, of an authority that clients keep when it is new",
      ignore: store !== EVERYTHING,
      fn: async () => {
        const read = async (pem: string, ...what: string[]) => {
          const file = await Deno.makeTempFile();
          await Deno.writeTextFile(file, pem);
          const { stdout } = await new Deno.Command("openssl", {
            args: ["x509", "-in", file, "-noout", ...what],
          }).output();
          await Deno.remove(file);
          return new TextDecoder().decode(stdout);
        };
        const [authority] = kept(kvs, "kvs-authority");
        const [first] = kept(kvs, "kvs-tls");
        const ask = ["-ext", "subjectAltName", "-issuer", "-serial"];
        const before = await read(first, ...ask);
        assertStringIncludes(before, "IP Address:10.120.0.2, DNS:kvs");
        assertStringIncludes(
          before,
          "CN = authority of kvs".replace(" = ", before.includes("CN = ") ? " = " : "="),
        );
        succeeded(await run("rotate.sh", ["--certificate"]));
        succeeded(await run("deploy.sh"));
        const after = await read(kept(kvs, "kvs-tls").at(-1)!, ...ask);
        assertEquals(after.replace(/serial=.*/, ""), before.replace(/serial=.*/, ""));
        assert(after !== before, "the certificate is the old one");
        const client = cloud.get(`projects/${PROJECT}/zones/europe-west1-b/instances/kvs-client`);
        assertStringIncludes(authority, metadata(client)["kvs-ca"].trim());
        assertEquals(metadata(client)["kvs-ca"].includes("PRIVATE"), false);
        passwords.push(...authority.match(/PRIVATE KEY-----\n(.{40})/)!.slice(1));
      },
    });

    await test.step({
      name: "a group is not told to close what its health check takes to be open",
      ignore: !store.startsWith("gcs"),
      fn: async () => {
        const before = cloud.requests.length;
        const outcome = await kvs.with({ KVS_AUTH: "none" }).run("deploy.sh");
        assertEquals(outcome.code, 1);
        assertStringIncludes(outcome.stderr, "was not made for KVS_AUTH=none");
        assertEquals(kvs.changes(before), []);
      },
    });

    await test.step({
      name: "a new password of Redis reaches the servers, and the old one is not written again",
      ignore: store !== "redis",
      fn: async () => {
        cloud.authString = "a-newer-auth-string";
        passwords.push(cloud.authString);
        const before = cloud.requests.length;
        const outcome = succeeded(await run("deploy.sh"));
        assertEquals(kvs.changes(before).filter((it) => it.includes(":addVersion")).length, 1);
        for (const state of servers(kvs)) assertMatch(state, /ready$/, outcome.stdout);
        checkResources(kvs, store);
        const again = cloud.requests.length;
        assertStringIncludes(succeeded(await run("deploy.sh")).stdout, "Nothing to do");
        assertEquals(kvs.changes(again), []);
      },
    });

    await test.step({
      name: "a group gets the size that the settings say",
      ignore: settings.KVS_STORE === "disk",
      fn: async () => {
        const size = servers(kvs).length + 1;
        succeeded(await kvs.with({ KVS_SERVER_COUNT: `${size}` }).run("create.sh"));
        assertEquals(servers(kvs).length, size);
      },
    });

    await test.step("status says that all is well", async () => {
      const outcome = succeeded(await run("status.sh"));
      assertStringIncludes(outcome.stdout, "All is well.");
      assertStringIncludes(outcome.stdout, "10.120.0.2:11211");
    });

    await test.step({
      name: "destroy asks, and removes nothing without the answer",
      ignore: store !== "disk",
      fn: async () => {
        const before = cloud.requests.length;
        const outcome = await run("destroy.sh", [], "yes\n");
        assertEquals(outcome.code, 1);
        assertStringIncludes(outcome.stderr, "Nothing was removed.");
        assertEquals(kvs.changes(before), []);
      },
    });

    await test.step("destroy keeps the items", async () => {
      const outcome = succeeded(await run("destroy.sh", [], `${PROJECT}\n`));
      const left = [...cloud.resources.keys()];
      assert(!left.some((path) => /\/instances\/kvs-/.test(path)), left.join());
      const items: Record<string, string> = {
        disk: "projects/demo/zones/europe-west1-b/disks/kvs-data",
        "disk with copies": "buckets/demo-kvs-copies",
        gcs: "buckets/demo-kvs-data",
        redis: "projects/demo/locations/europe-west1/instances/kvs",
        "redis cluster": "projects/demo/locations/europe-west1/clusters/kvs",
        valkey: "projects/demo/locations/europe-west1/instances/kvs",
        [EVERYTHING]: "buckets/demo-kvs-data",
      };
      assert(left.includes(items[store]), left.join());
      assertStringIncludes(outcome.stdout, "Kept: ");
      assertEquals(members(kvs), []);
      assert(left.includes(`projects/${PROJECT}/secrets/kvs-users`), left.join());
    });

    await test.step({
      name: "create finds the items, the password and the authority again",
      ignore: store !== EVERYTHING,
      fn: async () => {
        const secrets = ["kvs-users", "kvs-authority"];
        const before = secrets.map((name) => kept(kvs, name));
        const certificates = kept(kvs, "kvs-tls");
        succeeded(await run("create.sh"));
        for (const state of servers(kvs)) assertMatch(state, /ready$/);
        checkResources(kvs, store);
        assertEquals(secrets.map((name) => kept(kvs, name)), before);
        assertEquals([certificates.length, kept(kvs, "kvs-tls").length], [0, 1]);
      },
    });

    await test.step("destroy with the data leaves nothing", async () => {
      succeeded(await run("destroy.sh", ["--data", "--yes"]));
      assertEquals([...cloud.resources.keys()], []);
      assertEquals(members(kvs), []);
      assertEquals(cloud.unknown, []);
    });

    passwords.push(TOKEN);
    for (const password of passwords) {
      assert(!said.join("").includes(password), "a password or token was printed");
    }
  });
}

Deno.test({
  name: "an API that is not enabled, and missing credentials, are named with their remedy",
  ignore: withoutGcloud,
}, async () => {
  await using kvs = await Deployment.start({});
  kvs.cloud.fail(/serviceusage/, 401, "Request had invalid authentication credentials.");
  const first = await kvs.run("status.sh");
  assertEquals(first.code, 1);
  assertStringIncludes(first.stderr, "Run 'gcloud auth login'");
  kvs.cloud.fail(
    /serviceusage/,
    403,
    "Service Usage API has not been used in project 1 before or it is disabled. serviceusage.googleapis.com",
    "SERVICE_DISABLED",
  );
  const second = await kvs.run("status.sh");
  assertEquals(second.code, 1);
  assertStringIncludes(
    second.stderr,
    "gcloud services enable serviceusage.googleapis.com --project=demo",
  );
});

Deno.test({
  name: "the scripts are clean to shellcheck",
  ignore: !has("shellcheck"),
}, async () => {
  const files = ["infra", "tests/infra"].flatMap((directory) =>
    Array.from(Deno.readDirSync(ROOT + directory), (it) => `${directory}/${it.name}`)
  ).filter((path) => /\.sh$|\/kvs-(ready|drain)$|\.env$/.test(path));
  const { code, stdout } = await new Deno.Command("shellcheck", {
    args: ["-x", ...files],
    cwd: ROOT,
  })
    .output();
  assertEquals(code, 0, new TextDecoder().decode(stdout));
});

Deno.test({
  name: "the units are what systemd takes, and the server's is well shut in",
  ignore: !has("systemd-analyze"),
}, async () => {
  const directory = await Deno.makeTempDir();
  const update = `${directory}/kvs-update.service`;
  const script = await Deno.readTextFile(`${ROOT}infra/startup.sh`);
  const [, text] = script.match(/<<UNIT\n(.*?\n)UNIT\n/s)!;
  await Deno.writeTextFile(update, text.replace("$PROGRAMS", "/opt/kvs"));
  const units = ["infra/kvs-server.service", update];
  const verified = await new Deno.Command("systemd-analyze", {
    args: ["verify", "--man=no", ...units],
    cwd: ROOT,
  }).output();
  await Deno.remove(directory, { recursive: true });
  const complaints = new TextDecoder().decode(verified.stderr).split("\n")
    // the programs are where the startup script will put them
    .filter((line) => line.includes("kvs-") && !line.includes("/opt/kvs/"));
  assertEquals(complaints, []);
  const { code, stdout } = await new Deno.Command("systemd-analyze", {
    args: ["security", "--offline=true", "--threshold=20", units[0]],
    cwd: ROOT,
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stdout));
});

Deno.test({
  name: "the Terraform files are formatted as terraform fmt has it",
  ignore: !has("terraform"),
}, async () => {
  const { code, stdout } = await new Deno.Command("terraform", {
    args: ["fmt", "-check", "-recursive", "infra/terraform"],
    cwd: ROOT,
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stdout));
});
