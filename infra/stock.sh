# What exists already, and making what does not.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with the scripts that source lib.sh

copy_bucket=${KVS_COPY_TO#gs://}
copy_bucket=${copy_bucket%%/*}

# All that can exist, one list command a kind; `value` is what is remembered of each.
declare -A listing=(
  [network]="compute networks list --format=value(name)"
  [subnet]="compute networks subnets list --format=value(name)"
  [firewall-rule]="compute firewall-rules list --format=value(name)"
  [address]="compute addresses list --format=value(name,address)"
  [disk]="compute disks list --format=value(name)"
  [snapshot-schedule]="compute resource-policies list --format=value(name)"
  [instance]="compute instances list --format=value(name,zone.basename(),status,metadata.items.kvs-deployment)"
  [template]="compute instance-templates list --format=value(name)"
  [group]="compute instance-groups managed list --format=value(name,instanceTemplate.basename(),targetSize)"
  [health-check]="compute health-checks list --format=value(name,type,tcpHealthCheck.response,sslHealthCheck.response)"
  [backend]="compute backend-services list --format=value(name,backends[0].group.basename())"
  [forwarding-rule]="compute forwarding-rules list --format=value(name)"
  [service-account]="iam service-accounts list --format=value(email)"
  [bucket]="storage buckets list --format=value(name,lifecycle_config.rule[0].action.type)"
  [redis-instance]="redis instances list --format=value(name.basename(),host,port,state)"
  [router]="compute routers list --format=value(name)"
  [patch-deployment]="compute os-config patch-deployments list --format=value(name.basename())"
  [dashboard]="monitoring dashboards list --format=value(displayName,name)"
  [alert]="alpha monitoring policies list --format=value(displayName,name)"
  [namespace]="service-directory namespaces list --format=value(name.basename())"
  [uptime-check]="monitoring uptime list-configs --format=value(displayName,name)"
  [valkey]="memorystore instances list --format=value(name.basename(),discoveryEndpoints[0].address,discoveryEndpoints[0].port,state)"
  [redis-cluster]="redis clusters list --format=value(name.basename(),discoveryEndpoints[0].address,discoveryEndpoints[0].port,state)"
  [connection-policy]="network-connectivity service-connection-policies list --format=value(name.basename())"
  [secret]="secrets list --format=value(name.basename())"
  [project-role]="projects get-iam-policy $KVS_PROJECT --flatten=bindings[].members --format=value(bindings.role,bindings.members)"
  # parts of the things above
  [directory-service]="service-directory services list --namespace=$KVS_NAME --format=value(name.basename())"
  [endpoint]="service-directory endpoints list --service=$KVS_NAME --namespace=$KVS_NAME --format=value(name.basename())"
  [peering]="compute networks peerings list --flatten=peerings[] --format=value(peerings.name)"
  [bin-role]="storage buckets get-iam-policy gs://$KVS_BIN_BUCKET --flatten=bindings[].members --format=value(bindings.role,bindings.members)"
  [data-role]="storage buckets get-iam-policy gs://$KVS_BUCKET --flatten=bindings[].members --format=value(bindings.role,bindings.members)"
  [users-role]="secrets get-iam-policy $KVS_NAME-users --flatten=bindings[].members --format=value(bindings.role,bindings.members)"
  [tls-role]="secrets get-iam-policy $KVS_NAME-tls --flatten=bindings[].members --format=value(bindings.role,bindings.members)"
  [copy-role]="storage buckets get-iam-policy gs://$copy_bucket --flatten=bindings[].members --format=value(bindings.role,bindings.members)"
  [secret-role]="secrets get-iam-policy $KVS_NAME-redis-url --flatten=bindings[].members --format=value(bindings.role,bindings.members)"
)

# What a part belongs to: without it there is nothing to list.
whole_of() {
  case $1 in
    peering) echo "network/$network" ;;
    directory-service) echo "namespace/$namespace" ;;
    endpoint) echo "directory-service/$namespace" ;;
    bin-role) echo "bucket/$KVS_BIN_BUCKET" ;;
    data-role) echo "bucket/$KVS_BUCKET" ;;
    copy-role) echo "bucket/$copy_bucket" ;;
    secret-role) echo "secret/$redis_secret" ;;
    users-role) echo "secret/$users_secret" ;;
    tls-role) echo "secret/$tls_secret" ;;
  esac
}

# The API that a list command needs; nothing of that kind exists where it is not enabled.
api_of() {
  case $1 in
    service-account) echo iam ;;
    bucket | bin-role | data-role | copy-role) echo storage ;;
    redis-*) echo redis ;;
    valkey) echo memorystore ;;
    patch-deployment) echo osconfig ;;
    dashboard | alert | uptime-check) echo monitoring ;;
    namespace | directory-service | endpoint) echo servicedirectory ;;
    connection-policy) echo networkconnectivity ;;
    secret* | users-role | tls-role) echo secretmanager ;;
    project-role) echo cloudresourcemanager ;;
    *) echo compute ;;
  esac
}

list_command() {
  local -a words
  read -ra words <<<"${listing[$1]}"
  case $1 in
    redis-* | connection-policy) words+=("--region=$KVS_REGION") ;;
    valkey | namespace | directory-service | endpoint) words+=("--location=$KVS_REGION") ;;
    snapshot-schedule | subnet | router) words+=("--filter=region:$KVS_REGION") ;;
    peering) words+=("--network=$network") ;;
  esac
  printf '%s\n' "${words[@]}"
}

declare -A found=()

# Learns what exists of these kinds: found[kind/name] holds what is known of it; of roles, found[kind/role member].
take_stock() {
  local kind name rest whole
  local -a words asked=()
  for kind in "$@"; do
    whole=$(whole_of "$kind")
    [[ -z $whole || -n ${found[$whole]:-} ]] || continue
    mapfile -t words < <(list_command "$kind")
    if $dry_run; then
      print_command "${words[@]}"
      continue
    fi
    [[ -n ${found[api/$(api_of "$kind")]:-} ]] || continue
    asked+=("$kind")
    # All lists concurrently: each gcloud waits for the network most of its time.
    (attempt "$work/list.$kind" "$work/error.$kind" "${words[@]}" || touch "$work/failed.$kind") &
  done
  wait
  for kind in "${asked[@]}"; do
    if [[ -e $work/failed.$kind ]]; then
      mapfile -t words < <(list_command "$kind")
      failed "$(<"$work/error.$kind")" "${words[@]}"
    fi
    while IFS=$'\t' read -r name rest; do
      [[ $kind != *-role ]] || name+=" $rest"
      [[ -z $name ]] || found[$kind/$name]=${rest:-yes}
    done <"$work/list.$kind"
  done
}

take_stock_of_apis() {
  local api
  ask "" services list --enabled "--format=value(config.name)"
  for api in $answer; do found[api/${api%.googleapis.com}]=yes; done
}

exists() {
  [[ -n ${found[$1/$2]:-} ]]
}

# ensure KIND NAME COMMAND…: runs the command unless there is a KIND called NAME.
ensure() {
  local kind=$1 name=$2
  shift 2
  if exists "$kind" "$name"; then
    echo "= $kind $name is there"
  else
    change "$@"
    found[$kind/$name]=yes
  fi
}

