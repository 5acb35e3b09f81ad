/**
 * What a worker runs: an entry of its own, as it has one in each executable.
 *
 * @module
 */

/// <reference lib="webworker" />

import type { OwnerCalls, WorkerCalls } from "./calls.ts";
import { Line } from "./line.ts";
import { Serving } from "./serving.ts";

const thread = globalThis as unknown as DedicatedWorkerGlobalScope;
let line: Line<OwnerCalls, WorkerCalls>;
/** Says that this thread ends: by itself it does so in silence. */
const tellEnd = () => line.tell("ended", undefined);
const close = thread.close.bind(thread);
thread.close = () => {
  tellEnd();
  close();
};
// `Deno.exit`, and `process.exit` of a package.
thread.addEventListener("unload", tellEnd);

const serving = new Serving(
  (calls) => line = new Line(thread.postMessage.bind(thread), calls),
  (frame) => thread.postMessage(frame, [frame]),
);

thread.onmessage = ({ data }) => {
  if (data instanceof ArrayBuffer) serving.take(data);
  else line.take(data);
};
