/** How much a line of the log matters, the most important first (the words of syslog and Google Cloud Logging). */
export const logLevels = ["error", "warning", "notice", "info", "debug"] as const;

/** One of {@linkcode logLevels}. */
export type LogLevel = typeof logLevels[number];

/** Says a line to the operator: what happened, and what follows from it. Without a level it is a warning. */
export type Say = (line: string, level?: LogLevel) => void;
