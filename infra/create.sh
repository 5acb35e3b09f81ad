#!/usr/bin/env bash
# Makes kvs on Google Cloud: network, accounts, buckets, store, servers and a client, as infra/kvs.env says.
# A second run makes what is missing and leaves the rest as it is.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
Usage: [KVS_PROJECT=demo] [KVS_STORE=disk|gcs|redis] [...] infra/create.sh [--dry-run]

Makes kvs on Google Cloud. The settings are those of infra/kvs.env; each can come from the environment.

  --dry-run   print the gcloud commands, one a line, for a project where nothing exists; needs no credentials
  -h, --help  this text
TEXT
}

read_flags "--dry-run" "$@"

begin
stage_release
# shellcheck disable=SC2034 # read by failed()
when_failed="What was made so far stays. Once that is settled, run infra/create.sh again: it goes on from here."

# --- APIs ----------------------------------------------------------------------------------------

step "APIs: what the project must allow before anything can be made"
apis=(compute storage iam cloudresourcemanager logging monitoring iap oslogin)
case $KVS_STORE/$KVS_REDIS_KIND in
  redis/instance) apis+=(redis servicenetworking) ;;
  redis/cluster) apis+=(redis networkconnectivity) ;;
  redis/valkey) apis+=(memorystore networkconnectivity) ;;
esac
if needs_users || needs_tls || needs_redis_secret; then apis+=(secretmanager); fi
[[ $KVS_PATCHING != yes ]] || apis+=(osconfig)
[[ $KVS_UPTIME != yes ]] || apis+=(servicedirectory)
take_stock_of_apis
missing=()
for api in "${apis[@]}"; do
  if ! exists api "$api"; then
    missing+=("$api.googleapis.com")
    found["api/$api"]=yes
  fi
done
if ((${#missing[@]} == 0)); then
  echo "= all ${#apis[@]} APIs are enabled"
else
  change services enable "${missing[@]}"
fi

step "What exists already"
kinds=(network subnet firewall-rule address service-account bucket project-role instance)
case $KVS_STORE/$KVS_REDIS_KIND in
  disk/*) kinds+=(disk snapshot-schedule) ;;
  *) kinds+=(template group health-check backend forwarding-rule) ;;
esac
[[ $KVS_NAT != yes ]] || kinds+=(router)
[[ $KVS_PATCHING != yes ]] || kinds+=(patch-deployment)
[[ $KVS_DASHBOARD != yes ]] || kinds+=(dashboard)
[[ -z $KVS_ALERT_CHANNELS ]] || kinds+=(alert)
[[ $KVS_UPTIME != yes ]] || kinds+=(namespace uptime-check)
if needs_users || needs_tls || needs_redis_secret; then kinds+=(secret); fi
parts=(bin-role)
if needs_users; then parts+=(users-role); fi
if needs_tls; then parts+=(tls-role); fi
[[ $KVS_UPTIME != yes ]] || parts+=(directory-service)
! copied || parts+=(copy-role)
case $KVS_STORE/$KVS_REDIS_KIND in
  gcs/*) parts+=(data-role) ;;
  redis/instance)
    kinds+=(redis-instance)
    parts+=(peering)
    if needs_redis_secret; then parts+=(secret-role); fi
    ;;
  redis/cluster) kinds+=(redis-cluster connection-policy) ;;
  redis/valkey) kinds+=(valkey connection-policy) ;;
esac
take_stock "${kinds[@]}"
take_stock "${parts[@]}"
[[ $KVS_UPTIME != yes ]] || take_stock endpoint

# --- network -------------------------------------------------------------------------------------

step "Network: one of its own, without the default network's open rules"
ensure network "$network" compute networks create "$network" --subnet-mode=custom \
  --bgp-routing-mode=regional "--description=kvs and its clients"

step "Subnet: machines without an address outside reach Google's APIs by Private Google Access"
ensure subnet "$subnet" compute networks subnets create "$subnet" "--network=$network" \
  "--region=$KVS_REGION" "--range=$KVS_SUBNET_RANGE" --enable-private-ip-google-access

if [[ $KVS_NAT == yes ]]; then
  step "Cloud NAT: the machines' way to the internet, which leads nobody in"
  if exists router "$router"; then
    echo "= router $router is there"
  else
    change compute routers create "$router" "--region=$KVS_REGION" "--network=$network"
    change compute routers nats create "$router" "--router=$router" "--region=$KVS_REGION" \
      --auto-allocate-nat-external-ips --nat-all-subnet-ip-ranges
  fi
fi

# --- accounts ------------------------------------------------------------------------------------

step "Service accounts: one for the servers, one for the client, with no role but those below"
ensure service-account "$server_email" iam service-accounts create "$server_account" \
  "--display-name=kvs servers"
ensure service-account "$client_email" iam service-accounts create "$client_account" \
  "--display-name=kvs client"

step "Project roles: write logs and metrics"
for email in "$server_email" "$client_email"; do
  for role in roles/logging.logWriter roles/monitoring.metricWriter; do
    ensure project-role "$role serviceAccount:$email" projects add-iam-policy-binding "$KVS_PROJECT" \
      "--member=serviceAccount:$email" "--role=$role" --condition=None
  done
done

if redis_iam; then
  step "Role: log in to Redis with the account's access token"
  ensure project-role "$(redis_role) serviceAccount:$server_email" projects add-iam-policy-binding "$KVS_PROJECT" \
    "--member=serviceAccount:$server_email" "--role=$(redis_role)" --condition=None
fi

# --- firewall ------------------------------------------------------------------------------------

step "Firewall: memcached's protocol from the subnet, to the servers' account only"
ensure firewall-rule "$KVS_NAME-clients" compute firewall-rules create "$KVS_NAME-clients" \
  "--network=$network" --direction=INGRESS --action=ALLOW "--rules=tcp:$KVS_PORT" \
  "--source-ranges=$KVS_SUBNET_RANGE" "--target-service-accounts=$server_email"
if [[ $KVS_STORE != disk ]]; then
  step "Firewall: Google's health checks, to the servers only"
  ensure firewall-rule "$KVS_NAME-health" compute firewall-rules create "$KVS_NAME-health" \
    "--network=$network" --direction=INGRESS --action=ALLOW "--rules=tcp:$KVS_PORT" \
    --source-ranges=35.191.0.0/16,130.211.0.0/22 "--target-service-accounts=$server_email"
fi
step "Firewall: SSH through Identity-Aware Proxy, which asks who you are; from nowhere else"
ensure firewall-rule "$KVS_NAME-ssh" compute firewall-rules create "$KVS_NAME-ssh" \
  "--network=$network" --direction=INGRESS --action=ALLOW --rules=tcp:22 \
  --source-ranges=35.235.240.0/20 "--target-service-accounts=$server_email,$client_email"

# --- buckets -------------------------------------------------------------------------------------

step "Bucket of the executables: uniform access, never public; deleted releases can be had back for a week"
# shellcheck disable=SC2046 # no flag where nothing is set
ensure bucket "$KVS_BIN_BUCKET" storage buckets create "$bin_bucket" "--location=$KVS_REGION" \
  --uniform-bucket-level-access --public-access-prevention --soft-delete-duration=7d \
  $(with_key --default-encryption-key)
for email in "$server_email" "$client_email"; do
  ensure bin-role "roles/storage.objectViewer serviceAccount:$email" storage buckets add-iam-policy-binding \
    "$bin_bucket" "--member=serviceAccount:$email" --role=roles/storage.objectViewer
done
upload_release

if [[ $KVS_STORE == gcs ]]; then
  # A store overwrites all the time: kept versions or soft-deleted objects would be paid for and never read.
  step "Bucket of the items: uniform access, never public, no copies of what was overwritten"
  # shellcheck disable=SC2046 # no flag where nothing is set
  ensure bucket "$KVS_BUCKET" storage buckets create "$data_bucket" "--location=$KVS_BUCKET_LOCATION" \
    --uniform-bucket-level-access --public-access-prevention --soft-delete-duration=0 \
    ${KVS_BUCKET_PLACEMENT:+"--placement=$KVS_BUCKET_PLACEMENT"} $(with_key --default-encryption-key)
  [[ ${found[bucket/$KVS_BUCKET]} == Delete ]] ||
    change storage buckets update "$data_bucket" --no-versioning "--lifecycle-file=$infra/lifecycle.json"
  ensure data-role "roles/storage.objectUser serviceAccount:$server_email" storage buckets add-iam-policy-binding \
    "$data_bucket" "--member=serviceAccount:$server_email" --role=roles/storage.objectUser
fi

if copied; then
  # No rule goes by age: what is years old may be needed. The server removes what no moment needs any more.
  step "Bucket of the copies: uniform access, never public; what the server removes can be had back for a week"
  # shellcheck disable=SC2046 # no flag where nothing is set
  ensure bucket "$copy_bucket" storage buckets create "gs://$copy_bucket" "--location=$KVS_COPY_LOCATION" \
    --uniform-bucket-level-access --public-access-prevention --soft-delete-duration=7d \
    $(with_key --default-encryption-key)
  [[ ${found[bucket/$copy_bucket]} == Delete ]] ||
    change storage buckets update "gs://$copy_bucket" "--lifecycle-file=$infra/copies-lifecycle.json"
  ensure copy-role "roles/storage.objectUser serviceAccount:$server_email" storage buckets add-iam-policy-binding \
    "gs://$copy_bucket" "--member=serviceAccount:$server_email" --role=roles/storage.objectUser
fi

# --- store ---------------------------------------------------------------------------------------

if [[ $KVS_STORE == disk ]]; then
  step "Snapshots: a copy of the data disk each night, kept $KVS_SNAPSHOT_DAYS days"
  ensure snapshot-schedule "$snapshots" compute resource-policies create snapshot-schedule "$snapshots" \
    "--region=$KVS_REGION" --daily-schedule --start-time=03:00 "--max-retention-days=$KVS_SNAPSHOT_DAYS" \
    --on-source-disk-delete=apply-retention-policy
  step "Data disk: of its own, so that it outlives the VM; the startup script formats it once"
  # shellcheck disable=SC2046 # no flag where nothing is set
  ensure disk "$data_disk" compute disks create "$data_disk" "--zone=$KVS_ZONE" \
    "--type=$KVS_DISK_TYPE" "--size=${KVS_DISK_GB}GB" "--resource-policies=$snapshots" $(with_key --kms-key)
fi

if [[ $KVS_STORE/$KVS_REDIS_KIND == redis/instance ]]; then
  step "Service networking: a range of addresses where Google places the Redis, and the way there"
  ensure address "$services_range" compute addresses create "$services_range" --global \
    --purpose=VPC_PEERING --prefix-length=24 "--network=$network"
  ensure peering servicenetworking-googleapis-com services vpc-peerings connect \
    --service=servicenetworking.googleapis.com "--ranges=$services_range" "--network=$network"

  # maxmemory-policy: a store may refuse an item but not forget one. rdb: what a failure of both nodes leaves.
  step "Memorystore for Redis: with encryption in transit, hourly snapshots (takes about 10 minutes)"
  auth=--enable-auth
  if ! needs_redis_secret; then
    step "KVS_REDIS_AUTH=none: whoever reaches its address in this network may read and change everything"
    auth=--no-enable-auth
  fi
  # shellcheck disable=SC2046 # no flag where nothing is set
  ensure redis-instance "$redis" redis instances create "$redis" "--region=$KVS_REGION" \
    "--tier=$KVS_REDIS_TIER" "--size=$KVS_REDIS_GB" --redis-version=redis_7_2 \
    "--network=projects/$KVS_PROJECT/global/networks/$network" --connect-mode=private-service-access \
    "$auth" --transit-encryption-mode=server-authentication \
    --redis-config=maxmemory-policy=noeviction --persistence-mode=rdb --rdb-snapshot-period=1h \
    $(maintenance_window) $(with_key --customer-managed-key)
  find_redis

  if needs_redis_secret; then
    step "Secret: the URL with the AUTH string, for the servers' account only"
    make_secret "$redis_secret"
    store_redis_url
    let_read secret-role "$redis_secret" "$server_email"
  fi
elif [[ $KVS_STORE == redis ]]; then
  step "Service connection: lets Google place Redis's addresses in the subnet"
  class=gcp-memorystore-redis
  [[ $KVS_REDIS_KIND != valkey ]] || class=gcp-memorystore
  ensure connection-policy "$redis_policy" network-connectivity service-connection-policies create "$redis_policy" \
    "--network=$network" "--region=$KVS_REGION" "--service-class=$class" \
    "--subnets=https://www.googleapis.com/compute/v1/projects/$KVS_PROJECT/regions/$KVS_REGION/subnetworks/$subnet"
  redis_iam ||
    step "KVS_REDIS_AUTH=none: whoever reaches its address in this network may read and change everything"
fi

if [[ $KVS_STORE/$KVS_REDIS_KIND == redis/valkey ]]; then
  step "Memorystore for Valkey: with encryption in transit, append-only file (takes about 10 minutes)"
  auth=iam-auth
  redis_iam || auth="auth-disabled"
  # shellcheck disable=SC2046 # no flag where nothing is set
  ensure valkey "$redis" memorystore instances create "$redis" "--location=$KVS_REGION" \
    "--psc-auto-connections=network=projects/$KVS_PROJECT/global/networks/$network,projectId=$KVS_PROJECT" \
    "--shard-count=$KVS_REDIS_SHARDS" "--replica-count=$KVS_REDIS_REPLICAS" "--node-type=$KVS_VALKEY_NODE_TYPE" \
    --engine-version=VALKEY_8_0 --mode=cluster "--authorization-mode=$auth" \
    --transit-encryption-mode=server-authentication --engine-configs=maxmemory-policy=noeviction \
    --persistence-config-mode=aof --aof-config-append-fsync=every-sec $(valkey_window) $(with_key --kms-key)
  find_redis
elif [[ $KVS_STORE/$KVS_REDIS_KIND == redis/cluster ]]; then
  auth=iam-auth
  redis_iam || auth=disabled
  step "Memorystore for Redis Cluster: with encryption in transit, append-only file (takes about 10 minutes)"
  # The flag of a key is in gcloud's beta commands only.
  # shellcheck disable=SC2046 # no flag where nothing is set
  ensure redis-cluster "$redis" ${KVS_KMS_KEY:+beta} redis clusters create "$redis" "--region=$KVS_REGION" \
    "--network=projects/$KVS_PROJECT/global/networks/$network" \
    "--shard-count=$KVS_REDIS_SHARDS" "--replica-count=$KVS_REDIS_REPLICAS" "--node-type=$KVS_REDIS_NODE_TYPE" \
    "--auth-mode=$auth" --transit-encryption-mode=server-authentication \
    --redis-config=maxmemory-policy=noeviction --persistence-mode=aof --aof-append-fsync=everysec \
    $(maintenance_window) $(with_key --kms-key)
  find_redis
fi

# --- servers -------------------------------------------------------------------------------------

step "Address: the one that clients are told, whatever happens to the machines behind it"
ensure address "$address" compute addresses create "$address" "--region=$KVS_REGION" "--subnet=$subnet"
ask ADDRESS compute addresses describe "$address" "--region=$KVS_REGION" "--format=value(address)"
server_ip=$answer

if needs_users; then
  step "Users: a password in Secret Manager, for the servers and the client"
  make_users
else
  step "KVS_AUTH=none: whoever reaches $server_ip:$KVS_PORT in this network may read and change everything"
fi
if needs_tls; then
  step "Certificate: an authority whose key no machine may read, and what it has signed for the servers"
  make_certificates
fi

stage_deployment

if [[ $KVS_STORE == disk ]]; then
  step "Server: one VM with the data disk, without an address outside"
  vm_metadata server
  protection=()
  [[ $KVS_DELETION_PROTECTION != yes ]] || protection=(--deletion-protection)
  ensure instance "$server" compute instances create "$server" "--zone=$KVS_ZONE" \
    "--machine-type=$KVS_MACHINE_TYPE" "${machine[@]}" \
    "--network-interface=subnet=$subnet,private-network-ip=$server_ip,no-address" \
    "--disk=name=$data_disk,device-name=$data_disk,mode=rw,boot=no,auto-delete=no" \
    "--service-account=$server_email" "--scopes=$(server_scopes)" "${metadata[@]}" \
    "${protection[@]}"
else
  step "Health checks: does the server answer memcached's 'version', be it that one must log in? The load balancer asks every 5 s; the group makes a VM anew after 2 minutes"
  # A server that a deployment takes out of the load balancer fails the first, and not the second.
  ensure health-check "$heal_check" compute health-checks create "$(health_protocol)" "$heal_check" --global \
    "--port=$KVS_PORT" "--request=version"$'\n' "--response=$(health_response)" \
    --check-interval=10s --timeout=5s --healthy-threshold=1 --unhealthy-threshold=12
  ensure health-check "$health_check" compute health-checks create "$(health_protocol)" "$health_check" --global \
    "--port=$KVS_PORT" "--request=version"$'\n' "--response=$(health_response)" \
    --check-interval=5s --timeout=3s --healthy-threshold=1 --unhealthy-threshold=2

  step "Servers: a group of $KVS_SERVER_COUNT over the region's zones; one that stops answering is made anew"
  running=${found[group/$group]:-}
  if [[ -n $running ]]; then
    echo "= group $group is there"
    [[ ${running#*$'\t'} == "$KVS_SERVER_COUNT" ]] ||
      change compute instance-groups managed resize "$group" "--region=$KVS_REGION" "--size=$KVS_SERVER_COUNT"
  else
    create_template
    ensure group "$group" compute instance-groups managed create "$group" "--region=$KVS_REGION" \
      "--size=$KVS_SERVER_COUNT" "--template=$template" "--base-instance-name=$server" \
      "--health-check=projects/$KVS_PROJECT/global/healthChecks/$heal_check" --initial-delay=300 \
      --update-policy-type=opportunistic
  fi

  step "Load balancer: one address inside the network, connections spread over the servers that answer"
  ensure backend "$backend" compute backend-services create "$backend" "--region=$KVS_REGION" \
    --load-balancing-scheme=INTERNAL --protocol=TCP "--health-checks=$health_check" --global-health-checks \
    --connection-draining-timeout=30
  [[ ${found[backend/$backend]} == "$group" ]] ||
    change compute backend-services add-backend "$backend" "--region=$KVS_REGION" \
      "--instance-group=$group" "--instance-group-region=$KVS_REGION"
  ensure forwarding-rule "$forwarding_rule" compute forwarding-rules create "$forwarding_rule" \
    "--region=$KVS_REGION" --load-balancing-scheme=INTERNAL "--network=$network" "--subnet=$subnet" \
    "--address=$address" --ip-protocol=TCP "--ports=$KVS_PORT" \
    "--backend-service=$backend" "--backend-service-region=$KVS_REGION"
fi

# --- client --------------------------------------------------------------------------------------

step "Client: a VM in the subnet with kvs-client, to work and to measure from"
vm_metadata client
ensure instance "$client" compute instances create "$client" "--zone=$KVS_ZONE" \
  "--machine-type=$KVS_CLIENT_MACHINE_TYPE" "${machine[@]}" \
  "--network-interface=subnet=$subnet,no-address" \
  "--service-account=$client_email" \
  "--scopes=$(client_scopes)" "${metadata[@]}"

# --- upkeep and watch ---------------------------------------------------------------------------

if [[ $KVS_PATCHING == yes ]]; then
  step "OS patching: Debian's updates, each Sunday at 03:00 UTC, one VM after another"
  write_patch_deployment
  ensure patch-deployment "$patches" compute os-config patch-deployments create "$patches" \
    "--file=$work/patching.json"
fi
make_monitoring
[[ $KVS_UPTIME != yes ]] || make_uptime_check

# --- does it run? --------------------------------------------------------------------------------

if $dry_run; then exit; fi

if ((changes == 0)); then
  echo "Nothing to do: everything was there already."
  running=${found[group/$group]:-${found[instance/$server]:-}}
  [[ $running == *"$deployment"* ]] ||
    echo "The executables or options here are not those that run: infra/deploy.sh brings them there."
fi
step "Waiting until the servers answer (at most $KVS_READY_TIMEOUT s)"
if [[ $KVS_STORE == disk ]]; then
  members="$server $KVS_ZONE"
else
  group_members "$KVS_SERVER_COUNT"
  members=$answer
  # New VMs of an older group run what that runs, until deploy.sh comes.
  if [[ -n $running ]]; then
    deployment=${running%%$'\t'*}
    deployment=${deployment#"$group-"}
  fi
fi
while read -r name zone; do
  # An older server keeps its deployment until deploy.sh comes: it need not be waited for.
  known=${found[instance/$name]:-}
  [[ -z $known || $known == yes || $known == *"$deployment" ]] || continue
  wait_ready "$name" "$zone" ||
    fail "Server $name does not answer: $state"$'\n'"$(where_to_look "$name" "$zone")"
  echo "= $name answers"
done <<<"$members"
((changes == 0)) || echo "Done: $changes changes."
cat <<TEXT

kvs listens at $server_ip:$KVS_PORT inside network $network. Try it from the client VM:
  gcloud compute ssh $client --zone=$KVS_ZONE --project=$KVS_PROJECT --tunnel-through-iap
  kvs-client set greeting hello && kvs-client get greeting
TEXT
if needs_users; then
  cat <<TEXT
There kvs-client logs in by itself. Other clients log in as '$KVS_AUTH_USER', by the password behind the colon in
  gcloud secrets versions access latest --secret=$users_secret --project=$KVS_PROJECT
TEXT
fi
