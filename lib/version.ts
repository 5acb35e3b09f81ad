/** The version of kvs. */
export const VERSION = "0.1.0";

/** The memcached whose dialect this is: clients read it from `version` to choose what to send. */
export const MEMCACHED_VERSION = "1.6.45";
