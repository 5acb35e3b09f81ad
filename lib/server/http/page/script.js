// The live page: charts of the last hour, and what comes a second.
"use strict";
{
  const bytes = (value) => {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    while (Math.abs(value) >= 1024 && unit < units.length - 1) {
      value /= 1024;
      unit++;
    }
    return `${Number(value.toPrecision(3))} ${units[unit]}`;
  };
  const count = (value) => Number(value.toPrecision(4)).toLocaleString("en");
  const milliseconds = (value) => `${Number(value.toPrecision(3))} ms`;
  const seconds = (value) => `${Number(value.toPrecision(3))} s`;
  const percent = (value) => `${Number((value * 100).toFixed(1))} %`;

  const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en-GB");

  /** The charts: what they are called, how a value is written, and their columns. */
  const charts = [
    ["Operations a second", count, {
      get: "get",
      set: "set",
      delete: "delete",
      arithmetic: "incr, decr",
      touch: "touch",
    }],
    ["Request time", milliseconds, { p50: "p50", p99: "p99", p999: "p99.9" }],
    ["Hit rate", percent, { hitRate: "hits of reads" }],
    ["Bytes a second", bytes, { bytesIn: "in", bytesOut: "out" }],
    ["Connections", count, { connections: "open", connText: "text", connBinary: "binary" }],
    ["Items", count, { items: "items", evictions: "evicted a second" }],
    ["Memory", bytes, {
      resident: "process",
      heap: "heap",
      cache: "cache",
      index: "index",
      clients: "clients",
    }],
    ["Memory of clients", bytes, { clients: "in use", clientsLimit: "limit" }],
    ["Store", bytes, { bytes: "items", limit: "limit" }],
    ["Disk", bytes, { live: "live", dead: "dead", free: "free", reserved: "reserved" }],
    ["Compaction a second", bytes, { read: "read", moved: "copied", freed: "given back" }],
    ["Compaction under way for", seconds, { compactingFor: "so far" }],
    ["Syncs", count, { syncs: "a second", syncMs: "last, ms" }],
    ["Requests to the store a second", count, {
      requests: "requests",
      retries: "retries",
      inFlight: "in flight",
    }],
    ["Time of requests to the store", milliseconds, { storeP50: "p50", storeP99: "p99" }],
    ["Event loop late by", milliseconds, { lag: "at most" }],
  ];
  const colours = ["#3b7ddd", "#d9822b", "#2f9e5f", "#b4479b", "#8c8c8c"];
  const MOST = 3600;
  const powersOfTwo = Array.from({ length: 50 }, (_, i) => 2 ** i);
  const byId = (id) => document.getElementById(id);
  let names = [];
  let times = [];
  let columns = [];
  let shown = 300;
  const drawn = [];

  const columnOf = (name) => {
    if (name !== "hitRate") return columns[names.indexOf(name)];
    const gets = columns[names.indexOf("get")];
    const hits = columns[names.indexOf("hits")];
    return gets.map((get, i) => get > 0 ? hits[i] / get : null);
  };
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
  const widthOf = (box) => Math.max(200, box.clientWidth - 24);

  const draw = () => {
    for (const { plot } of drawn.splice(0)) plot.destroy();
    byId("charts").replaceChildren();
    const axis = { stroke: style("--soft"), grid: { stroke: style("--line"), width: 1 } };
    for (const [title, show, series] of charts) {
      const all = Object.entries(series);
      const has = all.filter(([name]) => columnOf(name).some((value) => value !== null));
      if (has.length === 0) continue;
      const figure = document.createElement("figure");
      const caption = document.createElement("figcaption");
      caption.textContent = title;
      figure.append(caption);
      byId("charts").append(figure);
      const plot = new uPlot(
        {
          width: widthOf(figure),
          height: 170,
          // The last time has room beside the chart.
          padding: [8, 28, 0, 0],
          series: [
            {
              label: "time",
              value: (_, at) => at === null || at === undefined ? "–" : clock(at),
            },
            ...has.map(([, label], i) => ({
              label,
              stroke: colours[i],
              width: 1.5,
              value: (_, value) => value === null || value === undefined ? "–" : show(value),
            })),
          ],
          axes: [{ ...axis, values: (_, ticks) => ticks.map(clock), space: 70 }, {
            ...axis,
            size: 72,
            // Ticks of bytes lie at whole KiB and MiB.
            ...(show === bytes ? { incrs: powersOfTwo } : {}),
            values: (_, ticks) => ticks.map(show),
          }],
          scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high || 1) * 1.1] } },
        },
        [[], ...has.map(() => [])],
        figure,
      );
      const chart = { plot, figure, title, show, has };
      makeReadable(chart);
      drawn.push(chart);
    }
    fill();
  };

  /** What a chart shows at a place in its data, in words. */
  const inWords = ({ plot, title, show, has }, at) => {
    const values = has.map(([, label], i) => {
      const value = plot.data[i + 1][at];
      return `${label} ${value === null || value === undefined ? "none" : show(value)}`;
    });
    return `${title}: ${values.join(", ")}`;
  };

  /** A chart is a picture with a text; with the arrow keys its values are read out one by one. */
  const makeReadable = (chart) => {
    const { plot, figure } = chart;
    const picture = plot.root.querySelector(".u-wrap");
    picture.setAttribute("role", "img");
    picture.tabIndex = 0;
    const said = document.createElement("output");
    said.className = "unseen";
    figure.append(said);
    picture.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -MOST, End: MOST }[event.key];
      const last = plot.data[0].length - 1;
      if (step === undefined || last < 0) return;
      event.preventDefault();
      const at = Math.max(0, Math.min(last, (plot.cursor.idx ?? last) + step));
      plot.setCursor({ left: plot.valToPos(plot.data[0][at], "x"), top: 1 });
      said.textContent = `${clock(plot.data[0][at])}, ${inWords(chart, at)}`;
    });
  };

  /** Puts what is known into the charts. */
  const fill = () => {
    const from = Math.max(0, times.length - shown);
    for (const chart of drawn) {
      const { plot, has } = chart;
      plot.setData([times.slice(from), ...has.map(([name]) => columnOf(name).slice(from))]);
      const last = plot.data[0].length - 1;
      if (plot.cursor.idx === null || plot.cursor.idx === undefined) plot.setLegend({ idx: last });
      plot.root.querySelector(".u-wrap").setAttribute("aria-label", inWords(chart, last));
    }
  };

  const element = (name, text, level) => {
    const made = document.createElement(name);
    made.textContent = text;
    if (level !== undefined) made.className = level;
    return made;
  };

  const showState = (advice) => {
    const key = JSON.stringify(advice);
    const list = byId("state");
    // A screen reader reads it again whenever it changes, so it changes only with what it says.
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    list.replaceChildren(...advice.map(({ level, state, action }) => {
      const item = element("li", "", level);
      item.append(element("b", state));
      if (action !== "") item.append(` — ${action}`);
      return item;
    }));
    document.title = `${advice[0].level === "good" ? "" : "⚠ "}${advice[0].state} – kvs`;
  };

  const showNow = () => {
    const items = new Map();
    for (const [title, show, series] of charts) {
      for (const [name, label] of Object.entries(series)) {
        const value = columnOf(name).at(-1);
        if (value === null || value === undefined || items.has(name)) continue;
        const entry = document.createElement("div");
        entry.append(element("dt", `${title}: ${label}`), element("dd", show(value)));
        entry.dataset.name = name;
        items.set(name, entry);
      }
    }
    byId("now").replaceChildren(...items.values());
  };

  const showEvent = ({ time, title, values, advice, talkers, log }) => {
    byId("title").textContent = title;
    showState(advice);
    if (times.at(-1) !== time && values.some((value) => value !== null)) {
      const isFirst = times.length === 0;
      times.push(time);
      columns.forEach((column, i) => column.push(values[i]));
      if (times.length > MOST) {
        times.shift();
        for (const column of columns) column.shift();
      }
      showNow();
      if (isFirst) draw();
      else fill();
    }
    const order = document.querySelector("#order input:checked").value;
    byId("talkers").replaceChildren(...talkers[order].map((talker) => {
      const row = document.createElement("tr");
      row.append(
        element("td", talker.addr),
        element("td", bytes(talker.received)),
        element("td", bytes(talker.sent)),
        element("td", count(talker.requests)),
        element("td", count(talker.batches)),
      );
      return row;
    }));
    // The log comes when it has changed.
    if (log === undefined) return;
    byId("log").replaceChildren(
      ...log.toReversed().map((event) => {
        const levels = { error: "critical", warning: "warning" };
        const item = element("li", `${new Date(event.time).toISOString()} `, levels[event.level]);
        item.append(element("b", event.level), ` ${event.text}`);
        return item;
      }),
    );
  };

  const lost = async () => {
    const isThere = await fetch("/healthz").then(({ ok }) => ok, () => false);
    showState([
      isThere
        ? {
          level: "warning",
          state: "The server sends this page nothing",
          action:
            "It may have as many pages open as it allows, or none for you; this page tries on.",
        }
        : {
          level: "critical",
          state: "No answer from the server",
          action: "Look at the process and its log; this page tries on.",
        },
    ]);
  };

  const load = async () => {
    try {
      const history = await (await fetch("/history")).json();
      ({ names, times, columns } = history);
      if (times.length > 0) draw();
    } catch {
      tryAgain();
      return;
    }
    listen();
  };

  const listen = () => {
    const events = new EventSource("/events");
    events.onmessage = ({ data }) => showEvent(JSON.parse(data));
    // The server ends a stream now and then, to forget pages that are gone.
    events.addEventListener("again", () => {
      events.close();
      listen();
    });
    events.onerror = () => {
      events.close();
      tryAgain();
    };
  };

  /** Asks again after a while, for the last hour too: it may be a new server. */
  const tryAgain = () => {
    lost();
    setTimeout(load, 2000);
  };

  byId("span").addEventListener("change", ({ target }) => {
    shown = Number(target.value);
    fill();
  });
  addEventListener("resize", () => {
    for (const { plot, figure } of drawn) plot.setSize({ width: widthOf(figure), height: 170 });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (times.length > 0) draw();
  });
  load();
}
