import { assert, assertEquals, assertMatch } from "@std/assert";
import { makeDeb, manPages } from "../../infra/package/deb.ts";
import { run } from "../../infra/package/files.ts";
import { makeImage } from "../../infra/package/oci.ts";
import { VERSION } from "../../lib/version.ts";
import { missing } from "../client/run_client.ts";

/** A directory with built programs; removed at the end. */
let scratch = "";

Deno.test.beforeAll(async () => {
  scratch = await Deno.makeTempDir();
  await run("deno", "task", "--quiet", "compile", "--out", `${scratch}/bin`);
});

Deno.test.afterAll(() => Deno.remove(scratch, { recursive: true }));

Deno.test({
  name: "the Debian package has the programs, their pages and completions, a unit and a conffile",
  ignore: await missing("dpkg-deb"),
  fn: async () => {
    const deb = await makeDeb(`${scratch}/bin`, scratch, Deno.build.arch);
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
