#!/bin/sh
# @NAME@: this header, the program and the runtime it needs, in one file. The first start unpacks them
# into a cache directory, every start replaces this shell by the program.
# compile.ts fills in what stands between at signs and appends the files, each gzipped.

# What ends this shell. A server is told by SIGHUP to reload, which must not end it before it listens to that:
# what is ignored here stays ignored.
ending="@ENDING@"
[ "${ending#HUP}" != "$ending" ] || trap '' HUP

runtime=deno-@RUNTIME_HASH@
program=@NAME@-@PROGRAM_HASH@

# payload START SIZE: the bytes there behind this header.
payload() {
  tail -n +@PAYLOAD_LINE@ "$0" | tail -c +"$1" | head -c "$2"
}

# True for a directory that only this user can write to: what lies there will be run.
private() {
  [ -d "$1" ] || (umask 077 && mkdir -p "$1") 2>/dev/null || return 1
  # shellcheck disable=SC2012,SC2046 # mode and owner have no portable command but ls
  set -- $(ls -ldn "$1")
  [ "$3" = "$user" ] || return 1
  case $1 in
    d????-??-*) return 0 ;;
    *) return 1 ;;
  esac
}

# Writes standard input to a file that appears whole or not at all, however many starts do so concurrently.
place() {
  staged=$1.$$
  # shellcheck disable=SC2086 # a list of signals
  trap 'rm -f "$staged"; exit 143' $ending
  gzip -dc >"$staged" && chmod 700 "$staged" && mv -f "$staged" "$1"
  placed=$?
  rm -f "$staged"
  trap - $ending
  return "$placed"
} 2>/dev/null

# Each file of the program, and where it stands; the one that is started comes last.
unpack() {
  cache=$1
  mkdir -p "$cache/$program" || return 1
  set -- @FILES@
  while [ $# -gt 0 ]; do
    payload "$2" "$3" | place "$cache/$program/$1" || return 1
    shift 3
  done
  [ -x "$cache/$runtime" ] && return 0
  payload @RUNTIME_START@ @RUNTIME_SIZE@ | place "$cache/$runtime" || return 1
  # A file system may be mounted so that nothing on it runs.
  "$cache/$runtime" --version >/dev/null 2>&1 </dev/null && return 0
  rm -rf "${cache:?}/$runtime" "${cache:?}/$program"
  return 1
} 2>/dev/null

# Removes what other versions of this program have left, but not what another start is writing. A program
# that still runs has loaded what it needs.
tidy() {
  for old in "$1"/deno-* "$1/@NAME@"-*; do
    case ${old##*/} in
      "$runtime" | "$program" | *.[0-9]*) ;;
      *) rm -rf "$old" ;;
    esac
  done
}

ready() {
  [ -n "$1" ] && private "$1" || return 1
  [ -x "$1/$runtime" ] && [ -f "$1/$program/main.js" ] && return 0
  unpack "$1" && tidy "$1"
}

user=$(id -u)
for directory in \
  "${CACHE_DIRECTORY:+${CACHE_DIRECTORY%%:*}/runtime}" \
  "${XDG_CACHE_HOME:+$XDG_CACHE_HOME/kvs}" \
  "${HOME:+$HOME/.cache/kvs}" \
  "${TMPDIR:-/tmp}/kvs-$user" \
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
@ENVIRONMENT@
exec "$directory/$runtime" run --quiet --no-config --no-lock --no-remote --no-npm --cached-only \
  @PERMISSIONS@ "$directory/$program/main.js" "$@"
