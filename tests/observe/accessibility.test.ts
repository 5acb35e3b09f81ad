import { assert, assertEquals, assertMatch } from "@std/assert";
import axe from "npm:axe-core@4.14.1";
import { ServerProcess } from "../server/process.ts";
import { Chromium, type Watched } from "./browser.ts";

const HTTP = /http on (127\.0\.0\.1:\d+)/;

async function open(browser: Chromium, server: ServerProcess, colours: "light" | "dark") {
  await server.says(HTTP);
  const watched = await browser.page(`http://${HTTP.exec(server.said)![1]}/`, { colours });
  await watched.reads("figcaption", /^Operations a second$/);
  return watched;
}

/** The roles and names that a screen reader is told of, by the DevTools protocol. */
async function readOut({ page }: Watched): Promise<string[]> {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  await session.detach();
  return nodes.filter(({ ignored }) => !ignored)
    .map(({ role, name }) => `${role?.value} ${name?.value ?? ""}`.trim());
}

Deno.test("live page: a screen reader is told what it shows, part by part", async () => {
  await using browser = await Chromium.start();
  await using server = await ServerProcess.start(["-p", "-1", "--http", "0", "--store", "memory"]);
  const watched = await open(browser, server, "light");
  const told = await readOut(watched);
  for (
    const what of [
      "banner",
      "main",
      "heading State",
      "status",
      "heading Now",
      "heading Bounds",
      "meter connections",
      "heading Charts",
      "heading Requests",
      "group Time shown",
      "radio 5 minutes",
      "group Order of talkers",
      "radio by requests",
      "heading Biggest talkers",
      "columnheader Client",
      "columnheader Requests",
      "heading Last events",
      "log Last events",
    ]
  ) assert(told.includes(what), `no '${what}' among ${told.join("; ")}`);
  const pictures = told.filter((line) => line.startsWith("image "));
  assert(pictures.some((line) => /^image Operations a second: get [\d,.]+, set /.test(line)));
  assertEquals(pictures.filter((line) => line === "image"), []);
});

Deno.test("live page: axe finds nothing wrong, in light and in dark", async () => {
  await using browser = await Chromium.start();
  await using server = await ServerProcess.start(["-p", "-1", "--http", "0", "--store", "memory"]);
  for (const colours of ["light", "dark"] as const) {
    const { page } = await open(browser, server, colours);
    await page.evaluate(axe.source);
    const violations = await page.evaluate(
      "axe.run().then(({ violations }) => violations.map((v) => `${v.id}: ${v.nodes[0].html}`))",
    );
    assertEquals([colours, violations], [colours, []]);
  }
});

Deno.test("live page: the keyboard reaches all that it has, and reads a chart's values out", async () => {
  await using browser = await Chromium.start();
  await using server = await ServerProcess.start(["-p", "-1", "--http", "0", "--store", "memory"]);
  const { page } = await open(browser, server, "light");
  // What has the focus, as a person would say it.
  const focused = () =>
    page.evaluate(
      "(document.activeElement.value ?? document.activeElement.getAttribute('aria-label') ?? " +
        "document.activeElement.id) || document.activeElement.className",
    ) as Promise<string>;
  const reached: string[] = [];
  for (;;) {
    await page.keyboard.press("Tab");
    const now = await focused();
    if (reached.includes(now) || now === "") break;
    reached.push(now);
    if (reached.length > 100) break;
  }
  assertEquals(reached[0], "300");
  assert(reached.some((name) => name.startsWith("Operations a second: ")), reached.join("; "));
  assert(reached.includes("bytes") && reached.includes("Table of talkers"), reached.join("; "));
  assertEquals(reached.at(-1), "log");

  await page.locator('input[value="300"]').focus();
  await page.keyboard.press("ArrowRight");
  assertEquals(await page.locator('input[value="1200"]').isChecked(), true);
  const chart = page.locator(".u-wrap").first();
  await chart.focus();
  await page.keyboard.press("ArrowLeft");
  const said = page.locator("figure output").first();
  await said.filter({ hasText: /Operations/ }).waitFor();
  assertMatch(
    (await said.textContent())!,
    /^\d\d:\d\d:\d\d, Operations a second: get [\d,.]+, set /,
  );
});
