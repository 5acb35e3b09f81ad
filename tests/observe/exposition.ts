/** Prometheus's text format, read back. */

/** What a scrape says: the type of each family, and the value of each series by its name and labels. */
export interface Exposition {
  readonly types: Map<string, string>;
  readonly values: Map<string, number>;
}

/** Reads a scrape. Throws where a series stands before its type, or twice. */
export function readExposition(text: string): Exposition {
  const types = new Map<string, string>();
  const values = new Map<string, number>();
  for (const line of text.trimEnd().split("\n")) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type !== null) {
      if (types.has(type[1]!)) throw new Error(`two families: ${line}`);
      types.set(type[1]!, type[2]!);
    } else if (!line.startsWith("# HELP ")) {
      const [, series, name, value] = /^((\w+)(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
      if (series === undefined) throw new Error(`no series: ${line}`);
      const family = name!.replace(/_(bucket|sum|count)$/, "");
      if (!types.has(name!) && types.get(family) !== "histogram") {
        throw new Error(`no type: ${line}`);
      }
      if (values.has(series)) throw new Error(`two series: ${line}`);
      values.set(series, Number(value));
    }
  }
  return { types, values };
}
