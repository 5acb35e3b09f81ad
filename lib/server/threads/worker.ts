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
const serving = new Serving(
  (calls) => line = new Line(thread.postMessage.bind(thread), calls),
  (frame) => thread.postMessage(frame, [frame]),
);

thread.onmessage = ({ data }) => {
  if (data instanceof ArrayBuffer) serving.take(data);
  else line.take(data);
};
