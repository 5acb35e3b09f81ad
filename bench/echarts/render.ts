/**
 * Draws charts by ECharts: reads drawings as JSON from standard input, and writes their SVG texts as a list.
 *
 * A project of its own, with its own lock: `deno task` installs all packages of the root's lock before any
 * task, and this one is larger than all others together.
 *
 * @module
 */

import { init, setPlatformAPI } from "echarts";
import type { Drawing } from "./drawing.ts";

/** How wide a letter is at most on average, by the font's size: there is no page to measure text on. */
const LETTER_WIDTH = 0.62;
setPlatformAPI({
  measureText: (text, font) => ({
    width: text.length * LETTER_WIDTH * Number(/([\d.]+)px/.exec(font ?? "")?.[1] ?? 12),
  }),
});

function draw({ width, height, option }: Drawing): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption(option);
    // JSON has no functions. One figure is exact for the powers of ten, which a logarithmic axis has.
    const formatter = (value: number) =>
      Number(value.toPrecision(1)).toLocaleString("en", { maximumFractionDigits: 6 });
    chart.setOption({ yAxis: { axisLabel: { formatter } } });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

const drawings: readonly Drawing[] = await new Response(Deno.stdin.readable).json();
console.log(JSON.stringify(drawings.map(draw)));
