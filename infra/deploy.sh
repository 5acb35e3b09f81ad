#!/usr/bin/env bash
# Brings new executables and options onto the running VMs, one after another. Where a VM's server does not
# answer afterwards, that VM and those before it go back to what they ran, and the rest is left alone.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
Usage: [KVS_PROJECT=demo] [KVS_STORE=disk|gcs|redis] [...] infra/deploy.sh [--dry-run]

Brings bin/kvs-server, bin/kvs-client and the options of infra/kvs.env onto the VMs that infra/create.sh made.

  --dry-run   print the gcloud commands, one a line; needs no credentials
  -h, --help  this text
TEXT
}

read_flags "--dry-run" "$@"

begin
stage_release
take_stock_of_apis
if [[ $KVS_STORE == disk ]]; then
  take_stock bucket address instance
else
  take_stock bucket address instance group template health-check
fi
if needs_users || needs_tls; then take_stock secret; fi

if $dry_run; then
  found[instance/$server]="$KVS_ZONE RUNNING OLD"
  found[instance/$client]="$KVS_ZONE RUNNING OLD"
  found[group/$group]=$group-OLD$'\t'$KVS_SERVER_COUNT
  found[address/$address]=ADDRESS
  found[health-check/$health_check]=$(expected_health_check)
  found[secret/$users_secret]=yes
  found[secret/$tls_secret]=yes
fi
if [[ $KVS_STORE == disk ]]; then
  exists instance "$server" || fail "There is no VM $server in project $KVS_PROJECT: run infra/create.sh first."
else
  exists group "$group" || fail "There is no group $group in project $KVS_PROJECT: run infra/create.sh first."
fi

# The group would make servers anew that answer well, where its check expects another answer.
if grouped && [[ ${found[health-check/$health_check]:-} != $(expected_health_check) ]]; then
  fail "The health check $health_check was not made for KVS_AUTH=$KVS_AUTH and KVS_TLS=$KVS_TLS. Set them as they were, or" \
    "make the servers anew, which leaves the items where they are: infra/destroy.sh, then infra/create.sh."
fi
find_access

upload_release
if [[ $KVS_STORE == redis ]]; then find_redis; fi
if needs_redis_secret; then
  step "Secret: the AUTH string that Redis has now, which may have changed"
  store_redis_url
fi
server_ip=${found[address/$address]}
stage_deployment

# runs VM: the deployment that a VM was told to run.
runs() {
  local -a known
  read -ra known <<<"${found[instance/$1]:-}"
  echo "${known[2]:-}"
}

# runs_already VM ZONE: says so, where the VM has done what it was told.
runs_already() {
  $dry_run || wait_ready "$1" "$2" ||
    fail "$1 was told deployment $deployment already and does not answer: $state. To let it try again:" \
      "gcloud compute instances reset $1 --zone=$2 --project=$KVS_PROJECT"$'\n'"$(where_to_look "$1" "$2")"
  echo "= $1 runs deployment $deployment already"
}

# tell VM ZONE: writes the VM its new orders, which it follows immediately; waits for its answer.
tell() {
  run compute instances add-metadata "$1" "--zone=$2" "${metadata[@]}"
  $dry_run || wait_ready "$1" "$2"
}

# remember VM ZONE: keeps the VM's orders in files, to give them again should the new ones not do.
remember() {
  local key value
  before=()
  # Values of several lines, hence ends that no line has.
  ask "" compute instances describe "$1" "--zone=$2" --flatten=metadata.items \
    $'--format=value[separator="\037",terminator="\036"](metadata.items.key,metadata.items.value)'
  while IFS=$'\037' read -r -d $'\036' key value; do
    printf '%s' "$value" >"$work/before.$key"
    before+=("$key=$work/before.$key")
  done <<<"$answer"
}

# update_vm VM ZONE: tells one VM, and takes it back where its server does not answer.
update_vm() {
  if [[ $(runs "$1") == "$deployment" ]]; then
    runs_already "$1" "$2"
    return
  fi
  remember "$1" "$2"
  tell "$1" "$2" && changes=$((changes + 1)) && return
  local problem=$state wanted=$deployment
  step "Back: $1 does not answer with the new deployment"
  deployment=$(runs "$1")
  run compute instances add-metadata "$1" "--zone=$2" \
    "--metadata-from-file=$(IFS=, && echo "${before[*]}")"
  local outcome="It runs $deployment again."
  wait_ready "$1" "$2" || outcome="It does not answer with the old deployment either: $state."
  fail "Deployment $wanted failed on $1: $problem. $outcome"$'\n'"$(where_to_look "$1" "$2")"
}

# refresh VM: lets a VM of the group take over the group's template, without a restart where that can be.
refresh() {
  run compute instance-groups managed update-instances "$group" "--region=$KVS_REGION" "--instances=$1" \
    --minimal-action=refresh --most-disruptive-allowed-action=restart
}

# balanced VM: waits until the load balancer's own checks find the VM's server well.
balanced() {
  local end=$((SECONDS + KVS_READY_TIMEOUT))
  $dry_run && end=$SECONDS
  while :; do
    ask "$1"$'\tHEALTHY' compute backend-services get-health "$backend" "--region=$KVS_REGION" \
      "--flatten=status.healthStatus[]" \
      "--format=value(status.healthStatus.instance.basename(),status.healthStatus.healthState)"
    grep -qx "$1"$'\tHEALTHY' <<<"$answer" && return
    state="the load balancer's health check does not find it healthy"
    ((SECONDS < end)) || return 1
    sleep "${KVS_POLL_SECONDS:-5}"
  done
}

# A VM that was made before it was to be copied has a token that may only read.
check_copy_scope() {
  copied || return 0
  local vm="$server --zone=$KVS_ZONE --project=$KVS_PROJECT"
  ask devstorage.read_write compute instances describe "$server" "--zone=$KVS_ZONE" \
    "--format=value(serviceAccounts[0].scopes)"
  [[ $answer == *devstorage.@(read_write|full_control)* || $answer == *auth/cloud-platform* ]] ||
    fail "$server may not write to buckets, as copies have to. Its scopes change while it is stopped, for a minute:" \
      $'\n'"gcloud compute instances stop $vm" \
      $'\n'"gcloud compute instances set-service-account $vm --service-account=$server_email --scopes=$(server_scopes)" \
      $'\n'"gcloud compute instances start $vm"
}

update_group() {
  local old size name zone members updated=()
  read -r old size <<<"${found[group/$group]}"
  group_members "$size"
  members=$answer
  if [[ $old == "$group-$deployment" ]]; then
    while read -r name zone; do runs_already "$name" "$zone"; done <<<"$members"
    return
  fi
  create_template
  run compute instance-groups managed set-instance-template "$group" "--region=$KVS_REGION" "--template=$template"
  while read -r name zone; do
    updated+=("$name $zone")
    refresh "$name"
    if ! $dry_run && ! wait_ready "$name" "$zone" || ! balanced "$name"; then
      local problem=$state failed_vm=$name failed_zone=$zone wanted=$deployment outcome=
      step "Back: $name does not answer with the new deployment"
      run compute instance-groups managed set-instance-template "$group" "--region=$KVS_REGION" "--template=$old"
      deployment=${old#"$group-"}
      for name in "${updated[@]}"; do
        refresh "${name% *}"
        wait_ready "${name% *}" "${name#* }" ||
          outcome+=" ${name% *} does not answer with the old deployment either: $state."
      done
      run compute instance-templates delete "$template"
      fail "Deployment $wanted failed on $failed_vm: $problem." \
        "${outcome:-All servers run $deployment again.}"$'\n'"$(where_to_look "$failed_vm" "$failed_zone")"
    fi
  done <<<"$members"
  changes=$((changes + 1))
  run compute instance-templates delete "$old"
}

if [[ $KVS_STORE == disk ]]; then
  check_copy_scope
  step "Server: told its new release, it restarts its server in about a second"
  vm_metadata server
  update_vm "$server" "$KVS_ZONE"
else
  step "Servers: one after another, the next when the one before answers"
  update_group
fi
if exists instance "$client"; then
  step "Client: the new kvs-client"
  vm_metadata client
  update_vm "$client" "$KVS_ZONE"
fi

$dry_run && exit
if ((changes == 0)); then
  echo "Nothing to do: release $release with these options runs already."
else
  echo "Done: release $release, deployment $deployment."
fi
