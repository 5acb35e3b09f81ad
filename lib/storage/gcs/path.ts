/**
 * Objects' names in addresses.
 *
 * @module
 */

/**
 * A name in the XML API's path, where slashes are not encoded, unless somebody on the way might take
 * its `.` and `..` away.
 */
export function pathOf(object: string): string {
  const path = encodeURIComponent(object);
  return /(^|\/)\.\.?(\/|$)/.test(object) ? path : path.replaceAll("%2F", "/");
}
