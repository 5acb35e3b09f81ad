# What create.sh, deploy.sh, status.sh and destroy.sh share: settings, names, running and explaining gcloud,
# what exists already, and what a virtual machine is told.
# shellcheck shell=bash
# shellcheck disable=SC2034 # the scripts that source this use what looks unused here

infra=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=kvs.env
source "$infra/kvs.env"

# exit codes of sysexits.h, as the executables have them
readonly EX_USAGE=64

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

usage_error() {
  printf '%s\n' "$*" >&2
  exit "$EX_USAGE"
}

dry_run=false

check_settings() {
  [[ $KVS_PROJECT =~ ^[a-z][a-z0-9-]{1,29}$ ]] ||
    usage_error "KVS_PROJECT names the Google Cloud project: 'KVS_PROJECT=demo $0', or a line in infra/kvs.env" \
      "(got '$KVS_PROJECT')."
  [[ $KVS_NAME =~ ^[a-z][a-z0-9-]{0,15}$ ]] ||
    usage_error "KVS_NAME takes up to 16 lower-case letters, digits and hyphens, not '$KVS_NAME'."
  [[ $KVS_STORE =~ ^(disk|gcs|redis)$ ]] ||
    usage_error "KVS_STORE takes disk, gcs or redis, not '$KVS_STORE'."
  [[ $KVS_REDIS_KIND =~ ^(instance|cluster)$ ]] ||
    usage_error "KVS_REDIS_KIND takes instance or cluster, not '$KVS_REDIS_KIND'."
  [[ $KVS_ZONE == "$KVS_REGION"-? ]] ||
    usage_error "KVS_ZONE '$KVS_ZONE' is not in KVS_REGION '$KVS_REGION'."
  local name value
  for name in KVS_PORT KVS_SERVER_COUNT KVS_DISK_GB KVS_SNAPSHOT_DAYS KVS_REDIS_GB KVS_REDIS_SHARDS \
    KVS_READY_TIMEOUT; do
    value=${!name}
    [[ $value =~ ^[1-9][0-9]*$ ]] || usage_error "$name takes a whole number above 0, not '$value'."
  done
  for value in $KVS_SERVER_ENV; do
    [[ $value =~ ^[A-Z_]+=[^\"\'\\]*$ ]] ||
      usage_error "KVS_SERVER_ENV takes NAME=VALUE separated by spaces, not '$value'."
  done
}

# One name for each thing, in every script.
name_things() {
  network=$KVS_NAME
  subnet=$KVS_NAME
  address=$KVS_NAME
  services_range=$KVS_NAME-services
  server_account=$KVS_NAME-server
  client_account=$KVS_NAME-client
  server_email=$server_account@$KVS_PROJECT.iam.gserviceaccount.com
  client_email=$client_account@$KVS_PROJECT.iam.gserviceaccount.com
  server=$KVS_NAME-server
  client=$KVS_NAME-client
  data_disk=$KVS_NAME-data
  snapshots=$KVS_NAME-daily
  group=$KVS_NAME-servers
  health_check=$KVS_NAME
  backend=$KVS_NAME
  forwarding_rule=$KVS_NAME
  redis=$KVS_NAME
  redis_policy=$KVS_NAME-redis
  redis_secret=$KVS_NAME-redis-url
  bin_bucket=gs://$KVS_BIN_BUCKET
  data_bucket=gs://$KVS_BUCKET
}

# Files that live as long as the script. A dry run writes and reads none, so it names them the same each time.
make_work_directory() {
  if $dry_run; then
    work=/tmp/kvs-infra
    infra=infra
  else
    work=$(mktemp -d "${TMPDIR:-/tmp}/kvs-infra.XXXXXX")
    trap 'rm -rf "$work"' EXIT
  fi
}

begin() {
  check_settings
  name_things
  $dry_run || command -v gcloud >/dev/null ||
    fail "Cannot find gcloud: install it from https://cloud.google.com/sdk/docs/install, then 'gcloud auth login'."
  make_work_directory
}

# Every gcloud command gets the project here: the one that gcloud is set to never counts.
gcloud_() {
  gcloud "$@" --project="$KVS_PROJECT" --quiet
}

# The shortest quoting that a shell reads back as the same words, always on one line.
print_command() {
  local word line=gcloud
  for word in "$@" --project="$KVS_PROJECT" --quiet; do
    if [[ $word =~ ^[A-Za-z0-9_@%+=:,./^~-]+$ ]]; then
      line+=" $word"
    elif [[ $word == *[[:cntrl:]\']* ]]; then
      line+=" $(printf %q "$word")"
    else
      line+=" '$word'"
    fi
  done
  printf '%s\n' "$line"
}

step() {
  printf '# %s\n' "$*"
}

# What to do about a failed command, from what gcloud said.
remedy() {
  local said=$1 api
  case $said in
    *"do not currently have an active account"* | *"gcloud auth login"* | *Reauthentication* | *invalid_grant* | \
      *"nable to retrieve"*credentials* | *UNAUTHENTICATED* | *"valid authentication credential"*)
      echo "There are no valid credentials. Run 'gcloud auth login' and try again."
      ;;
    *SERVICE_DISABLED* | *"has not been used in project"* | *"API has not been"* | *"it is disabled"* | *accessNotConfigured*)
      api=$(grep -o '[a-z]*\.googleapis\.com' <<<"$said" | head -n 1 || true)
      echo "An API is not enabled. Run 'gcloud services enable ${api:-API} --project=$KVS_PROJECT', wait a minute, try again."
      ;;
    *"illing account"* | *BILLING_DISABLED* | *"illing must be enabled"*)
      echo "The project has no billing account. Link one: https://console.cloud.google.com/billing/linkedaccount?project=$KVS_PROJECT"
      ;;
    *RESOURCE_POOL_EXHAUSTED* | *"enough resources available"*)
      echo "The zone has no such machine left just now. Set another KVS_ZONE or KVS_MACHINE_TYPE, or try again later."
      ;;
    *[Qq]uota* | *QUOTA* | *"imit exceeded"*)
      echo "A quota is used up. Ask for more at https://console.cloud.google.com/iam-admin/quotas?project=$KVS_PROJECT, or" \
        "set a smaller KVS_MACHINE_TYPE, KVS_DISK_GB, KVS_REDIS_GB or KVS_SERVER_COUNT, or another KVS_REGION."
      ;;
    *"bucket name"*"not available"* | *"HTTPError 409"*)
      echo "Somebody else has a bucket of this name. Set another KVS_BIN_BUCKET or KVS_BUCKET."
      ;;
    *"roducer services"* | *"still using this connection"*)
      echo "Google still holds the connection of the deleted Redis. That takes up to an hour: run this again then."
      ;;
    *constraints/*)
      echo "A policy of your organization forbids this. Ask its administrator for an exception for project $KVS_PROJECT."
      ;;
    *PERMISSION_DENIED* | *"does not have permission"* | *"ermission denied"* | *"equired "*permission* | *forbidden* | *"HTTPError 403"*)
      echo "The account '$(gcloud config get-value account 2>/dev/null)' may not do this in project $KVS_PROJECT." \
        "roles/owner may; so may roles/editor with roles/resourcemanager.projectIamAdmin, roles/secretmanager.admin" \
        "and roles/servicenetworking.networksAdmin."
      ;;
    *"not found"* | *NOT_FOUND*)
      echo "Is '$KVS_PROJECT' the right project, and '$KVS_REGION' / '$KVS_ZONE' a region and zone of Google's? 'gcloud projects list' tells."
      ;;
  esac
}

# Explains the command that failed with this text, and ends.
failed() {
  local said=$1 advice
  shift
  advice=$(remedy "$said")
  {
    echo "This command failed:"
    echo "  $(print_command "$@")"
    echo "  | ${said//$'\n'/$'\n'  | }"
    [[ -z $advice ]] || echo "$advice"
    [[ -z ${when_failed:-} ]] || echo "$when_failed"
  } >&2
  exit 1
}

changes=0

# What has just been made or enabled takes up to a minute or two to be known everywhere at Google.
not_yet_known() {
  grep -Eq 'ervice account .* does not exist' "$work/error" ||
    { ((changes > 0)) && grep -Eq 'has not been used in project|it is disabled|is not ready' "$work/error"; }
}

# Runs a command that changes something: says it, does it, explains it where it fails.
run() {
  print_command "$@"
  $dry_run && return
  local attempt
  for attempt in {1..24}; do
    gcloud_ "$@" >"$work/out" 2>"$work/error" </dev/null && return
    if ((attempt == 24)) || ! not_yet_known; then break; fi
    sleep "${KVS_POLL_SECONDS:-5}"
  done
  failed "$(<"$work/error")" "$@"
}

# Runs a command that only asks, and puts its answer into the variable `answer`. In a dry run the answer is
# what the first argument says.
answer=
ask() {
  local assumed=$1
  shift
  if $dry_run; then
    print_command "$@"
    answer=$assumed
    return
  fi
  answer=$(gcloud_ "$@" 2>"$work/error" </dev/null) || failed "$(<"$work/error")" "$@"
}

# --- what exists -----------------------------------------------------------------------------------------

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
  [group]="compute instance-groups managed list --format=value(name,instanceTemplate.basename())"
  [health-check]="compute health-checks list --format=value(name)"
  [backend]="compute backend-services list --format=value(name)"
  [forwarding-rule]="compute forwarding-rules list --format=value(name)"
  [service-account]="iam service-accounts list --format=value(email)"
  [bucket]="storage buckets list --format=value(name)"
  [redis-instance]="redis instances list --format=value(name.basename(),host,port,state)"
  [redis-cluster]="redis clusters list --format=value(name.basename(),discoveryEndpoints[0].address,discoveryEndpoints[0].port,state)"
  [connection-policy]="network-connectivity service-connection-policies list --format=value(name.basename())"
  [secret]="secrets list --format=value(name.basename())"
  [project-role]="projects get-iam-policy $KVS_PROJECT --flatten=bindings[].members --format=value(bindings.role,bindings.members)"
  # parts of the things above
  [peering]="compute networks peerings list --flatten=peerings[] --format=value(peerings.name)"
  [bin-role]="storage buckets get-iam-policy gs://$KVS_BIN_BUCKET --flatten=bindings[].members --format=value(bindings.role,bindings.members)"
  [data-role]="storage buckets get-iam-policy gs://$KVS_BUCKET --flatten=bindings[].members --format=value(bindings.role,bindings.members)"
  [secret-role]="secrets get-iam-policy $KVS_NAME-redis-url --flatten=bindings[].members --format=value(bindings.role,bindings.members)"
  [secret-version]="secrets versions list $KVS_NAME-redis-url --filter=state=ENABLED --limit=1 --format=value(state)"
)

# What a part belongs to: without it there is nothing to list.
whole_of() {
  case $1 in
    peering) echo "network/$network" ;;
    bin-role) echo "bucket/$KVS_BIN_BUCKET" ;;
    data-role) echo "bucket/$KVS_BUCKET" ;;
    secret-*) echo "secret/$redis_secret" ;;
  esac
}

# The API that a list command needs; nothing of that kind exists where it is not enabled.
api_of() {
  case $1 in
    service-account) echo iam ;;
    bucket | bin-role | data-role) echo storage ;;
    redis-*) echo redis ;;
    connection-policy) echo networkconnectivity ;;
    secret*) echo secretmanager ;;
    project-role) echo cloudresourcemanager ;;
    *) echo compute ;;
  esac
}

list_command() {
  local -a words
  read -ra words <<<"${listing[$1]}"
  case $1 in
    redis-* | connection-policy) words+=("--region=$KVS_REGION") ;;
    snapshot-schedule | subnet) words+=("--filter=region:$KVS_REGION") ;;
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
    # All lists at once: each gcloud waits for the network most of its time.
    (gcloud_ "${words[@]}" >"$work/list.$kind" 2>"$work/error.$kind" </dev/null || touch "$work/failed.$kind") &
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
    run "$@"
    found[$kind/$name]=yes
    changes=$((changes + 1))
  fi
}

# --- releases: what the bucket of executables holds ------------------------------------------------------

# Files of a release besides the executables; the startup script puts them in place.
readonly RELEASE_FILES=(kvs-server.service kvs-update.service kvs-ready)

# Puts the release together and names it by its content: VMs are told the name, and take nothing else.
stage_release() {
  if $dry_run; then
    release=RELEASE
    return
  fi
  local name
  for name in kvs-server kvs-client SHA256SUMS; do
    [[ -f $KVS_BIN/$name ]] || fail "Cannot find $KVS_BIN/$name: run 'deno task compile' first."
  done
  (cd "$KVS_BIN" && sha256sum --check --strict --quiet --ignore-missing SHA256SUMS) ||
    fail "The executables in $KVS_BIN are not the ones of $KVS_BIN/SHA256SUMS: run 'deno task compile' again."
  mkdir -p "$work/release"
  cp "$KVS_BIN/kvs-server" "$KVS_BIN/kvs-client" "$work/release/"
  for name in "${RELEASE_FILES[@]}"; do cp "$infra/$name" "$work/release/"; done
  (cd "$work/release" && sha256sum -- kvs-* >SHA256SUMS)
  release=$(sha256sum "$work/release/SHA256SUMS" | cut -c 1-16)
}

# The sums come last: a release that has them is whole.
upload_release() {
  local target=$bin_bucket/releases/$release known=
  step "Executables: release $release in the bucket that the VMs read"
  if ! $dry_run; then
    known=$(gcloud_ storage ls "$target/SHA256SUMS" 2>/dev/null </dev/null || true)
  fi
  if [[ -n $known ]]; then
    echo "= release $release is there"
    return
  fi
  local -a files=()
  local name
  for name in kvs-server kvs-client "${RELEASE_FILES[@]}"; do files+=("$work/release/$name"); done
  run storage cp "${files[@]}" "$target/"
  run storage cp "$work/release/SHA256SUMS" "$target/SHA256SUMS"
  changes=$((changes + 1))
}

# --- what a VM is told -----------------------------------------------------------------------------------

# HOST:PORT of an instance, the URL of a cluster; and the address that clients are told
redis_url=
server_ip=

# The server's options as lines of an environment file. No secret may be among them: whoever sees the VM reads them.
server_options() {
  echo "KVS_STORE=$KVS_STORE"
  echo "KVS_LISTEN=0.0.0.0"
  echo "KVS_PORT=$KVS_PORT"
  case $KVS_STORE/$KVS_REDIS_KIND in
    disk/*) echo "KVS_DATA_DIR=/var/lib/kvs/data" ;;
    gcs/*) echo "KVS_BUCKET=$KVS_BUCKET" ;;
    redis/cluster)
      echo "KVS_REDIS_CLUSTER=true"
      echo "KVS_REDIS_URL=$redis_url"
      ;;
  esac
  local setting
  for setting in $KVS_SERVER_ENV; do echo "$setting"; done
}

needs_redis_secret() {
  [[ $KVS_STORE == redis && $KVS_REDIS_KIND == instance ]]
}

# Learns where Redis is and fetches the certificates that its own are signed with.
find_redis() {
  if [[ $KVS_REDIS_KIND == instance ]]; then
    ask $'HOST\t6378' redis instances describe "$redis" "--region=$KVS_REGION" "--format=value(host,port)"
    redis_url=${answer/$'\t'/:}
    ask CERTIFICATE redis instances describe "$redis" "--region=$KVS_REGION" "--format=value(serverCaCerts[].cert)"
  else
    ask $'HOST\t6379' redis clusters describe "$redis" "--region=$KVS_REGION" \
      "--format=value(discoveryEndpoints[0].address,discoveryEndpoints[0].port)"
    redis_url=rediss://${answer/$'\t'/:}
    ask CERTIFICATE redis clusters get-cluster-certificate-authority "$redis" "--region=$KVS_REGION" \
      "--format=value(managedServerCa.caCerts[].certificates[])"
  fi
  $dry_run && return
  # Only the blocks themselves: what separates them differs between the answers.
  printf '%s\n' "${answer//-----BEGIN/$'\n'-----BEGIN}" | sed -n '/-----BEGIN/,/-----END/p' >"$work/redis-ca.pem"
  [[ -s $work/redis-ca.pem ]] || fail "Redis $redis has no CA certificate: was it made without in-transit encryption?"
}

# From one command's output to the other's input: neither a command line nor a log may hold the password.
store_redis_url() {
  local -a get=(redis instances get-auth-string "$redis" "--region=$KVS_REGION" "--format=value(authString)")
  local -a add=(secrets versions add "$redis_secret" --data-file=-)
  print_command "${get[@]}"
  print_command "${add[@]}"
  $dry_run && return
  (
    export CLOUDSDK_CORE_DISABLE_FILE_LOGGING=true
    auth=$(gcloud_ "${get[@]}")
    printf 'rediss://:%s@%s' "$auth" "$redis_url" | gcloud_ "${add[@]}" >/dev/null
  ) 2>"$work/error" </dev/null || failed "$(<"$work/error")" "${add[@]}"
}

# Writes what the VMs are told, and names it by its content, so that a VM can say what it runs.
stage_deployment() {
  options=$(server_options)
  deployment=DEPLOYMENT
  $dry_run && return
  deployment=$( (
    echo "$release $options"
    cat "$infra/startup.sh"
    [[ $KVS_STORE != redis ]] || cat "$work/redis-ca.pem"
  ) | sha256sum | cut -c 1-16)
}

# vm_metadata server|client: arguments that tell a VM its release and options. `^|^` makes | separate the entries.
vm_metadata() {
  local entries="^|^kvs-role=$1|kvs-deployment=$deployment|kvs-release=$release|kvs-bin-bucket=$KVS_BIN_BUCKET"
  local attachments="startup-script=$infra/startup.sh"
  if [[ $1 == server ]]; then
    entries+="|kvs-options=$options"
    [[ $KVS_STORE != disk ]] || entries+="|kvs-disk=$data_disk"
    needs_redis_secret && entries+="|kvs-redis-secret=projects/$KVS_PROJECT/secrets/$redis_secret"
    [[ $KVS_STORE != redis ]] || attachments+=",kvs-redis-ca=$work/redis-ca.pem"
  else
    entries+="|kvs-servers=$server_ip:$KVS_PORT"
  fi
  entries+="|enable-oslogin=TRUE|block-project-ssh-keys=TRUE|enable-guest-attributes=TRUE|serial-port-enable=FALSE"
  metadata=("--metadata=$entries" "--metadata-from-file=$attachments")
}

# What an API scope lets a token do is cut down further by the account's roles. Secret Manager takes no narrower
# scope than cloud-platform, so with a Redis password the roles alone bound the servers.
server_scopes() {
  local base=https://www.googleapis.com/auth
  case $KVS_STORE in
    disk) echo "$base/devstorage.read_only,$base/logging.write,$base/monitoring.write" ;;
    gcs) echo "$base/devstorage.read_write,$base/logging.write,$base/monitoring.write" ;;
    redis)
      if needs_redis_secret; then echo "$base/cloud-platform"; else
        echo "$base/devstorage.read_only,$base/logging.write,$base/monitoring.write"
      fi
      ;;
  esac
}

# The flags that every machine has: no address outside, a measured boot, nothing of the default account.
machine=(
  "--image-project=$KVS_IMAGE_PROJECT" "--image-family=$KVS_IMAGE_FAMILY"
  --boot-disk-size=10GB --boot-disk-type=pd-balanced
  --shielded-secure-boot --shielded-vtpm --shielded-integrity-monitoring
)

create_template() {
  template=$group-$deployment
  vm_metadata server
  ensure template "$template" compute instance-templates create "$template" \
    "--machine-type=$KVS_MACHINE_TYPE" "${machine[@]}" \
    "--region=$KVS_REGION" "--network-interface=subnet=$subnet,no-address" \
    "--service-account=$server_email" "--scopes=$(server_scopes)" "${metadata[@]}"
}

# --- is it ready? ----------------------------------------------------------------------------------------

# A VM's startup script says in its guest attributes which deployment it runs and whether the server answers:
# nobody needs a shell on the VM to know.
vm_state() {
  gcloud_ compute instances get-guest-attributes "$1" "--zone=$2" --query-path=kvs/state \
    "--format=value(value)" 2>/dev/null </dev/null || true
}

# wait_ready VM ZONE: true when the VM runs `deployment`; `state` holds its last word.
wait_ready() {
  local end=$((SECONDS + KVS_READY_TIMEOUT))
  while ((SECONDS < end)); do
    state=$(vm_state "$1" "$2")
    case $state in
      "$deployment ready") return 0 ;;
      "$deployment failed"*) return 1 ;;
    esac
    sleep "${KVS_POLL_SECONDS:-5}"
  done
  state="no answer within $KVS_READY_TIMEOUT s (last word: '$state')"
  return 1
}

# Lines "NAME ZONE" of the group's VMs.
group_members() {
  ask "$group-XXXX $KVS_ZONE" compute instance-groups managed list-instances "$group" "--region=$KVS_REGION" \
    "--format=value(instance.basename(),instance.scope(zones).segment(0))"
}

where_to_look() {
  echo "Its log: gcloud compute ssh $1 --zone=$2 --project=$KVS_PROJECT --tunnel-through-iap --command='sudo journalctl -u google-startup-scripts -u kvs-server -n 100'"
}
