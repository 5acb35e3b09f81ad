/**
 * Secrets left out of what people are shown.
 *
 * @module
 */

/** A text without the passwords of its URLs. */
export function redacted(text: string): string {
  return text.replace(/(:\/\/[^:@/"\s]*):[^"\s]*@/g, "$1:…@");
}
