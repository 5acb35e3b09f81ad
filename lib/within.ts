/**
 * Waiting that has an end.
 *
 * @module
 */

/** Waits for work, and for so many milliseconds at most: it goes on then. Fails where it fails before. */
export async function within(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, milliseconds));
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
