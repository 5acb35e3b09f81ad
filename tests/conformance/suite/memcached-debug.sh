#!/bin/sh
# What memcached's tests take for memcached: kvs-server with the flags as they come, and with what
# a test cannot know: the store, a data directory that nobody has used, and where the limit lies.
#
# SUITE_DENO, SUITE_SERVER, SUITE_PERMISSIONS, SUITE_STORE, SUITE_DATA and SUITE_FLAGS come from the
# runner.
set -eu

memory='' evict=yes file='' before=''
for argument; do
  case $before in
    -m) memory=$argument ;;
    -e) file=$argument ;;
  esac
  [ "$argument" != -M ] || evict=
  before=$argument
done

set -- "$@" --store "$SUITE_STORE"
if [ "$SUITE_STORE" = disk ]; then
  # -e names the place where items outlive the server: that is the data directory then.
  [ -n "$file" ] || set -- "$@" --data-dir "$(mktemp -d "$SUITE_DATA/XXXXXXXX")"
  # -m limits what memcached holds. The disk store holds more than memory: its limit is --max-disk.
  if [ -n "$memory" ]; then
    set -- "$@" --max-disk "${memory}m"
    [ -z "$evict" ] || set -- "$@" --evict
  fi
fi

# These two are lists of words.
# shellcheck disable=SC2086
exec "$SUITE_DENO" run $SUITE_PERMISSIONS --config "$SUITE_SERVER/deno.json" \
  "$SUITE_SERVER/server.ts" $SUITE_FLAGS "$@"
