/**
 * A worker that serves, and ends or stands still in the way that its URL says when a file appears; or says that it
 * is there, and never begins.
 */

const url = new URL(import.meta.url);
const way = url.searchParams.get("way");
const file = url.searchParams.get("file")!;
if (way === "begin never") {
  console.error("a thread that never begins");
  await new Promise(() => setInterval(() => {}, 1000));
}
await import("../../../lib/server/threads/worker.ts");

const ways: Record<string, () => void> = {
  "close": () => self.close(),
  "exit": () => Deno.exit(0),
  "throw": () => {
    throw new Error("a bug of a thread");
  },
  "loop": () => {
    for (;;);
  },
  "stand still": () => {
    const nothing = new Int32Array(new SharedArrayBuffer(4));
    while (!isThere(`${file}.on`)) Atomics.wait(nothing, 0, 0, 20);
  },
};

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

const timer = setInterval(() => {
  try {
    // One thread alone: the one that takes the file away.
    Deno.removeSync(file);
  } catch {
    return;
  }
  clearInterval(timer);
  ways[way!]!();
}, 20);
