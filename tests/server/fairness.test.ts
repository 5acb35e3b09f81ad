import { assert } from "@std/assert";
import { parseAddress } from "../../lib/client/address.ts";
import { Connection } from "../../lib/client/connection.ts";
import { bytesOf } from "../../lib/bytes.ts";
import { ServerProcess } from "./process.ts";

const CONNECTIONS = 2000;
/** All connections must be served so often … */
const LEAST = 8;
/** … before any is served so often. Without fairness it comes to more than ten times as much. */
const MOST = 4 * LEAST;

Deno.test("of 2,000 connections that always ask for something, none is left behind", async () => {
  await using server = await ServerProcess.start(
    ["--store", "memory", "-p", "-1", "-c", String(CONNECTIONS)],
  );
  const address = parseAddress(server.address);
  using stack = new DisposableStack();
  const connections = Array.from(
    { length: CONNECTIONS },
    () => stack.use(new Connection(address, { timeout: 60_000 })),
  );
  const request = bytesOf("get k\r\n");
  const served = new Uint32Array(CONNECTIONS);
  const ask = (each: (index: number) => boolean) =>
    Promise.all(connections.map((connection, index) =>
      new Promise<void>((resolve, reject) => {
        const waiting = {
          expect: "values",
          opaque: 0,
          resolve: () => each(index) ? connection.send(request, waiting) : resolve(),
          reject,
        } as const;
        connection.send(request, waiting);
      })
    ));
  await ask(() => false);
  let behind = CONNECTIONS;
  await ask((index) => {
    if (++served[index]! === LEAST) behind--;
    return behind > 0;
  });
  const most = Math.max(...served);
  assert(most <= MOST, `one was served ${most} times, another ${Math.min(...served)} times`);
});
