#!/usr/bin/env bash
# Turns a Debian machine into a kvs server or client, and keeps it one: run at every boot and after every change
# of the VM's metadata, it brings what is there to what is wanted and restarts the server only where it must.
#
# On Google Cloud it is the VM's startup script. Its orders are the metadata kvs-role, kvs-deployment, kvs-release,
# kvs-bin-bucket, kvs-options, kvs-servers, kvs-disk, kvs-allow, kvs-users-secret, kvs-tls-secret, kvs-ca,
# kvs-redis-secret, kvs-redis-ca, kvs-drain, kvs-keepalive and kvs-observe.
#
# On any other Debian machine the orders and files come from a directory:
#   sudo KVS_SOURCE=/path ./startup.sh
# It holds kvs-server, kvs-client, kvs-bench (for a client), kvs-ready, kvs-server.service and SHA256SUMS, and what it
# needs of kvs-role (server, client), kvs-options (lines NAME=VALUE), kvs-servers (HOST:PORT), kvs-allow (networks
# that may reach the server; all where there is none), kvs-users (lines USER:PASSWORD; the client takes the first),
# kvs-tls (the server's key and certificates, PEM), kvs-ca (what a client checks those by), kvs-redis-url and
# kvs-redis-ca.
set -Eeuo pipefail
umask 022

readonly METADATA=http://metadata.google.internal/computeMetadata/v1
readonly CONFIGURATION=/etc/kvs
readonly PROGRAMS=/opt/kvs
readonly ENVIRONMENT=$CONFIGURATION/kvs-server.env
# as whom Google's Ops Agent asks for the server's figures
readonly AGENT=ops-agent
# Seconds that a server may take until it answers, before this script says that it does not.
readonly READY_TIMEOUT=${KVS_READY_TIMEOUT:-600}

say() { echo "kvs: $*" >&2; }

# report WORDS: tells infra/deploy.sh and infra/status.sh, through the VM's guest attributes.
report() {
  say "$*"
  [[ -n ${KVS_SOURCE:-} ]] && return
  curl -sf -X PUT -H 'Metadata-Flavor: Google' --data "$deployment $*" \
    "$METADATA/instance/guest-attributes/kvs/state" >/dev/null || say "cannot write the guest attribute kvs/state"
}

give_up() {
  report "failed: $*"
  exit 1
}

# attribute NAME: one of the orders; nothing where it is not given.
attribute() {
  if [[ -n ${KVS_SOURCE:-} ]]; then
    [[ ! -f $KVS_SOURCE/$1 ]] || cat "$KVS_SOURCE/$1"
  else
    curl -sf --retry 5 -H 'Metadata-Flavor: Google' "$METADATA/instance/attributes/$1" || [[ $? == 22 ]]
  fi
}

# A value out of a JSON document of Google's: text without quotes in it.
json_value() {
  sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1
}

# Curl with the VM's own token, which goes through a pipe: command lines can be read by every user. What is refused
# is asked for again for five minutes: a role that was given just now takes its time to be known everywhere.
curl_google() {
  local token
  token=$(curl -sf --retry 5 -H 'Metadata-Flavor: Google' \
    "$METADATA/instance/service-accounts/default/token" | tr , '\n' | json_value access_token)
  printf 'header = "Authorization: Bearer %s"\n' "$token" |
    curl -sSf --retry 60 --retry-all-errors --retry-delay "${KVS_RETRY_SECONDS:-5}" --retry-max-time 300 --config - "$@"
}

# fetch FILE DIRECTORY: brings one file of the release.
fetch() {
  if [[ -n ${KVS_SOURCE:-} ]]; then
    cp "$KVS_SOURCE/$1" "$2/$1"
  else
    curl_google -o "$2/$1" "https://storage.googleapis.com/$bucket/releases/$release/$1"
  fi
}

# secret FILE ORDER: what only some may know. Secret Manager has it, in the version that the order names; on any other
# machine it is a file. Nothing where neither is given.
secret() {
  local version
  if [[ -n ${KVS_SOURCE:-} ]]; then
    attribute "$1"
    return
  fi
  version=$(attribute "$2")
  [[ -n $version ]] || return 0
  curl_google "https://secretmanager.googleapis.com/v1/$version:access" | json_value data | base64 -d
}

# --- programs -----------------------------------------------------------------------------------

# Brings the release into a directory of its own, whole or not at all, and sets `program` to that.
install_release() {
  local staged file
  local -a files=(kvs-client)
  if [[ $role == client ]]; then files+=(kvs-bench); else files+=(kvs-server kvs-ready kvs-server.service); fi
  # for Google's load balancer and Google's agent
  [[ $role == client || -n ${KVS_SOURCE:-} ]] || files+=(kvs-drain ops-agent.yaml)
  mkdir -p "$PROGRAMS/releases"
  staged=$(mktemp -d "$PROGRAMS/releases/.new.XXXXXX")
  chmod 0755 "$staged"
  fetch SHA256SUMS "$staged" || give_up "cannot fetch release $release"
  if [[ -n ${KVS_SOURCE:-} ]]; then
    release=$(sha256sum "$staged/SHA256SUMS" | cut -c 1-16)
  else
    # The release is named by its sums: with them every file is the one that the metadata means.
    [[ $(sha256sum "$staged/SHA256SUMS" | cut -c 1-16) == "$release" ]] ||
      give_up "the sums of release $release are not what its name says"
  fi
  program=$PROGRAMS/releases/$release
  if [[ -d $program && -z ${KVS_SOURCE:-} ]]; then
    rm -r "$staged"
    return
  fi
  for file in "${files[@]}"; do fetch "$file" "$staged" || give_up "cannot fetch $file of release $release"; done
  (cd "$staged" && sha256sum --check --strict --quiet --ignore-missing SHA256SUMS) ||
    give_up "a file of release $release is not what its sum says"
  for file in "${files[@]}"; do
    # In a plain directory the sums may be those of `deno task compile`, which makes the executables.
    [[ $file != kvs-server && $file != kvs-client && $file != kvs-bench && -n ${KVS_SOURCE:-} ]] ||
      grep -q " [ *]$file\$" "$staged/SHA256SUMS" || give_up "release $release has no sum for $file"
    case $file in *.service | *.yaml) chmod 0644 "$staged/$file" ;; *) chmod 0755 "$staged/$file" ;; esac
  done
  if [[ -d $program ]] && diff -rq "$staged" "$program" >/dev/null; then
    rm -r "$staged"
  else
    rm -rf "$program"
    mv "$staged" "$program"
    say "release $release is in $program"
  fi
}

# Removes what is there of other releases than the one that runs and the one before it.
prune_releases() {
  local directory
  for directory in "$PROGRAMS"/releases/* "$PROGRAMS"/releases/.new.*; do
    [[ $directory == "$program" || $directory == "$before" ]] || rm -rf "$directory"
  done
}

# --- disk ---------------------------------------------------------------------------------------

# Formats the data disk if it has nothing on it, and mounts it.
mount_data_disk() {
  local name device uuid looked=0
  name=$(attribute kvs-disk)
  [[ -n $name ]] || return 0
  device=/dev/disk/by-id/google-$name
  [[ -e $device ]] || give_up "the data disk $name is not attached to this VM"
  # 2: nothing there that blkid knows. Any other failure is a disk to leave alone.
  blkid -p "$device" >/dev/null || looked=$?
  case $looked in
    0) ;;
    2)
      say "formatting $device, which is empty"
      mkfs.ext4 -q -m 0 -L kvs-data "$device"
      ;;
    *) give_up "cannot tell what is on the data disk $name: it was left as it is" ;;
  esac
  uuid=$(blkid -p -s UUID -o value "$device")
  if ! grep -q "^UUID=$uuid " /etc/fstab; then
    echo "UUID=$uuid /var/lib/kvs ext4 defaults,noatime,discard,nofail 0 2" >>/etc/fstab
    systemctl daemon-reload
  fi
  mkdir -p /var/lib/kvs
  if ! findmnt /var/lib/kvs >/dev/null; then
    fsck.ext4 -p "$device" >/dev/null || (($? < 4)) || give_up "the file system of data disk $name needs repair: fsck"
    mount "$device" /var/lib/kvs
  fi
  # where the disk has been made larger
  resize2fs "$device" >/dev/null 2>&1 || say "cannot grow the file system of $device"
}

# --- server -------------------------------------------------------------------------------------

# put FILE MODE [GROUP]: writes standard input there, whole or not at all. True where that changed something.
put() {
  local new
  new=$(mktemp "$1.XXXXXX")
  cat >"$new"
  [[ -z ${3:-} ]] || chgrp "$3" "$new"
  chmod "$2" "$new"
  if cmp -s "$new" "$1"; then
    rm "$new"
    return 1
  fi
  mv "$new" "$1"
}

# Writes the environment that the orders ask for to `staging`, where only root can read.
stage_environment() {
  local url file=$staging/environment
  url=$(secret kvs-redis-url kvs-redis-secret) || give_up "cannot read the URL of Redis from Secret Manager"
  printf '%s\n' "$(attribute kvs-options)" >"$file"
  # An order that names no variable must not become one.
  ! grep -Eqv '^([A-Z_]+=.*|#.*|)$' "$file" || give_up "kvs-options takes lines NAME=VALUE, nothing else"
  grep -q '^KVS_' "$file" || give_up "kvs-options is empty: it takes lines such as KVS_STORE=disk"
  [[ -z $url ]] || printf 'KVS_REDIS_URL=%s\n' "$url" >>"$file"
  # An earlier store may have left its file.
  ! grep -q '^KVS_STORE=redis$' "$file" || [[ ! -f $CONFIGURATION/redis-ca.pem ]] ||
    printf 'KVS_REDIS_CA=%s\n' "$CONFIGURATION/redis-ca.pem" >>"$file"
}

# Stages who may log in, as lines USER:PASSWORD, and the server's certificates with their key.
stage_access() {
  # the last line may have no end
  secret kvs-users kvs-users-secret | awk 1 >"$staging/users" ||
    give_up "cannot read the users from Secret Manager"
  if [[ -s $staging/users ]]; then
    ! grep -Evq '^[^: ]+:.+$' "$staging/users" || give_up "kvs-users takes lines USER:PASSWORD, nothing else"
    [[ $(attribute kvs-observe) != yes ]] || printf '%s:%s\n' "$AGENT" "$(agent_password)" >>"$staging/users"
    (($(wc -l <"$staging/users") <= 8)) || give_up "kvs-users has more lines than a server takes"
  fi
  secret kvs-tls kvs-tls-secret >"$staging/tls" || give_up "cannot read the certificate from Secret Manager"
}

# The password of this machine's Ops Agent, which leaves it never.
agent_password() {
  local file=$CONFIGURATION/agent-password
  [[ -s $file ]] || head -c 24 /dev/urandom | base64 | tr '+/' '-_' | put "$file" 0600
  cat "$file"
}

# Puts what was staged where the server reads it, and removes what is no longer wanted. True where that changed something.
put_access() {
  local name unchanged=1
  for name in users tls; do
    local file=$CONFIGURATION/$name
    [[ $name != tls ]] || file+=.pem
    if [[ -s $staging/$name ]]; then
      if put "$file" 0640 kvs <"$staging/$name"; then unchanged=0; fi
    else
      rm -f "$file"
    fi
  done
  return "$unchanged"
}

# Lets nobody but these networks reach the server, nor the server anybody else. True where that changed something.
allow_addresses() {
  local networks file=/etc/systemd/system/kvs-server.service.d/addresses.conf
  networks=$(attribute kvs-allow)
  if [[ -z $networks ]]; then
    [[ -e $file ]] && rm "$file"
    return
  fi
  [[ $networks =~ ^[0-9a-fA-F.:/\ ]+$ ]] || give_up "kvs-allow takes networks such as 10.120.0.0/20, not '$networks'"
  mkdir -p "${file%/*}"
  printf '[Service]\nIPAddressDeny=any\nIPAddressAllow=localhost %s\n' "$networks" | put "$file" 0644
}

# Takes a server that runs out of the load balancer, so that no new connection comes to one that is about to stop.
drain() {
  local seconds
  seconds=$(attribute kvs-drain)
  if [[ -n $seconds && -x $program/kvs-drain ]] && is_up; then
    say "out of the load balancer, $seconds s before the server stops"
    "$program/kvs-drain" out "$seconds" || say "cannot leave the load balancer"
  fi
}

# Back into the load balancer, whatever has become of the server.
undrain() {
  [[ ! -x ${program:-}/kvs-drain ]] || "$program/kvs-drain" in
}

# How soon the system asks a silent connection's other end whether it is there: before the load balancer forgets it.
keep_alive() {
  local seconds
  seconds=$(attribute kvs-keepalive)
  [[ -n $seconds ]] || return 0
  if put /etc/sysctl.d/60-kvs.conf 0644 <<<"net.ipv4.tcp_keepalive_time = $seconds"; then
    sysctl -q -p /etc/sysctl.d/60-kvs.conf
  fi
}

# activate PROGRAM: makes it the one that runs, and waits until it answers.
activate() {
  ln -sfn "$1" "$PROGRAMS/current.new"
  mv -T "$PROGRAMS/current.new" "$PROGRAMS/current"
  put /etc/systemd/system/kvs-server.service 0644 <"$1/kvs-server.service" || true
  systemctl daemon-reload
  systemctl enable --quiet kvs-server.service
  systemctl reset-failed kvs-server.service 2>/dev/null || true
  timeout "$READY_TIMEOUT" systemctl restart kvs-server.service
}

# Whether a server that did not start at the first try comes up after all: systemd goes on trying, and what it lacks may be a
# role that is not known everywhere yet.
comes_up() {
  local end=$((SECONDS + 300))
  until answers; do
    ! restores || end=$((SECONDS + 300))
    if ((SECONDS >= end)) || systemctl is-failed --quiet kvs-server.service; then return 1; fi
    sleep 5
  done
}

# Whether it brings back its items from the copies of a disk that is gone, which takes as long as their bytes take.
restores() {
  [[ -e /var/lib/kvs/data/RESTORING ]] && is_up
}

# Says that it does, while this script waits for its start.
tell_restoring() {
  until restores; do sleep 2; done
  report "restoring its items from the copies"
}

# Whether systemd has it started, or is about to: at a boot after a crash it may be reading its data.
is_up() {
  [[ $(systemctl is-active kvs-server.service) == @(active|activating) ]]
}

# Whether the server runs and answers, with the environment that its own probe reads.
answers() {
  is_up || return 1
  (
    while IFS='=' read -r name value; do
      case $name in KVS_LISTEN | KVS_PORT | KVS_ENABLE_SSL) export "$name=$value" ;; esac
    done <"$ENVIRONMENT"
    KVS_READY_TIMEOUT=$READY_TIMEOUT "$PROGRAMS/current/kvs-ready"
  )
}

run_server() {
  local changed=false reread=false starts=false teller problem
  id -u kvs >/dev/null 2>&1 ||
    useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin kvs
  mount_data_disk
  keep_alive || say "cannot set net.ipv4.tcp_keepalive_time"

  attribute kvs-redis-ca >"$staging/ca"
  if [[ -s $staging/ca ]] && put "$CONFIGURATION/redis-ca.pem" 0644 <"$staging/ca"; then changed=true; fi
  stage_environment
  stage_access
  if put_access; then reread=true; fi
  [[ ! -f $ENVIRONMENT ]] || cp "$ENVIRONMENT" "$staging/environment.before"
  if put "$ENVIRONMENT" 0600 <"$staging/environment"; then changed=true; fi
  if allow_addresses; then changed=true; fi

  if [[ $before == "$program" ]] && ! $changed &&
    cmp -s "$program/kvs-server.service" /etc/systemd/system/kvs-server.service; then
    if answers; then
      if $reread; then
        # No connection ends but those of users who are gone.
        systemctl reload kvs-server.service
        say "the server reads its users and certificates again"
      else
        say "nothing to change: the server runs and answers"
      fi
      return
    fi
    if restores; then
      report "restoring its items from the copies"
      if comes_up; then
        say "the server answers"
        return
      fi
    fi
    # What it has read so far would be lost with a restart.
    ! is_up || give_up "the server does not answer yet: journalctl -u kvs-server tells how far it is"
  fi
  drain
  trap 'undrain; rm -rf "$staging"' EXIT
  tell_restoring &
  teller=$!
  if activate "$program" || { { [[ -z $before ]] || restores; } && comes_up; }; then starts=true; fi
  # Its word must not come after the last one.
  kill "$teller" 2>/dev/null || true
  wait "$teller" 2>/dev/null || true
  if $starts; then
    say "the server answers"
    return
  fi
  problem="the server does not answer with release $release"
  if [[ -d $before && -f $staging/environment.before ]]; then
    put "$ENVIRONMENT" 0600 <"$staging/environment.before" || true
    if activate "$before"; then problem+="; release ${before##*/} runs again"; fi
  fi
  give_up "$problem"
}

# --- observation --------------------------------------------------------------------------------

# Google's Ops Agent with kvs's configuration, where that is wanted. A server without it serves all the same.
observe() {
  local source=/etc/apt/sources.list.d/google-cloud-ops-agent.list key=/etc/apt/keyrings/google-cloud.asc port
  [[ $(attribute kvs-observe) == yes ]] || return 0
  if ! dpkg -s google-cloud-ops-agent >/dev/null 2>&1; then
    mkdir -p /etc/apt/keyrings
    curl -sSf --retry 5 -o "$key" https://packages.cloud.google.com/apt/doc/apt-key.gpg || return 1
    (
      # shellcheck source=/dev/null
      source /etc/os-release
      echo "deb [signed-by=$key] https://packages.cloud.google.com/apt google-cloud-ops-agent-$VERSION_CODENAME-all main"
    ) >"$source"
    apt-get update -q -o "Dir::Etc::sourcelist=$source" -o Dir::Etc::sourceparts=- >/dev/null || return 1
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends google-cloud-ops-agent >/dev/null ||
      return 1
  fi
  port=$(sed -n 's/^KVS_HTTP=\(.*:\)\?//p' "$ENVIRONMENT" | tail -n 1)
  mkdir -p /etc/google-cloud-ops-agent
  {
    printf 's/127\.0\.0\.1:9150/127.0.0.1:%s/\n' "${port:-9150}"
    # Where the server has users the agent is one.
    [[ ! -s $CONFIGURATION/users ]] ||
      printf 's/^\( *\)metrics_path:.*/&\\n\\1basic_auth: {username: %s, password: "%s"}/\n' "$AGENT" "$(agent_password)"
  } >"$staging/agent"
  if sed -f "$staging/agent" "$program/ops-agent.yaml" | put /etc/google-cloud-ops-agent/config.yaml 0600; then
    systemctl restart google-cloud-ops-agent
  fi
}

# --- client -------------------------------------------------------------------------------------

set_up_client() {
  ln -sfn "$program" "$PROGRAMS/current"
  ln -sfn "$PROGRAMS/current/kvs-bench" /usr/local/bin/kvs-bench
  secret kvs-users kvs-users-secret | head -n 1 >"$staging/user" ||
    give_up "cannot read the password from Secret Manager"
  attribute kvs-ca >"$staging/ca"
  # A login shell reads it.
  printf 'export KVS_SERVERS=%q\n' "$(attribute kvs-servers)" >"$staging/profile"
  if [[ -s $staging/user ]]; then
    # Who may log in to this machine is who may use the servers.
    cut -d : -f 2- "$staging/user" | put "$CONFIGURATION/password" 0644 || true
    printf 'export KVS_USER=%q KVS_PASSWORD_FILE=%q\n' "$(cut -d : -f 1 "$staging/user")" "$CONFIGURATION/password" \
      >>"$staging/profile"
  else
    rm -f "$CONFIGURATION/password"
  fi
  if [[ -s $staging/ca ]]; then
    put "$CONFIGURATION/ca.pem" 0644 <"$staging/ca" || true
    printf 'export KVS_TLS=true KVS_CA=%s\n' "$CONFIGURATION/ca.pem" >>"$staging/profile"
  fi
  put /etc/profile.d/kvs.sh 0644 <"$staging/profile" || true
}

# --- watch --------------------------------------------------------------------------------------

# Waits until the metadata is no longer what the last run has seen, then runs the script that it holds now.
watch() {
  local seen new
  seen=$(cat /run/kvs-metadata-etag 2>/dev/null || true)
  while :; do
    new=$(metadata_etag "?recursive=true&wait_for_change=true&timeout_sec=300&last_etag=${seen:-0}") || {
      sleep 5
      continue
    }
    [[ $new == "$seen" ]] || break
  done
  attribute startup-script >"$staging/startup.sh"
  bash "$staging/startup.sh"
}

# Before all else that may fail, so that new orders mend what old ones broke.
install_watch() {
  mkdir -p "$PROGRAMS"
  put "$PROGRAMS/startup.sh" 0755 <"$0" || true
  if put /etc/systemd/system/kvs-update.service 0644; then systemctl daemon-reload; fi <<UNIT
[Unit]
Description=Brings kvs up to date when the metadata of this virtual machine changes
Wants=network-online.target
After=network-online.target google-startup-scripts.service

[Service]
Type=exec
ExecStart=$PROGRAMS/startup.sh --watch
# Ends after each change, so that the next one is met by the new script.
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
UNIT
  systemctl enable --quiet kvs-update.service
  # It starts after this script, so waiting for it here would never end.
  systemctl start --no-block kvs-update.service
}

metadata_etag() {
  local etag
  etag=$(curl -sf -m 330 -D - -o /dev/null -H 'Metadata-Flavor: Google' "$METADATA/instance/attributes/$1" |
    tr -d '\r' | sed -n 's/^[Ee][Tt]ag: *//p')
  [[ -n $etag ]] && echo "$etag"
}

# --- all of it ----------------------------------------------------------------------------------

[[ $(id -u) == 0 ]] || { say "needs root: sudo $0" && exit 1; }
# mktemp makes it for root alone
staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT

if [[ ${1:-} == --watch ]]; then
  watch
  exit
fi

deployment=local
bucket=
release=local
if [[ -z ${KVS_SOURCE:-} ]]; then
  # What changes from here on is a change that the watch must see.
  metadata_etag "?recursive=true" >/run/kvs-metadata-etag || true
  deployment=$(attribute kvs-deployment)
  bucket=$(attribute kvs-bin-bucket)
  release=$(attribute kvs-release)
fi
role=$(attribute kvs-role)
trap 'report "failed: line $LINENO of the startup script"' ERR

mkdir -p "$CONFIGURATION"
if [[ -z ${KVS_SOURCE:-} ]]; then install_watch; fi
before=$(readlink "$PROGRAMS/current" || true)
install_release
case ${role:-server} in
  client) set_up_client ;;
  server)
    run_server
    observe || say "cannot install Google's Ops Agent: the log and metrics stay on this machine"
    ;;
  *) give_up "kvs-role takes server or client, not '$role'" ;;
esac
prune_releases
ln -sfn "$PROGRAMS/current/kvs-client" /usr/local/bin/kvs-client
report ready
