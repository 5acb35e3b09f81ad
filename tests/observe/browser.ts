/**
 * A real browser, Debian's Chromium, driven by the DevTools protocol.
 *
 * @module
 */

import { type Browser, chromium, type Page } from "npm:playwright-core@1.65.1";

/** A browser that runs until it is disposed of. */
export class Chromium implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #browser: Browser;
  readonly #directory: string;
  readonly #ended: Promise<void>;

  private constructor(
    child: Deno.ChildProcess,
    browser: Browser,
    directory: string,
    ended: Promise<void>,
  ) {
    this.#child = child;
    this.#browser = browser;
    this.#directory = directory;
    this.#ended = ended;
  }

  static async start(): Promise<Chromium> {
    const directory = await Deno.makeTempDir();
    const child = new Deno.Command("chromium", {
      args: [
        "--headless=new",
        // The sandbox needs rights that containers and root do not have.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--hide-scrollbars",
        "--no-first-run",
        "--remote-debugging-port=0",
        `--user-data-dir=${directory}`,
        "about:blank",
      ],
      env: { HOME: directory },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const [endpoint, ended] = listenTo(child);
    return new Chromium(child, await chromium.connectOverCDP(await endpoint), directory, ended);
  }

  /** A page of its own. */
  async page(
    url: string,
    { width = 1280, colours = "light", user }: {
      width?: number;
      colours?: "light" | "dark";
      /** Who the browser logs in as where it is asked. */
      user?: { username: string; password: string };
    } = {},
  ): Promise<Watched> {
    const context = await this.#browser.newContext({
      viewport: { width, height: 900 },
      colorScheme: colours,
      ...(user === undefined ? {} : { httpCredentials: user }),
    });
    const watched = new Watched(await context.newPage());
    await watched.page.goto(url);
    return watched;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    // Its own processes still write to the directory when it has ended.
    await this.#ended;
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** A page, and what it asked for and complained about. */
export class Watched {
  readonly errors: string[] = [];
  readonly requests: string[] = [];

  constructor(readonly page: Page) {
    page.on("pageerror", (error: Error) => void this.errors.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") this.errors.push(message.text());
    });
    page.on("request", (request) => void this.requests.push(request.url()));
  }

  /** Waits until the text of an element matches, and returns it. */
  async reads(selector: string, what: RegExp): Promise<string> {
    const found = this.page.locator(selector).filter({ hasText: what }).first();
    await found.waitFor({ timeout: 60_000 });
    return (await found.textContent()) ?? "";
  }
}

/** Where a browser listens, and when the last of its processes has closed the standard error that they share. */
function listenTo(child: Deno.ChildProcess): [endpoint: Promise<string>, ended: Promise<void>] {
  const found = Promise.withResolvers<string>();
  const read = async () => {
    const decoder = new TextDecoder();
    let said = "";
    for await (const bytes of child.stderr) {
      said = (said + decoder.decode(bytes, { stream: true })).slice(-10_000);
      const endpoint = /listening on (ws:\S+)/.exec(said)?.[1];
      if (endpoint !== undefined) found.resolve(endpoint);
    }
    found.reject(new Error(`Chromium did not start: ${said}`));
  };
  return [found.promise, read()];
}
