const PROBE_TIMEOUT_MS = 5_000;

/**
 * Why `url` cannot be reached; nothing where its host answers, whatever it says. Only a network that
 * fails counts: any other error, a missing permission above all, is thrown.
 */
export async function networkFailure(url: string): Promise<string | undefined> {
  try {
    const answer = await fetch(url, {
      method: "HEAD",
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    });
    await answer.body?.cancel();
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    if (!late && !(error instanceof TypeError)) throw error;
    return late
      ? `no answer in ${PROBE_TIMEOUT_MS / 1000} s`
      : String(error.cause ?? error.message);
  }
}
