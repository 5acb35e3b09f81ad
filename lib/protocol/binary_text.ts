/**
 * The bytes from `start` to `end` as a `binaryString`. They are a key or a line, so short that a loop
 * is the fastest way.
 */
export function binaryText(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}
