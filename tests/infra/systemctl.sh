#!/bin/bash
# What systemctl does for the startup script, without systemd: starts a unit's ExecStart with its user and
# environment, then its ExecStartPost. Each call is a line of /run/systemctl.log.
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
  exec "${user[@]}" env -i "${variables[@]}" "MAINPID=${MAINPID:-}" "$@"
}

start() {
  local directory
  for directory in $(setting StateDirectory); do
    install -d -o "$(setting User)" -g "$(setting Group)" -m 0700 "/var/lib/$directory"
  done
  local -a command
  read -ra command < <(setting ExecStart)
  (as_unit "${command[@]}") >>"/run/$unit.log" 2>&1 </dev/null &
  MAINPID=$!
  echo "$MAINPID" >"$pid_file"
  [[ -z $(setting ExecStartPost) ]] || (as_unit "$(setting ExecStartPost)") || exit 1
}

case $verb in
  restart)
    stop
    start
    ;;
  is-active) if running; then echo active; else echo inactive && exit 3; fi ;;
  start) running || start ;;
  stop) stop ;;
esac
