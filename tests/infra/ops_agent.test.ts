import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { AptRepository } from "./apt_repository.ts";
import { freePort } from "../ports.ts";
import { Machine } from "./machine.ts";
import { ask, firstOrders, releaseFiles, serverProgram, sha256 } from "./release.ts";
import { Sandbox, systemdObstacle } from "./sandbox.ts";
import { ROOT } from "./scripts.ts";

const why = await systemdObstacle();
if (why) console.error(`the Ops Agent's installation is not tried out here: it ${why}`);

/** An agent that shows the configuration that it was started with. */
const AGENT = {
  "opt/google-cloud-ops-agent/agent":
    "#!/bin/sh\ncp /etc/google-cloud-ops-agent/config.yaml /run/agent.seen && exec sleep infinity\n",
  "lib/systemd/system/google-cloud-ops-agent.service":
    "[Service]\nType=exec\nExecStart=/opt/google-cloud-ops-agent/agent\n",
};

Deno.test({
  name:
    "the Ops Agent is installed from Google's packages if their key signed them, and asks kvs where it serves its figures, as a user of this machine",
  ignore: why !== undefined,
}, async () => {
  await using sandbox = await Sandbox.start("systemd");
  const codename = (await sandbox.run(". /etc/os-release; echo $VERSION_CODENAME")).text.trim();
  await using packages = await AptRepository.start(
    "packages.cloud.google.com",
    `google-cloud-ops-agent-${codename}-all`,
    "google-cloud-ops-agent",
    AGENT,
  );
  const files = await releaseFiles(serverProgram("watched"));
  const release = (await sha256(files.SHA256SUMS)).slice(0, 16);
  const port = freePort();
  await using google = await Machine.start(sandbox, {
    attributes: {
      ...firstOrders(release),
      "kvs-options": `KVS_STORE=memory\nKVS_PORT=${port}\nKVS_HTTP=127.0.0.1:9150\nKVS_HTTP=9333`,
      "kvs-observe": "yes",
      "kvs-users-secret": "projects/demo/secrets/kvs-users/versions/1",
      "startup-script": await Deno.readTextFile(`${ROOT}infra/startup.sh`),
    },
    release: { name: release, files },
    packages,
    secrets: { "projects/demo/secrets/kvs-users/versions/1": "app:open-sesame" },
  });
  const certificate = "/etc/ssl/packages.pem";
  await Deno.copyFile(packages.certificate, `${sandbox.shared}/certificate`);
  await Deno.writeTextFile(`${sandbox.shared}/apt.conf`, packages.configuration(certificate));
  await sandbox.run(
    `install -m 0644 ${sandbox.shared}/certificate ${certificate}; install -m 0644 ${sandbox.shared}/apt.conf /etc/apt/apt.conf.d/99test`,
  );

  packages.honest = false;
  const refused = await google.startup();
  assertEquals(refused.code, 0, refused.text);
  assertStringIncludes(refused.text, "is not signed");
  assertStringIncludes(refused.text, "cannot install Google's Ops Agent");
  assertEquals(google.state, "d1 ready");
  assertEquals(await ask(port), "VERSION watched");

  packages.honest = true;
  const { code, text } = await google.startup();
  assertEquals([code, text.includes("cannot install")], [0, false], text);
  const seen = await sandbox.run(
    "until [ -e /run/agent.seen ]; do sleep 0.1; done; grep -E 'targets|basic_auth' /run/agent.seen; systemctl is-active google-cloud-ops-agent",
  );
  const [app, agent] = (await sandbox.run("cat /etc/kvs/users")).text.trim().split("\n");
  assertEquals(app, "app:open-sesame");
  assertMatch(agent, /^ops-agent:[\w-]{32}$/);
  assertEquals(seen.text.trim().split(/\n\s*/), [
    `basic_auth: {username: ops-agent, password: "${agent.slice("ops-agent:".length)}"}`,
    '- targets: ["127.0.0.1:9333"]',
    "active",
  ], text);
});
