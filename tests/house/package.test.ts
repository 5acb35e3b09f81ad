import { assert, assertEquals, assertMatch } from "@std/assert";
import { makeDeb, manPages } from "../../infra/package/deb.ts";
import { run } from "../../infra/package/files.ts";
import { makeImage } from "../../infra/package/oci.ts";
import { VERSION } from "../../lib/version.ts";
import { missing } from "../client/run_client.ts";
import { obstacle, Sandbox, systemdObstacle } from "../infra/sandbox.ts";
import { freePort } from "../ports.ts";

/** A directory with built programs; removed at the end. */
let scratch = "";
/** The Debian package of them, where there is a dpkg-deb. */
let deb = "";

const noDpkg = await missing("dpkg-deb");

Deno.test.beforeAll(async () => {
  scratch = await Deno.makeTempDir();
  await run("deno", "task", "--quiet", "compile", "--stand-ins", "--out", `${scratch}/bin`);
  if (!noDpkg) deb = await makeDeb(`${scratch}/bin`, scratch, Deno.build.arch);
});

Deno.test.afterAll(() => Deno.remove(scratch, { recursive: true }));

Deno.test({
  name: "the Debian package has the programs, their pages and completions, a unit and a conffile",
  ignore: noDpkg,
  fn: async () => {
    assertMatch(await run("dpkg-deb", "--field", deb, "Package", "Version"), new RegExp(VERSION));
    const root = `${scratch}/deb`;
    await run("dpkg-deb", "--raw-extract", deb, root);
    for (const name of ["kvs-server", "kvs-client", "kvs-bench"]) {
      const { mode } = await Deno.stat(`${root}/usr/bin/${name}`);
      assertEquals(mode! & 0o777, 0o755);
      await Deno.stat(`${root}/usr/share/man/man1/${name}.1.gz`);
    }
    assertMatch(
      await run(`${root}/usr/bin/kvs-client`, "--version"),
      new RegExp(`^kvs-client ${VERSION}`),
    );
    assertEquals(await Deno.readTextFile(`${root}/DEBIAN/conffiles`), "/etc/kvs/kvs-server.env\n");
    const unit = await Deno.readTextFile(`${root}/lib/systemd/system/kvs-server.service`);
    assert(unit.includes("\nExecStart=/usr/bin/kvs-server\n") && !unit.includes("/opt/"));
    for (const script of ["postinst", "prerm", "postrm"]) {
      await run("sh", "-n", `${root}/DEBIAN/${script}`);
    }
  },
});

const noMachine = obstacle();
if (noMachine) console.error(`the Debian package is not installed anywhere: that ${noMachine}`);

Deno.test({
  name:
    "the Debian package installs, serves under systemd, is upgraded, and leaves the items behind",
  ignore: noDpkg || noMachine !== undefined,
  fn: async () => {
    const systemd = await systemdObstacle() === undefined;
    await using machine = await Sandbox.start(systemd ? "systemd" : undefined);
    await Deno.copyFile(deb, `${machine.shared}/kvs.deb`);
    const port = freePort();
    const install =
      `dpkg --no-triggers --force-confold --force-unsafe-io -i ${machine.shared}/kvs.deb`;
    const installed = await machine.run(`${install} && getent passwd kvs && man -w kvs-client`);
    assertEquals(installed.code, 0, installed.text);
    assertMatch(installed.text, /\/usr\/share\/man\/man1\/kvs-client\.1\.gz\n$/);
    const use = `export KVS_SERVERS=127.0.0.1:${port}
echo KVS_PORT=${port} >>/etc/kvs/kvs-server.env
[ -d /run/systemd/system ] || ln -s /lib/systemd/system/kvs-server.service /etc/systemd/system/
systemctl restart kvs-server.service && kvs-client set key value && kvs-client get key
stat -c '%a %U' /etc/kvs/kvs-server.env /var/lib/kvs/data`;
    assertEquals((await machine.run(use)).text, "value\n600 root\n700 kvs\n");
    const upgraded = await machine.run(`${install} >/dev/null
tail -n 1 /etc/kvs/kvs-server.env; systemctl restart kvs-server.service
KVS_SERVERS=127.0.0.1:${port} kvs-client get key`);
    assertEquals(upgraded.text, `KVS_PORT=${port}\nvalue\n`);
    const removed = await machine.run(`systemctl stop kvs-server.service
dpkg --no-triggers --purge kvs >/dev/null && ls /var/lib/kvs/data | grep -c . && ! command -v kvs-server`);
    assertEquals(removed.code, 0, removed.text);
  },
});

const noGroff = await missing("groff");
for (const [name, page] of Object.entries(manPages())) {
  Deno.test({
    name: `the manual page of ${name} is without a warning, and has its options`,
    ignore: noGroff,
    fn: async () => {
      const file = `${scratch}/${name}.1`;
      await Deno.writeTextFile(file, page);
      const { stdout, stderr } = await new Deno.Command("groff", {
        args: ["-man", "-ww", "-Tascii", "-P-cbou", file],
      }).output();
      const decoder = new TextDecoder();
      assertEquals(decoder.decode(stderr), "");
      const text = decoder.decode(stdout);
      for (const part of ["NAME", "SYNOPSIS", "OPTIONS", "--help", "SEE ALSO"]) {
        assert(text.includes(part), `${part} is missing in ${text}`);
      }
    },
  });
}

Deno.test({
  name: "the OCI image is one that other tools take, and its server runs with nothing beside it",
  ignore: await missing("skopeo") || await missing("umoci") || Deno.uid() !== 0,
  fn: async () => {
    const image = await makeImage(`${scratch}/bin`, scratch, Deno.build.arch);
    const layout = `${scratch}/layout`;
    await run(
      "skopeo",
      ...["--insecure-policy", "copy", "--quiet", `oci-archive:${image}`, `oci:${layout}:kvs`],
    );
    const { config } = JSON.parse(await run("skopeo", "inspect", "--config", `oci:${layout}:kvs`));
    assertEquals(config.Env.includes("KVS_LISTEN=0.0.0.0"), true);
    const bundle = `${scratch}/bundle`;
    await run("umoci", "unpack", "--image", `${layout}:kvs`, bundle);
    // A container has /proc.
    await Deno.mkdir(`${bundle}/rootfs/proc`);
    const inside = 'mount --rbind /proc "$0/proc" && exec chroot "$0" "$@"';
    const command = ["sh", "-c", inside, `${bundle}/rootfs`, ...config.Entrypoint, "--version"];
    const said = await run("unshare", "--mount", ...command);
    assertMatch(said, new RegExp(`kvs ${VERSION.replaceAll(".", "\\.")}`));
  },
});
