/**
 * Secrets left out of what people are shown: log, errors, reports, figures.
 *
 * @module
 */

/** What stands before the host of a URL, up to the last `@` of the word, or to the next URL of a list, be it of JSON. */
const USERINFO = /(\w:\/\/)((?:(?!"?,"?\w[\w+.-]*:\/\/)\S)*)@/g;

/**
 * A text without the passwords of its URLs. They may have any characters in them that are no blanks, `@`
 * and `/` as well, as people write them.
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(redacted("at redis://app:p@ss/word@host:1"), "at redis://app:…@host:1");
 * assertEquals(redacted("redis://token@host"), "redis://…@host");
 * ```
 */
export function redacted(text: string): string {
  return text.replace(USERINFO, (_, scheme: string, userinfo: string) => scheme + hidden(userinfo));
}

/** A URL as one was given it, even with blanks in its password, without that. */
export function redactedUrl(url: string): string {
  return url.replace(/(\w:\/\/)(.*)@/s, (_, scheme, userinfo) => scheme + hidden(userinfo));
}

function hidden(userinfo: string): string {
  const [user = ""] = userinfo.split(":");
  return user === userinfo || /[@/]/.test(user) ? "…@" : `${user}:…@`;
}
