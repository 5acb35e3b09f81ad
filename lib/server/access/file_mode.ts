/**
 * Who may write and read the files that hold secrets.
 *
 * @module
 */

/** What others may do. */
const OTHERS_WRITE = 0o002;
const OTHERS_READ = 0o004;

/** What is wrong with a file's permissions: an error, a warning, or nothing. */
export function modeProblem(
  path: string,
): { readonly isError: boolean; readonly sentence: string } | undefined {
  const { mode } = Deno.statSync(path);
  if (mode === null) return undefined;
  if ((mode & OTHERS_WRITE) !== 0) {
    return { isError: true, sentence: `everybody can write '${path}': chmod o-w it` };
  }
  if ((mode & OTHERS_READ) !== 0) {
    return { isError: false, sentence: `everybody on this machine can read '${path}'` };
  }
  return undefined;
}
