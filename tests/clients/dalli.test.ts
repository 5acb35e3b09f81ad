import { ArchivePackage, DebianPackage, type Need } from "./debian.ts";
import { DALLI_3_2, DALLI_5 } from "./fetch.ts";
import { ALL, assertDone, beside, NEAR, testClient } from "./stores.ts";

const ruby = new DebianPackage("ruby", "/usr/bin/ruby");
const dalli = new DebianPackage("ruby-dalli", "/usr/share/doc/ruby-dalli");
const gems = "usr/share/rubygems-integration/all/gems";

/** Options of Ruby's that let it find the Dalli of another suite before its own. */
function librariesOf({ file }: Need): string[] {
  const versions = Array.from(Deno.readDirSync(`${file}/${gems}`), ({ name }) => name);
  return versions.flatMap((version) => ["-I", `${file}/${gems}/${version}/lib`]);
}

testClient(
  "Ruby's Dalli 3.0 does all that it can, in binary",
  ({ port }) => assertDone("/usr/bin/ruby", [beside("dalli_check.rb"), String(port), "binary"]),
  [ruby, dalli],
);

const others = [
  { version: "3.2", needs: new ArchivePackage(DALLI_3_2), protocol: "binary", stores: NEAR },
  { version: "3.2", needs: new ArchivePackage(DALLI_3_2), protocol: "meta", stores: NEAR },
  { version: "5", needs: new ArchivePackage(DALLI_5), protocol: "meta", stores: ALL },
];
for (const { version, needs, protocol, stores } of others) {
  testClient(
    `Ruby's Dalli ${version} does all that it can, in ${protocol}`,
    ({ port }) => {
      const args = [beside("dalli_check.rb"), String(port), protocol];
      return assertDone("/usr/bin/ruby", [...librariesOf(needs), ...args]);
    },
    [ruby, needs],
    stores,
  );
}
