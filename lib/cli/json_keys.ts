/**
 * The first key that stands twice in the outermost object of a JSON text, of which `JSON.parse` would
 * keep the last alone; `undefined` where there is none. The text must be JSON.
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(repeatedKey('{"a": {"b": 1, "b": 2}, "a": 3}'), "a");
 * assertEquals(repeatedKey('{"a": {"b": 1}, "b": "a"}'), undefined);
 * ```
 */
export function repeatedKey(json: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  for (const [token, colon] of json.matchAll(/"(?:[^"\\]|\\[^])*"(\s*:)?|[[\]{}]/g)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (depth === 1 && colon !== undefined) {
      const key: string = JSON.parse(token.slice(0, -colon.length));
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return undefined;
}
