#!/bin/sh
# @NAME@: this header, the program and the runtime it needs, in one file. The first start unpacks them
# into a cache directory, every start replaces this shell by the program.
# compile.ts fills in what stands between at signs and appends the two, gzipped.

runtime=deno-@RUNTIME_HASH@
program=@NAME@-@PROGRAM_HASH@.js

payload() {
  tail -n +@PAYLOAD_LINE@ "$0"
}

# True for a directory that only this user can write to: what lies there will be run.
private() {
  (umask 077 && mkdir -p "$1") 2>/dev/null || return 1
  # shellcheck disable=SC2012,SC2046 # mode and owner have no portable command but ls, and hold no blanks
  set -- $(ls -ldn "$1" | cut -d ' ' -f 1-4)
  [ "$3" = "$(id -u)" ] || return 1
  case $1 in
    d????-??-*) return 0 ;;
    *) return 1 ;;
  esac
}

# Writes standard input to a file that appears whole or not at all, however many starts do so at once.
place() {
  staged=$1.$$
  trap 'rm -f "$staged"; exit 143' HUP INT TERM
  gzip -dc >"$staged" && chmod 700 "$staged" && mv -f "$staged" "$1"
  placed=$?
  rm -f "$staged"
  trap - HUP INT TERM
  return "$placed"
} 2>/dev/null

unpack() {
  payload | head -c @PROGRAM_SIZE@ | place "$1/$program" || return 1
  [ -x "$1/$runtime" ] && return 0
  payload | tail -c +@RUNTIME_START@ | place "$1/$runtime" || return 1
  # A file system may be mounted so that nothing on it runs.
  "$1/$runtime" --version >/dev/null 2>&1 </dev/null && return 0
  rm -f "$1/$runtime" "$1/$program"
  return 1
}

# Removes what other versions of this program have left, but not what another start is writing.
tidy() {
  for old in "$1"/deno-* "$1/@NAME@"-*.js; do
    case ${old##*/} in
      "$runtime" | "$program" | *.[0-9]*) ;;
      *) rm -f "$old" ;;
    esac
  done
}

ready() {
  [ -n "$1" ] && private "$1" || return 1
  [ -x "$1/$runtime" ] && [ -f "$1/$program" ] && return 0
  unpack "$1" && tidy "$1"
}

for directory in \
  "${CACHE_DIRECTORY:+${CACHE_DIRECTORY%%:*}/runtime}" \
  "${XDG_CACHE_HOME:+$XDG_CACHE_HOME/kvs}" \
  "${HOME:+$HOME/.cache/kvs}" \
  "${TMPDIR:-/tmp}/kvs-$(id -u)" \
  ""; do
  ready "$directory" && break
done
if [ -z "$directory" ]; then
  echo "@NAME@: Cannot unpack: this user has no cache directory with 100 MB free that programs may" \
    "run from; name one in XDG_CACHE_HOME" >&2
  exit 71
fi

# The runtime keeps its compiled code in DENO_DIR, and must look neither for newer versions of itself nor
# for a project around the cache directory.
export DENO_DIR="$directory/code" DENO_NO_UPDATE_CHECK=1 DENO_NO_PACKAGE_JSON=1
exec "$directory/$runtime" run --no-config --no-lock --no-remote --no-npm --cached-only \
  @PERMISSIONS@ "$directory/$program" "$@"
