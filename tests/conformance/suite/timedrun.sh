#!/bin/sh
# In place of memcached's timedrun, which ends a server after so many seconds: the runner does that,
# and a test's signals reach the server itself.
shift
exec "$@"
