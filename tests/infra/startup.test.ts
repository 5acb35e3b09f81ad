import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { freePort } from "../ports.ts";
import { Machine } from "./machine.ts";
import { ask, firstOrders, releaseFiles, serverProgram, sha256 } from "./release.ts";
import { obstacle, Sandbox, systemdObstacle } from "./sandbox.ts";
import { ROOT } from "./scripts.ts";

const why = obstacle();
if (why) console.error(`infra/startup.sh is not tried out here: it ${why}`);

const whyNotSystemd = await systemdObstacle();
if (whyNotSystemd && !why) {
  console.error(`infra/kvs-server.service is not run here: it ${whyNotSystemd}`);
}

/** A plain Debian machine, its source directory, and the startup script. */
class PlainDebian implements AsyncDisposable {
  readonly port = freePort();
  readonly source: string;

  constructor(readonly sandbox: Sandbox) {
    this.source = `${sandbox.shared}/source`;
  }

  async put(files: Record<string, string>): Promise<void> {
    await Deno.mkdir(this.source, { recursive: true });
    for (const [name, content] of Object.entries(files)) {
      await Deno.writeTextFile(`${this.source}/${name}`, content);
    }
  }

  async putRelease(server: string): Promise<void> {
    await this.put(await releaseFiles(server));
  }

  async startup() {
    await Deno.copyFile(`${ROOT}infra/startup.sh`, `${this.sandbox.shared}/startup.sh`);
    return await this.sandbox.run(`${this.sandbox.shared}/startup.sh`, { KVS_SOURCE: this.source });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sandbox[Symbol.asyncDispose]();
  }
}

async function plainDebian(options = ""): Promise<PlainDebian> {
  const machine = new PlainDebian(await Sandbox.start());
  await machine.putRelease(serverProgram("one"));
  await machine.put({ "kvs-options": `KVS_STORE=memory\nKVS_PORT=${machine.port}\n${options}` });
  return machine;
}

function test(name: string, body: () => Promise<void>): void {
  Deno.test({ name, ignore: why !== undefined, fn: body });
}

test("the startup script makes a plain Debian machine a server that answers", async () => {
  await using machine = await plainDebian();
  const first = await machine.startup();
  assertEquals(first.code, 0, first.text);
  assertEquals(await ask(machine.port), "VERSION one");
  const { text } = await machine.sandbox.run(
    "ps -o user= -p $(cat /run/kvs-server.service.pid); stat -c '%a %U' /etc/kvs/kvs-server.env; kvs-client",
  );
  assertEquals(text.trim().split("\n"), ["kvs", "600 root", "client"]);

  const pid = await machine.sandbox.run("cat /run/kvs-server.service.pid");
  const second = await machine.startup();
  assertEquals(second.code, 0, second.text);
  assertStringIncludes(second.text, "nothing to change");
  assertEquals(await machine.sandbox.run("cat /run/kvs-server.service.pid"), pid);
});

test("changed options restart the server with them", async () => {
  await using machine = await plainDebian();
  assertEquals((await machine.startup()).code, 0);
  const port = freePort();
  await machine.put({ "kvs-options": `KVS_STORE=memory\nKVS_PORT=${port}\n` });
  const { code, text } = await machine.startup();
  assertEquals(code, 0, text);
  assertEquals(await ask(port), "VERSION one");
});

test("a release whose server does not answer makes room for the one before", async () => {
  await using machine = await plainDebian();
  assertEquals((await machine.startup()).code, 0);
  await machine.putRelease("#!/bin/sh\nexit 70\n");
  const { code, text } = await machine.startup();
  assertEquals(code, 1, text);
  assertStringIncludes(text, "runs again");
  assertEquals(await ask(machine.port), "VERSION one");
});

test("a file that is not what its sum says is not installed", async () => {
  await using machine = await plainDebian();
  assertEquals((await machine.startup()).code, 0);
  await machine.put({ "kvs-server": serverProgram("tampered") });
  const { code, text } = await machine.startup();
  assertEquals(code, 1, text);
  assertStringIncludes(text, "is not what its sum says");
  assertEquals(await ask(machine.port), "VERSION one");
});

test("the networks that may reach the server are those of the orders, and all again without them", async () => {
  await using machine = await plainDebian();
  const file = "/etc/systemd/system/kvs-server.service.d/addresses.conf";
  await machine.put({ "kvs-allow": "10.120.0.0/20 fd00::/8" });
  assertEquals((await machine.startup()).code, 0);
  assertEquals(
    (await machine.sandbox.run(`cat ${file}`)).text,
    "[Service]\nIPAddressDeny=any\nIPAddressAllow=localhost 10.120.0.0/20 fd00::/8\n",
  );
  assertStringIncludes((await machine.startup()).text, "nothing to change");
  await machine.put({ "kvs-allow": "10.120.0.0/20\nExecStart=/bin/sh" });
  const { code, text } = await machine.startup();
  assertEquals(code, 1, text);
  assertStringIncludes(text, "kvs-allow takes networks such as");
  await machine.put({ "kvs-allow": "" });
  assertEquals((await machine.startup()).code, 0);
  assertStringIncludes((await machine.sandbox.run(`cat ${file}`)).text, "No such file");
  assertEquals(await ask(machine.port), "VERSION one");
});

test("options that are no options stop the script before it changes the server", async () => {
  await using machine = await plainDebian();
  assertEquals((await machine.startup()).code, 0);
  await machine.put({ "kvs-options": "KVS_STORE=memory\nrm -rf /\n" });
  const { code, text } = await machine.startup();
  assertEquals(code, 1, text);
  assertStringIncludes(text, "kvs-options takes lines NAME=VALUE");
  assertEquals(await ask(machine.port), "VERSION one");
});

test("a VM takes its release from the bucket, its options from metadata, its password from Secret Manager", async () => {
  await using sandbox = await Sandbox.start();
  const files = await releaseFiles(serverProgram("from-bucket"));
  const release = (await sha256(files.SHA256SUMS)).slice(0, 16);
  const port = freePort();
  await using google = await Machine.start(sandbox, {
    attributes: {
      ...firstOrders(release),
      "kvs-options": `KVS_STORE=redis\nKVS_PORT=${port}`,
      "kvs-redis-secret": "projects/demo/secrets/kvs-redis-url/versions/1",
      "kvs-redis-ca": "-----BEGIN CERTIFICATE-----\nZGVtbw==\n-----END CERTIFICATE-----",
      "startup-script": await Deno.readTextFile(`${ROOT}infra/startup.sh`),
    },
    release: { name: release, files },
    secrets: {
      "projects/demo/secrets/kvs-redis-url/versions/1": "rediss://:open-sesame@10.200.0.4:6378",
      "projects/demo/secrets/kvs-redis-url/versions/2": "rediss://:rotated@10.200.0.4:6378",
    },
  });
  // The account's role is a minute old.
  google.refusals = 2;
  const { code, text } = await google.startup();
  assertEquals(code, 0, text);
  assertEquals(await ask(port), "VERSION from-bucket");
  assertEquals(google.state, "d1 ready");

  const environment = (await sandbox.run("cat /etc/kvs/kvs-server.env")).text;
  assertStringIncludes(environment, "KVS_REDIS_URL=rediss://:open-sesame@10.200.0.4:6378\n");
  assertStringIncludes(environment, "KVS_REDIS_CA=/etc/kvs/redis-ca.pem\n");
  const { text: commands } = await sandbox.run("cat /run/curl.log /run/systemctl.log");
  for (const secret of ["open-sesame", google.token]) {
    assert(!text.includes(secret), "a secret is in the log");
    assert(!commands.includes(secret), "a secret is on a command line");
  }
  assertEquals(
    (await sandbox.run("grep -rl open-sesame /etc /opt/kvs /tmp /run /var/lib/kvs")).text.trim(),
    "/etc/kvs/kvs-server.env",
  );

  google.change({
    "kvs-deployment": "d2",
    "kvs-redis-secret": "projects/demo/secrets/kvs-redis-url/versions/2",
  });
  await google.reaches("d2 ready");
  assertStringIncludes(
    (await sandbox.run("cat /etc/kvs/kvs-server.env")).text,
    "KVS_REDIS_URL=rediss://:rotated@10.200.0.4:6378\n",
  );

  // The bucket's content is held to the metadata's word.
  google.release.files = await releaseFiles(serverProgram("somebody's"));
  await sandbox.run("rm -r /opt/kvs/releases");
  const tampered = await google.startup();
  assertEquals(tampered.code, 1, tampered.text);
  assertEquals(
    google.state,
    `d2 failed: the sums of release ${release} are not what its name says`,
  );
});

test("a VM whose new disk is restored from copies says so, and is waited for", async () => {
  await using sandbox = await Sandbox.start();
  // It restores until it is told that it has everything.
  const restoring = serverProgram("restored").replace(
    "#!/bin/sh\n",
    `#!/bin/sh
[ "$KVS_RESTORE_IF_EMPTY" = true ] || exit 64
touch /var/lib/kvs/data/RESTORING
until [ -e /run/shared/restored ]; do sleep 0.1; done
rm /var/lib/kvs/data/RESTORING
`,
  );
  const files = await releaseFiles(restoring);
  const release = (await sha256(files.SHA256SUMS)).slice(0, 16);
  const port = freePort();
  await using google = await Machine.start(sandbox, {
    attributes: {
      ...firstOrders(release),
      "kvs-options": `KVS_STORE=disk\nKVS_PORT=${port}\nKVS_RESTORE_IF_EMPTY=true`,
      "kvs-allow": "",
      "startup-script": await Deno.readTextFile(`${ROOT}infra/startup.sh`),
    },
    release: { name: release, files },
  });
  // Where the server looks for it, which runs as a user of its own.
  await sandbox.run("mkdir -p -m 0755 /run/shared");
  const starting = google.startup();
  await google.reaches("d1 restoring its items from the copies");
  await sandbox.run("touch /run/shared/restored");
  const { code, text } = await starting;
  assertEquals(code, 0, text);
  assertEquals(google.state, "d1 ready");
  assertEquals(await ask(port), "VERSION restored");
});

test("a change of the metadata brings the VM up to date, and says so", async () => {
  await using sandbox = await Sandbox.start();
  const release = async (label: string) => {
    const files = await releaseFiles(serverProgram(label));
    return { name: (await sha256(files.SHA256SUMS)).slice(0, 16), files };
  };
  const one = await release("one");
  const port = freePort();
  await using google = await Machine.start(sandbox, {
    attributes: {
      ...firstOrders(one.name),
      "kvs-options": `KVS_STORE=memory\nKVS_PORT=${port}`,
      "startup-script": await Deno.readTextFile(`${ROOT}infra/startup.sh`),
    },
    release: one,
  });
  const { code, text } = await google.startup();
  assertEquals(code, 0, text);
  assertEquals(await ask(port), "VERSION one");
  const two = google.release = await release("two");
  google.change({ "kvs-deployment": "d2", "kvs-release": two.name });
  await google.reaches("d2 ready");
  assertEquals(await ask(port), "VERSION two");

  const three = google.release = await release("three");
  google.change({ "kvs-deployment": "d3", "kvs-release": three.name });
  assertEquals((await google.startup()).code, 0);
  assertEquals(await ask(port), "VERSION three");
  const { text: left } = await sandbox.run("ls -A /opt/kvs/releases");
  assertEquals(left.trim().split("\n"), [two.name, three.name].sort());
});

test("a server behind the load balancer leaves it before it stops, and is back when it answers", async () => {
  await using sandbox = await Sandbox.start();
  const port = freePort();
  /** Its kvs-drain notes the server of the moment; the real one has a test of its own. */
  const release = async (label: string) => {
    const files = await releaseFiles(serverProgram(label));
    const noting = `#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/${port}
printf 'version\\r\\n' >&3
read -r -t 5 line <&3
echo "$* $line" | tr -d '\\r' >>/run/drain.log
`;
    const old = await sha256(files["kvs-drain"]);
    files["kvs-drain"] = noting;
    files.SHA256SUMS = files.SHA256SUMS.replace(old, await sha256(noting));
    return { name: (await sha256(files.SHA256SUMS)).slice(0, 16), files };
  };
  const one = await release("one");
  await using google = await Machine.start(sandbox, {
    attributes: {
      ...firstOrders(one.name),
      "kvs-options": `KVS_STORE=memory\nKVS_PORT=${port}`,
      "kvs-drain": "15",
      "startup-script": await Deno.readTextFile(`${ROOT}infra/startup.sh`),
    },
    release: one,
  });
  const log = async () => (await sandbox.run("cat /run/drain.log; : >/run/drain.log")).text;
  assertEquals((await google.startup()).code, 0);
  // The first time there is nothing that could leave.
  assertEquals(await log(), "in VERSION one\n");
  const two = google.release = await release("two");
  google.change({ "kvs-deployment": "d2", "kvs-release": two.name });
  await google.reaches("d2 ready");
  assertEquals((await google.startup()).code, 0);
  assertEquals(await log(), "out 15 VERSION one\nin VERSION two\n");
});

test("a VM whose first orders could not be carried out takes the next", async () => {
  await using sandbox = await Sandbox.start();
  const files = await releaseFiles(serverProgram("late"));
  const release = (await sha256(files.SHA256SUMS)).slice(0, 16);
  const port = freePort();
  await using google = await Machine.start(sandbox, {
    attributes: {
      ...firstOrders(release),
      "kvs-options": `KVS_STORE=memory\nnonsense\n`,
      "startup-script": await Deno.readTextFile(`${ROOT}infra/startup.sh`),
    },
    release: { name: release, files },
  });
  assertEquals((await google.startup()).code, 1);
  assertEquals(google.state, "d1 failed: kvs-options takes lines NAME=VALUE, nothing else");
  google.change({
    "kvs-deployment": "d2",
    "kvs-options": `KVS_STORE=memory\nKVS_PORT=${port}`,
  });
  await google.reaches("d2 ready");
  assertEquals(await ask(port), "VERSION late");
});

test("the client's machine gets the client, the load generator and the servers' address, and no server", async () => {
  await using machine = await plainDebian();
  await machine.put({ "kvs-role": "client", "kvs-servers": "10.120.0.2:11211" });
  const { code, text } = await machine.startup();
  assertEquals(code, 0, text);
  const seen = await machine.sandbox.run(
    ". /etc/profile.d/kvs.sh; kvs-client; kvs-bench; echo $KVS_SERVERS; ls /etc/systemd/system/kvs-server.service",
  );
  assertStringIncludes(seen.text, "client\nbench\n10.120.0.2:11211\n");
  assertStringIncludes(seen.text, "No such file");
});

test("an empty data disk is formatted once, and what is on it then stays", async () => {
  await using machine = await plainDebian();
  const { sandbox } = machine;
  const prepared = await sandbox.run(
    "mkdir -p /dev/disk/by-id && truncate -s 64M /run/disk.img && losetup --find --show /run/disk.img",
  );
  assertEquals(prepared.code, 0, prepared.text);
  const device = prepared.text.trim();
  try {
    await sandbox.run(`ln -s ${device} /dev/disk/by-id/google-kvs-data`);
    await Deno.writeTextFile(`${machine.source}/kvs-disk`, "kvs-data");
    const first = await machine.startup();
    assertEquals(first.code, 0, first.text);
    assertStringIncludes(first.text, "formatting");
    await sandbox.run("echo kept > /var/lib/kvs/data/item; umount /var/lib/kvs");
    const second = await machine.startup();
    assertEquals(second.code, 0, second.text);
    assert(!second.text.includes("formatting"), second.text);
    assertEquals((await sandbox.run("cat /var/lib/kvs/data/item")).text, "kept\n");
    assertEquals((await sandbox.run("grep -c /var/lib/kvs /etc/fstab")).text, "1\n");
  } finally {
    await sandbox.run(
      `systemctl stop kvs-server.service; umount /var/lib/kvs; losetup --detach ${device}`,
    );
  }
});

Deno.test({
  name:
    "under systemd the server answers from inside its unit's walls, and comes back after a kill",
  ignore: whyNotSystemd !== undefined,
}, async () => {
  await using machine = new PlainDebian(await Sandbox.start("systemd"));
  const { sandbox } = machine;
  await machine.putRelease(serverProgram("shut in"));
  await machine.put({
    "kvs-options": `KVS_STORE=memory\nKVS_PORT=${machine.port}\n`,
    "kvs-allow": "10.120.0.0/20",
  });
  const { code, text } = await machine.startup();
  assertEquals(code, 0, text + (await sandbox.run("systemctl status kvs-server")).text);
  assertEquals(await ask(machine.port), "VERSION shut in");
  const facts = await sandbox.run(
    "pid=$(systemctl show -P MainPID kvs-server); ps -o user= -p $pid; grep -E '^(NoNewPrivs|Seccomp):' /proc/$pid/status; " +
      "for it in Allow Deny; do systemctl show -P IPAddress$it kvs-server | xargs -n 1 | LC_ALL=C sort | xargs; done; " +
      "for it in WatchdogUSec OOMScoreAdjust; do systemctl show -P $it kvs-server; done; " +
      "stat -c '%a %U' /var/lib/kvs/data; kill -9 $pid; " +
      "until [[ $(systemctl show -P MainPID kvs-server) != @(0|$pid) ]] && systemctl is-active --quiet kvs-server; do sleep 0.1; done",
  );
  assertEquals(facts.text.replaceAll("\t", " ").trim().split("\n"), [
    "kvs",
    "NoNewPrivs: 1",
    "Seccomp: 2",
    // who may reach the server, the watchdog, and its place among those that end for want of memory
    "10.120.0.0/20 127.0.0.0/8 ::1/128",
    "0.0.0.0/0 ::/0",
    "10min",
    "0",
    "700 kvs",
  ]);
  assertEquals(await ask(machine.port), "VERSION shut in");
});
