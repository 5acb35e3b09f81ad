/**
 * Lines of HTTP: a browser, or a proxy, that takes this for a web server.
 *
 * A page can make a browser send any words to any port, with commands of ours in the body of its request.
 * So the connection ends at the first line of it, as in Redis (`networking.c`, `securityWarningCommand`).
 *
 * @module
 */

const SPACE = 0x20;
const SLASH = 0x2f;
const COLON = 0x3a;
const VERSION = "HTTP/1.";
const HOST = "host";

/**
 * Whether a line is the first of a request in HTTP/1, whatever its method, or names a host as headers do. The
 * line stands from `start` to `end`, which is without its line end.
 */
export function isHttp(bytes: Uint8Array, start: number, end: number): boolean {
  // One byte rules out nearly every line of ours.
  if (bytes[end - 4] === SLASH && endsInVersion(bytes, start, end)) return true;
  return bytes[start + HOST.length] === COLON && beginsWithHost(bytes, start, end);
}

function endsInVersion(bytes: Uint8Array, start: number, end: number): boolean {
  const from = end - VERSION.length - 1;
  if (from <= start || bytes[from - 1] !== SPACE) return false;
  for (let i = 0; i < VERSION.length; i++) {
    if (bytes[from + i] !== VERSION.charCodeAt(i)) return false;
  }
  return true;
}

function beginsWithHost(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start <= HOST.length) return false;
  // Letters differ by one bit in upper and lower case.
  for (let i = 0; i < HOST.length; i++) {
    if ((bytes[start + i] | 0x20) !== HOST.charCodeAt(i)) return false;
  }
  return true;
}
