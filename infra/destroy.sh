#!/usr/bin/env bash
# Removes what infra/create.sh made. What holds items (data disk, bucket, Redis) stays unless --data is given.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
Usage: [KVS_PROJECT=demo] [...] infra/destroy.sh [--data] [--yes] [--dry-run]

Removes what infra/create.sh made, after asking. Items are kept: the data disk with its snapshots, the bucket of
its copies or of the items and Redis, which lives in the network, stay, and so do the password and the authority of
the certificate, which clients know. infra/create.sh finds them again.

  --data      the items too: data disk, snapshots, copies, bucket of the items, Redis; password and certificate.
              Nothing brings them back
  --yes       do not ask
  --dry-run   print the gcloud commands that would remove everything of any store, one a line; needs no credentials
  -h, --help  this text
TEXT
}

data=false
yes=false
read_flags "--data --yes --dry-run" "$@"

begin
# shellcheck disable=SC2034 # read by failed()
when_failed="What was removed so far is gone. Once that is settled, run infra/destroy.sh again: it goes on from here."

data_role="roles/storage.objectUser serviceAccount:$server_email"
copy_role=$data_role
secret_role="roles/secretmanager.secretAccessor serviceAccount:$server_email"
users_client_role="roles/secretmanager.secretAccessor serviceAccount:$client_email"
take_stock_of_apis
take_stock network subnet firewall-rule address disk snapshot-schedule instance template group health-check \
  backend forwarding-rule service-account bucket redis-instance redis-cluster valkey connection-policy secret \
  project-role router patch-deployment dashboard alert namespace uptime-check
$dry_run || take_stock peering data-role copy-role secret-role users-role
if $dry_run; then
  for thing in "forwarding-rule/$forwarding_rule" "backend/$backend" "group/$group" "template/$group-DEPLOYMENT" \
    "health-check/$health_check" "health-check/$heal_check" "router/$router" "patch-deployment/$patches" \
    "valkey/$redis" "instance/$server" "instance/$client" "disk/$data_disk" \
    "snapshot-schedule/$snapshots" "redis-instance/$redis" "redis-cluster/$redis" \
    "connection-policy/$redis_policy" "peering/servicenetworking-googleapis-com" "secret/$redis_secret" \
    "bucket/$KVS_BIN_BUCKET" "bucket/$KVS_BUCKET" "bucket/$copy_bucket" "service-account/$server_email" \
    "service-account/$client_email" "address/$address" "address/$services_range" "subnet/$subnet" \
    "network/$network" "data-role/$data_role" "copy-role/$copy_role" "secret-role/$secret_role" \
    "secret/$users_secret" "secret/$tls_secret" "secret/$authority_secret" "users-role/$secret_role" \
    "users-role/$users_client_role" "firewall-rule/$KVS_NAME-clients" "firewall-rule/$KVS_NAME-health" \
    "firewall-rule/$KVS_NAME-ssh" "firewall-rule/$KVS_NAME-uptime" "namespace/$namespace" "project-role/roles/logging.logWriter serviceAccount:$server_email"; do
    found[$thing]=yes
  done
  found[dashboard/$dashboard]=DASHBOARD
  found[uptime-check/$uptime_check]=CHECK
  for name in "${ALERTS[@]}"; do found[alert/$(alert_name "$name")]=ALERT; done
fi

# --- what goes, in the order in which Google lets go ----------------------------------------------

plan=()
kept=()

# remove KIND NAME COMMAND…: plans the command where there is such a thing.
remove() {
  local kind=$1 name=$2
  shift 2
  exists "$kind" "$name" || return 0
  plan+=("$kind $name"$'\t'"$(printf '%s\037' "$@")")
}

# remove_items KIND NAME COMMAND…: the same for what holds items.
remove_items() {
  if $data; then
    remove "$@"
  elif exists "$1" "$2"; then
    kept+=("$1 $2")
  fi
}

region=--region=$KVS_REGION
zone=--zone=$KVS_ZONE
remove forwarding-rule "$forwarding_rule" compute forwarding-rules delete "$forwarding_rule" "$region"
remove backend "$backend" compute backend-services delete "$backend" "$region"
remove group "$group" compute instance-groups managed delete "$group" "$region"
for key in "${!found[@]}"; do
  [[ $key == "template/$group-"* ]] || continue
  remove template "${key#template/}" compute instance-templates delete "${key#template/}"
done
remove health-check "$health_check" compute health-checks delete "$health_check" --global
remove health-check "$heal_check" compute health-checks delete "$heal_check" --global
remove dashboard "$dashboard" monitoring dashboards delete "${found[dashboard/$dashboard]:-}"
for name in "${ALERTS[@]}"; do
  title=$(alert_name "$name")
  remove alert "$title" alpha monitoring policies delete "${found[alert/$title]:-}"
done
# The roles of Google's account that checks stay: other checks may need them.
remove uptime-check "$uptime_check" monitoring uptime delete "${found[uptime-check/$uptime_check]:-}"
remove namespace "$namespace" service-directory namespaces delete "$namespace" "--location=$KVS_REGION"
remove patch-deployment "$patches" compute os-config patch-deployments delete "$patches"
remove instance "$server" compute instances delete "$server" "$zone"
remove instance "$client" compute instances delete "$client" "$zone"
remove_items disk "$data_disk" compute disks delete "$data_disk" "$zone"
if $data; then
  if exists disk "$data_disk" || exists snapshot-schedule "$snapshots"; then
    ask "$data_disk-SNAPSHOT" compute snapshots list "--filter=sourceDisk~/disks/$data_disk\$" "--format=value(name)"
    for name in $answer; do
      found[snapshot/$name]=yes
      remove snapshot "$name" compute snapshots delete "$name"
    done
  fi
fi
# A disk that stays goes on being copied each night.
if $data || ! exists disk "$data_disk"; then
  remove snapshot-schedule "$snapshots" compute resource-policies delete "$snapshots" "$region"
fi
remove_items redis-instance "$redis" redis instances delete "$redis" "$region"
remove_items redis-cluster "$redis" redis clusters delete "$redis" "$region"
remove_items valkey "$redis" memorystore instances delete "$redis" "--location=$KVS_REGION"

redis_stays=false
[[ " ${kept[*]:-}" == *" "@(redis-|valkey )* ]] && redis_stays=true
if $redis_stays; then
  exists network "$network" && kept+=("network $network, in which Redis lives")
else
  remove connection-policy "$redis_policy" network-connectivity service-connection-policies delete "$redis_policy" "$region"
  remove peering servicenetworking-googleapis-com services vpc-peerings delete \
    --service=servicenetworking.googleapis.com "--network=$network"
  remove secret "$redis_secret" secrets delete "$redis_secret"
fi
# Clients know the password, and the authority; a certificate is for one address.
remove secret "$tls_secret" secrets delete "$tls_secret"
for name in "$users_secret" "$authority_secret"; do remove_items secret "$name" secrets delete "$name"; done
remove bucket "$KVS_BIN_BUCKET" storage rm --recursive "$bin_bucket"
remove_items bucket "$KVS_BUCKET" storage rm --recursive "$data_bucket"
# Of another name it is not this deployment's own.
own_copies=false
[[ $copy_bucket != "$KVS_PROJECT-$KVS_NAME-copies" ]] || own_copies=true
if $own_copies; then remove_items bucket "$copy_bucket" storage rm --recursive "gs://$copy_bucket"; fi
for rule in clients health ssh uptime; do
  remove firewall-rule "$KVS_NAME-$rule" compute firewall-rules delete "$KVS_NAME-$rule"
done
# A deleted account's roles would stay where they are as roles of nobody, which a new account of its name has not.
$data || remove data-role "$data_role" storage buckets remove-iam-policy-binding "$data_bucket" \
  "--member=serviceAccount:$server_email" --role=roles/storage.objectUser
{ $data && $own_copies; } || remove copy-role "$copy_role" storage buckets remove-iam-policy-binding "gs://$copy_bucket" \
  "--member=serviceAccount:$server_email" --role=roles/storage.objectUser
# forbid KIND SECRET EMAIL: the account can read that secret no more.
forbid() {
  remove "$1" "roles/secretmanager.secretAccessor serviceAccount:$3" secrets remove-iam-policy-binding "$2" \
    "--member=serviceAccount:$3" --role=roles/secretmanager.secretAccessor --condition=None
}
! $redis_stays || forbid secret-role "$redis_secret" "$server_email"
if ! $data; then
  forbid users-role "$users_secret" "$server_email"
  forbid users-role "$users_secret" "$client_email"
fi
for email in "$server_email" "$client_email"; do
  for key in "${!found[@]}"; do
    [[ $key == "project-role/"*" serviceAccount:$email" ]] || continue
    role=${key#project-role/}
    role=${role% *}
    remove project-role "$role serviceAccount:$email" projects remove-iam-policy-binding "$KVS_PROJECT" \
      "--member=serviceAccount:$email" "--role=$role" --condition=None
  done
  remove service-account "$email" iam service-accounts delete "$email"
done
remove router "$router" compute routers delete "$router" "$region"
remove address "$address" compute addresses delete "$address" "$region"
if ! $redis_stays; then
  remove address "$services_range" compute addresses delete "$services_range" --global
  remove subnet "$subnet" compute networks subnets delete "$subnet" "$region"
  remove network "$network" compute networks delete "$network"
fi

# --- ask, and do it ---------------------------------------------------------------------------------

if ((${#plan[@]} == 0)); then
  echo "Nothing to remove in project $KVS_PROJECT."
else
  if ! $dry_run; then
    echo "This goes from project $KVS_PROJECT:"
    printf '  %s\n' "${plan[@]%%$'\t'*}"
    $data && echo "With it go all items of this kvs. Nothing brings them back."
    if ! $yes; then
      read -r -p "Type the project's name to go on: " reply || true
      [[ $reply == "$KVS_PROJECT" ]] || fail "Nothing was removed."
    fi
  fi
  for entry in "${plan[@]}"; do
    words=()
    while IFS= read -r -d $'\037' word; do words+=("$word"); done <<<"${entry#*$'\t'}"
    run "${words[@]}"
  done
  $dry_run || echo "Removed ${#plan[@]} things."
fi
for thing in "${kept[@]}"; do echo "Kept: $thing. 'infra/destroy.sh --data' removes it."; done
