/**
 * Commands that ask servers rather than about items.
 *
 * @module
 */

import { isTerminal, paint, print } from "../../cli/terminal.ts";
import { Exit } from "../../errors.ts";
import type { Command } from "./command.ts";
import { milliseconds } from "./storage.ts";

export const stats: Command = {
  takes: "[GROUP]",
  arguments: [0, 1],
  options: [],
  help: "print what each server counts; GROUP is settings, items, …",
  async run({ args, options, client }) {
    const byServer = await client.stats(args[0]);
    if (options.json) {
      const figures = Object.fromEntries(
        [...byServer].map(([server, stats]) => [server, Object.fromEntries(stats)]),
      );
      await print(JSON.stringify(figures) + "\n");
      return Exit.ok;
    }
    for (const [server, figures] of byServer) {
      if (byServer.size > 1) await print(`${paint("bold", server)}\n`);
      const width = Math.max(...[...figures.keys()].map((name) => name.length));
      for (const [name, value] of figures) {
        await print(`${isTerminal() ? name.padEnd(width) : name} ${value}\n`);
      }
    }
    return Exit.ok;
  },
};

export const version: Command = {
  takes: "",
  arguments: [0, 0],
  options: [],
  help: "print the version of each server",
  async run({ options, client }) {
    const versions = await client.version();
    if (options.json) await print(JSON.stringify(Object.fromEntries(versions)) + "\n");
    else {
      for (const [server, version] of versions) {
        await print(versions.size > 1 ? `${server} ${version}\n` : `${version}\n`);
      }
    }
    return Exit.ok;
  },
};

export const ping: Command = {
  takes: "",
  arguments: [0, 0],
  options: [],
  help: "print how long each server takes to answer, in milliseconds",
  async run({ options, client }) {
    const took = await client.ping();
    if (options.json) await print(JSON.stringify(Object.fromEntries(took)) + "\n");
    else {
      for (const [server, ms] of took) await print(`${server} ${ms.toFixed(3)} ms\n`);
    }
    return Exit.ok;
  },
};

export const flush: Command = {
  takes: "[DELAY]",
  arguments: [0, 1],
  options: [],
  help: "delete all items of all servers, at once or after DELAY (10, 10s, 5m)",
  async run({ args, options, client }) {
    const delay = args[0] === undefined ? 0 : milliseconds("flush", "DELAY", args[0]);
    await client.flushAll(Math.ceil(delay / 1000));
    if (options.json) await print('{"result":"flushed"}\n');
    else if (isTerminal()) await print(paint("green", "flushed") + "\n");
    return Exit.ok;
  },
};
