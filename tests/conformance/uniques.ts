/** A reply without what differs by nature, and what the script may want of it. */
export class Uniques {
  /** The cas uniques in the order in which they were shown. */
  readonly seen: string[] = [];

  /** Puts the n-th unique that was seen in the place of `{n}`. */
  fill(sent: string): string {
    return sent.replace(/\{(\d+)\}/g, (_, n) => this.seen[Number(n) - 1] ?? "0");
  }

  /**
   * Puts `#n` in the place of the n-th unique, and nothing in the place of the version. Values are
   * passed over, whatever they look like.
   */
  hide(reply: string): string {
    const line = /VALUE ([^ ]+) (\d+) (\d+)( \d+)?\r\n/y;
    let hidden = "";
    let at = 0;
    while (at < reply.length) {
      line.lastIndex = at;
      const match = line.exec(reply);
      if (match === null) {
        const end = reply.indexOf("\n", at) + 1 || reply.length;
        hidden += reply.slice(at, end).replace(/^VERSION [^\r]+/, "VERSION");
        at = end;
        continue;
      }
      const [whole, key, flags, length, unique] = match;
      const end = at + whole.length + Number(length) + 2;
      const number = unique === undefined ? "" : ` #${this.numberOf(unique.slice(1))}`;
      hidden += `VALUE ${key} ${flags} ${length}${number}\r\n${
        reply.slice(at + whole.length, end)
      }`;
      at = end;
    }
    return hidden;
  }

  private numberOf(unique: string): number {
    const index = this.seen.indexOf(unique);
    return index >= 0 ? index + 1 : this.seen.push(unique);
  }
}
