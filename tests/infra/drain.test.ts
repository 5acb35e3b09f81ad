import { assertEquals, assertMatch } from "@std/assert";
import { ROOT } from "./scripts.ts";

/** Runs a script in a network of its own, which is gone with it. */
async function inOwnNetwork(script: string): Promise<string> {
  const { stdout, stderr } = await new Deno.Command("unshare", {
    args: ["--user", "--map-root-user", "--net", "bash", "-c", `ip link set lo up\n${script}`],
    cwd: ROOT,
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

const can = await inOwnNetwork("echo can").then((said) => said === "can\n", () => false);
const why = can ? "" : " (skipped: no network name space, or no ip)";

Deno.test({
  name:
    `a server that leaves the load balancer has no way back to Google's checks, and then has one${why}`,
  ignore: !can,
  async fn() {
    const routes = "ip route show type unreachable";
    const said = await inOwnNetwork(
      `infra/kvs-drain out 0; infra/kvs-drain out 0; ${routes}; echo --
       ip route get 35.191.0.1 2>&1; ip route get 130.211.3.255 2>&1; echo --
       infra/kvs-drain in; infra/kvs-drain in; ${routes}; echo --
       infra/kvs-drain sideways; echo $?`,
    );
    const [out, ways, back, wrong] = said.split("--\n");
    assertMatch(out, /unreachable 35\.191\.0\.0\/16/);
    assertMatch(out, /unreachable 130\.211\.0\.0\/22/);
    assertEquals(ways.match(/No route to host/g)?.length, 2);
    assertEquals(back, "");
    assertMatch(wrong, /^64\n/);
  },
});
