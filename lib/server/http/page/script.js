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
  const duration = (seconds) => {
    const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
    const first = units.findIndex(([, size]) => seconds >= size || size === 1);
    return units.slice(first, first + 2).map(([unit, size], i) =>
      `${Math.floor((i === 0 ? seconds : seconds % units[first][1]) / size)} ${unit}`
    ).join(" ");
  };

  /** The charts by their groups: what they are called, how a value is written, and their columns. */
  const groups = {
    Requests: [
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
      ["Memory of clients", bytes, { clients: "requests and replies" }],
    ],
    Store: [
      ["Items", count, { items: "items" }],
      ["Bytes of items", bytes, { bytes: "items", limit: "limit" }],
      ["Evicted a second", count, { evictions: "items" }],
    ],
    Disk: [
      ["Log", bytes, { live: "live", dead: "dead" }],
      ["Free", bytes, { free: "free", reserved: "reserved" }],
      ["Last sync", milliseconds, { syncMs: "took" }],
      ["Syncs a second", count, { syncs: "syncs" }],
      ["Compaction a second", bytes, { read: "read", moved: "copied", freed: "given back" }],
      ["Compaction under way for", seconds, { compactingFor: "so far" }],
    ],
    Copies: [
      ["Copied a second", bytes, { copied: "sent" }],
      ["Copies late by", seconds, { copyLag: "oldest change that is in none" }],
    ],
    "Requests to the store": [
      ["Requests a second", count, { requests: "requests", retries: "retries" }],
      ["In flight", count, { inFlight: "requests" }],
      ["Time", milliseconds, { storeP50: "p50", storeP99: "p99" }],
    ],
    Process: [
      ["Memory", bytes, { resident: "process", heap: "heap", cache: "cache", index: "index" }],
      ["Event loop late by", milliseconds, { lag: "at most" }],
    ],
  };
  const colours = ["#3b7ddd", "#d9822b", "#2f9e5f", "#b4479b", "#8c8c8c"];
  const limits = new Set(["limit", "reserved"]);
  const HEIGHT = 150;
  const MOST = 3600;
  /** Seconds between two times below a chart: uPlot's own go from one minute to five, for which it is too narrow. */
  const stepsOfTime = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600];
  const powersOfTwo = Array.from({ length: 50 }, (_, i) => 2 ** i);
  const byId = (id) => document.getElementById(id);
  let names = [];
  let times = [];
  let columns = [];
  let shown = 300;
  const drawn = [];
  /** The columns in which there is something. */
  const known = new Set();

  /** The figures at the top: their names, titles, values, and what is beside them. */
  const tiles = [
    [
      "operations",
      "Operations a second",
      (now) => count(now.get + now.set + now.delete + now.arithmetic + now.touch),
      (now) =>
        `get ${count(now.get)}, set ${count(now.set)}, other ${
          count(now.delete + now.arithmetic + now.touch)
        }`,
    ],
    [
      "p99",
      "Request time, p99",
      (now) => now.p99 === null ? "–" : milliseconds(now.p99),
      (now) =>
        now.p99 === null
          ? "no requests"
          : `p50 ${milliseconds(now.p50)}, p99.9 ${milliseconds(now.p999)}`,
    ],
    [
      "hitRate",
      "Hit rate",
      (now) => now.get > 0 ? percent(now.hits / now.get) : "–",
      (now) => now.get > 0 ? `of ${count(now.get)} reads a second` : "no reads",
    ],
    [
      "traffic",
      "Bytes in a second",
      (now) => bytes(now.bytesIn),
      (now) => `out ${bytes(now.bytesOut)}`,
    ],
    [
      "connections",
      "Connections",
      (now) => count(now.connections),
      (now) => `text ${count(now.connText)}, binary ${count(now.connBinary)}`,
    ],
    [
      "items",
      "Items",
      (now) => count(now.items),
      (now) => bytes(now.bytes) + (now.limit === null ? "" : ` of ${bytes(now.limit)}`),
    ],
    [
      "memory",
      "Memory of the process",
      (now) => bytes(now.resident),
      (now) =>
        [["heap", now.heap], ["cache", now.cache], ["index", now.index], ["clients", now.clients]]
          .filter(([, value]) => value !== null)
          .map(([name, value]) => `${name} ${bytes(value)}`).join(", "),
    ],
    [
      "disk",
      "Disk free",
      (now) => bytes(now.free),
      (now) => `live ${bytes(now.live)}, dead ${bytes(now.dead)}`,
    ],
    [
      "sync",
      "Last sync",
      (now) => milliseconds(now.syncMs),
      (now) =>
        now.compacting > 0 ? `compaction for ${duration(now.compactingFor)}` : "no compaction",
    ],
    [
      "inFlight",
      "Requests to the store in flight",
      (now) => count(now.inFlight),
      (now) => `${count(now.requests)} a second, retries ${count(now.retries)}`,
    ],
    ["lag", "Event loop late by", (now) => milliseconds(now.lag), () => "at most, in 10 s"],
  ];
  /** What must be known for a figure to be there. */
  const needs = { disk: "free", sync: "syncMs", inFlight: "inFlight" };

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
    for (const [title, charts] of Object.entries(groups)) {
      const there = charts.filter(([, , series]) => Object.keys(series).some((name) => has(name)));
      if (there.length === 0) continue;
      const group = document.createElement("div");
      group.className = "group";
      byId("charts").append(element("h3", title), group);
      for (const chart of there) drawOne(group, chart);
    }
    fill();
  };

  const has = (name) => known.has(name === "hitRate" ? "get" : name);

  /** The places of values with none beside them, which no line shows. */
  const isolated = ({ data }, series) => {
    const values = data[series];
    const has = (at) => values[at] !== null && values[at] !== undefined;
    return Array.from(values.keys()).filter((at) => has(at) && !has(at - 1) && !has(at + 1));
  };

  const drawOne = (group, [title, show, series]) => {
    const axis = { stroke: style("--soft"), grid: { stroke: style("--line"), width: 1 } };
    const shown = Object.entries(series).filter(([name]) => has(name));
    const figure = document.createElement("figure");
    figure.append(element("figcaption", title));
    group.append(figure);
    const plot = new uPlot(
      {
        width: widthOf(figure),
        height: HEIGHT,
        // The last time has room beside the chart.
        padding: [8, 28, 0, 0],
        series: [
          {
            label: "at",
            value: (_, at) => at === null || at === undefined ? "–" : clock(at),
          },
          ...shown.map(([name, label], i) => ({
            label,
            stroke: limits.has(name) ? style("--soft") : colours[i],
            width: 1.5,
            ...(limits.has(name) ? { dash: [6, 4] } : {}),
            points: { size: 5, filter: isolated },
            value: (_, value) => value === null || value === undefined ? "–" : show(value),
          })),
        ],
        axes: [{
          ...axis,
          incrs: stepsOfTime,
          values: (_, ticks) => ticks.map(clock),
          space: 70,
          size: 28,
        }, {
          ...axis,
          size: 72,
          // Ticks of bytes lie at whole KiB and MiB.
          ...(show === bytes ? { incrs: powersOfTwo } : {}),
          values: (_, ticks) => ticks.map(show),
        }],
        scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high || 1) * 1.1] } },
      },
      [[], ...shown.map(() => [])],
      figure,
    );
    const chart = { plot, figure, title, show, has: shown };
    makeReadable(chart);
    drawn.push(chart);
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
    document.title = `${advice[0].level === "good" ? "" : "⚠ "}${
      advice[0].state
    } – kvs on ${location.host}`;
  };

  const showNow = (values) => {
    const now = Object.fromEntries(names.map((name, i) => [name, values[i]]));
    const there = tiles.filter(([name]) => needs[name] === undefined || now[needs[name]] !== null);
    byId("now").replaceChildren(...there.map(([name, title, main, beside]) => {
      const tile = document.createElement("div");
      tile.dataset.name = name;
      tile.append(
        element("dt", title),
        element("dd", main(now)),
        element("dd", beside(now), "beside"),
      );
      return tile;
    }));
  };

  /** The bounds, those that are used most first. */
  const showBudgets = (budgets) => {
    const sorted = budgets.toSorted((a, b) => b.used / b.limit - a.used / a.limit);
    byId("bounds").replaceChildren(...sorted.map(({ title, unit, used, limit }) => {
      const show = unit === "bytes" ? bytes : count;
      const item = document.createElement("li");
      const meter = document.createElement("meter");
      Object.assign(meter, { max: limit, high: 0.9 * limit, value: used });
      meter.setAttribute("aria-label", title);
      const text = `${show(used)} of ${show(limit)}`;
      item.append(element("span", title), element("span", text, "amount"), meter);
      return item;
    }));
  };

  const showEvent = ({ time, title, started, values, advice, budgets, talkers, log }) => {
    const age = started === undefined ? "" : `, up ${duration(time - started)}`;
    byId("title").textContent = `${location.host}: ${title}${age}`;
    byId("at").textContent = clock(time);
    showState(advice);
    showBudgets(budgets);
    if (times.at(-1) !== time && values.some((value) => value !== null)) {
      times.push(time);
      columns.forEach((column, i) => column.push(values[i]));
      if (times.length > MOST) {
        times.shift();
        for (const column of columns) column.shift();
      }
      showNow(values);
      const before = known.size;
      names.forEach((name, i) => values[i] !== null && known.add(name));
      if (known.size > before) draw();
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
      known.clear();
      names.forEach((name, i) => columns[i].some((value) => value !== null) && known.add(name));
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
    for (const { plot, figure } of drawn) plot.setSize({ width: widthOf(figure), height: HEIGHT });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (times.length > 0) draw();
  });
  load();
}
