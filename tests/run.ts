/**
 * Runs the tests: `deno task test` all of them, `deno task test PATH` some, `deno task test:quick` those of
 * the inner loop.
 *
 * All of them are three processes side by side, as in CI. Within a process they run one after the other:
 * tests set variables of the environment, which the threads of `deno test --parallel` share. The quick ones
 * set none.
 *
 * @module
 */

/** Parts that take about as long as each other on two cores, and what `deno test` is told of each. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  infra: ["tests/infra"],
  storage: ["tests/storage"],
  rest: ["--ignore=tests/infra,tests/storage"],
};

/** Tests that start processes, other servers, browsers or sandboxes, or set variables. */
export const SLOW: readonly string[] = [
  "tests/bench",
  "tests/client/commands.test.ts",
  "tests/client/completion.test.ts",
  "tests/client/dialects.test.ts",
  "tests/client/live.test.ts",
  "tests/client/package.test.ts",
  "tests/client/restore.test.ts",
  "tests/client/several_servers.test.ts",
  "tests/client/shell.test.ts",
  "tests/clients",
  "tests/conformance",
  "tests/house",
  "tests/infra",
  "tests/load/generate.test.ts",
  "tests/load/multiclient.test.ts",
  "tests/observe/accessibility.test.ts",
  "tests/observe/agreement.test.ts",
  "tests/observe/live_page.test.ts",
  "tests/observe/rules.test.ts",
  "tests/observe/telemetry.test.ts",
  "tests/offline",
  "tests/server",
  "tests/storage/disk/damage.test.ts",
  "tests/storage/disk/errors.test.ts",
  "tests/storage/disk/faults.test.ts",
  "tests/storage/disk/life.test.ts",
  "tests/storage/gcs",
  "tests/storage/redis",
];

/** Starts `deno test`. */
function test(args: readonly string[], output: "inherit" | "piped"): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["test", "--frozen", "-A", ...args],
    stdin: "null",
    stdout: output,
    stderr: output,
  }).spawn();
}

/** Runs `deno test` with what it prints; returns its exit code. A signal to end goes to it. */
async function runTest(args: readonly string[]): Promise<number> {
  const child = test(args, "inherit");
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => child.kill(signal));
  }
  return (await child.status).code;
}

/** Runs all parts side by side, and prints what each says when it has ended. */
async function runParts(): Promise<number> {
  const codes = await Promise.all(
    Object.entries(PARTS).map(async ([name, args]) => {
      const child = test(["--doc", ...args], "piped");
      const { code, stdout, stderr } = await child.output();
      console.log(`== ${name}`);
      for (const bytes of [stdout, stderr]) {
        for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
      }
      return code;
    }),
  );
  const failed = Object.keys(PARTS).filter((_, index) => codes[index] !== 0);
  console.log(failed.length === 0 ? "== all passed" : `== failed: ${failed.join(", ")}`);
  return failed.length === 0 ? 0 : 1;
}

if (import.meta.main) {
  const [first, ...rest] = Deno.args;
  const quick = ["--no-check", "--parallel", `--ignore=${SLOW.join(",")}`];
  Deno.exit(
    first === "--quick"
      ? await runTest([...quick, ...rest, ...(rest.length === 0 ? ["tests"] : [])])
      : first === undefined
      ? await runParts()
      : await runTest(["--doc", ...Deno.args]),
  );
}
