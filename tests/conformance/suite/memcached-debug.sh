#!/bin/sh
# What memcached's tests take for memcached: kvs-server with the flags as they come, and with what
# a test cannot know: the store, a data directory that nobody has used, and where the limit lies.
#
# SUITE_DENO, SUITE_SERVER, SUITE_PERMISSIONS, SUITE_STORE, SUITE_THREADS and SUITE_DATA come from the
# runner.
set -eu

memory='' evict=yes file='' run='' before='' threads=${SUITE_THREADS-}
for argument; do
  shift
  case $argument in
    -M) evict= ;;
    -t) threads= ;;
    # The runner's server may start programs, and so a server in the background, where a test wants it.
    -d) run=--allow-run=$SUITE_DENO ;;
  esac
  case $before in
    -m) memory=$argument ;;
    -e) file=$argument ;;
    # Every server with -l is given a UDP port too, which kvs refuses.
    -U) [ "$argument" = 0 ] && set -- "$@" -U 0 ;;
  esac
  [ "$argument" = -U ] || [ "$before" = -U ] || set -- "$@" "$argument"
  before=$argument
done

set -- "$@" --store "$SUITE_STORE"
[ -z "$threads" ] || set -- "$@" -t "$threads"
if [ "$SUITE_STORE" = disk ]; then
  # -e names the place where items outlive the server: that is the data directory then.
  [ -n "$file" ] || set -- "$@" --data-dir "$(mktemp -d "$SUITE_DATA/XXXXXXXX")"
  # -m limits what memcached holds. The disk store holds more than memory: its limit is --max-disk.
  [ -z "$memory" ] || set -- "$@" --max-disk "${memory}m"
  [ -z "$evict" ] || set -- "$@" --evict
fi

# Permissions are a list of words.
# shellcheck disable=SC2086
exec "$SUITE_DENO" run $SUITE_PERMISSIONS $run --config "$SUITE_SERVER/deno.json" \
  "$SUITE_SERVER/server.ts" "$@"
