#!/bin/bash
# What systemctl does for the startup script, without systemd: starts a unit's ExecStart with its user and
# environment; a unit that would tell systemd that it is ready has to answer. Each call is a line of
# /run/systemctl.log.
set -euo pipefail
echo "$*" >>/run/systemctl.log

verb=$1
unit=
for word in "${@:2}"; do [[ $word == -* ]] || unit=$word; done
file=/etc/systemd/system/$unit
pid_file=/run/$unit.pid

setting() { sed -n "s/^$1=//p" "$file"; }

running() { [[ -f $pid_file ]] && kill -0 "$(<"$pid_file")" 2>/dev/null; }

stop() {
  running || return 0
  kill "$(<"$pid_file")"
  while running; do sleep 0.05; done
}

# as_unit COMMAND…: with the user and nothing but the environment of the unit.
as_unit() {
  local -a variables=("PATH=$PATH") user=()
  local environment
  environment=$(setting EnvironmentFile)
  [[ -z $environment ]] || mapfile -t -O 1 variables < <(grep -v '^#' "$environment")
  [[ -z $(setting User) ]] || user=(setpriv "--reuid=$(setting User)" "--regid=$(setting Group)" --clear-groups)
  exec "${user[@]}" env -i "${variables[@]}" "$@"
}

# Waits for the unit's server, while it runs.
ready() {
  while running; do
    (as_unit env KVS_READY_TIMEOUT=1 /opt/kvs/current/kvs-ready) 2>/dev/null && return
  done
  return 1
}

start() {
  local directory
  for directory in $(setting StateDirectory); do
    install -d -o "$(setting User)" -g "$(setting Group)" -m 0700 "/var/lib/$directory"
  done
  local -a command
  read -ra command < <(setting ExecStart)
  (as_unit "${command[@]}") >>"/run/$unit.log" 2>&1 </dev/null &
  echo $! >"$pid_file"
  [[ $(setting Type) != notify ]] || ready || exit 1
}

case $verb in
  restart)
    stop
    start
    ;;
  is-active) if running; then echo active; else echo inactive && exit 3; fi ;;
  start) running || start ;;
  stop) stop ;;
  reload) kill -HUP "$(<"$pid_file")" ;;
esac
