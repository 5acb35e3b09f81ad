#!/usr/bin/env bash
# Says what there is of kvs on Google Cloud, and how it does. Exit code 1 where a server does not answer.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
Usage: [KVS_PROJECT=demo] [...] infra/status.sh

Says which VMs, disks, buckets and Redis there are, what runs on them, and whether the servers answer.
TEXT
}

read_flags "" "$@"
begin
take_stock_of_apis
take_stock network address disk instance group backend bucket redis-instance redis-cluster valkey

if ! exists network "$network"; then
  echo "There is no network $network in project $KVS_PROJECT: kvs is not there. infra/create.sh makes it."
  exit 1
fi

line() { printf '%-12s %-28s %s\n' "$@"; }

ill=0
look=()
line address "$address" "${found[address/$address]:-missing}:$KVS_PORT"
servers=0
for key in "${!found[@]}"; do
  [[ $key == "instance/$server"* || $key == "instance/$client" ]] || continue
  name=${key#instance/}
  read -r zone status deployment <<<"${found[$key]}"
  state=$(vm_state "$name" "$zone")
  if [[ $state != "$deployment ready" ]]; then
    ill=$((ill + 1))
    look+=("$name $zone")
  fi
  [[ $name == "$client" ]] || servers=$((servers + 1))
  line vm "$name" "$zone $status, deployment $deployment, says: ${state:-nothing yet}"
done
((servers > 0)) || { line vm "$server" "missing" && ill=$((ill + 1)); }
if exists group "$group"; then
  read -r template size <<<"${found[group/$group]}"
  line group "$group" "$size servers, template $template"
fi
if exists backend "$backend"; then
  ask "" compute backend-services get-health "$backend" "--region=$KVS_REGION" --flatten="status.healthStatus[]" \
    "--format=value(status.healthStatus.instance.basename(),status.healthStatus.healthState)"
  while read -r name health; do
    line balancer "${name:-none}" "${health:-no server}"
    [[ $health == HEALTHY ]] || ill=$((ill + 1))
  done <<<"$answer"
fi
if exists disk "$data_disk"; then line disk "$data_disk" "kept by infra/destroy.sh unless --data is given"; fi
for name in "$KVS_BIN_BUCKET" "$KVS_BUCKET" "$copy_bucket"; do
  if exists bucket "$name"; then line bucket "$name" "gs://$name"; fi
done
for key in "redis-instance/$redis" "redis-cluster/$redis" "valkey/$redis"; do
  if [[ -n ${found[$key]:-} ]]; then
    read -r host port status <<<"${found[$key]}"
    line "${key%%/*}" "$redis" "$status at $host:$port"
    [[ $status == READY || $status == ACTIVE ]] || ill=$((ill + 1))
  fi
done

if ((ill > 0)); then
  echo "Not all is well."
  for name in "${look[@]}"; do where_to_look "${name% *}" "${name#* }"; done
  exit 1
fi
echo "All is well."
