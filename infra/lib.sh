# What create.sh, deploy.sh, rotate.sh, status.sh and destroy.sh share: settings, flags, names; and, from files of their
# own, running gcloud, what exists already, releases, Redis, who may log in, and what a virtual machine is told.
# shellcheck shell=bash
# shellcheck disable=SC2034 # the scripts that source this use what looks unused here

if ((BASH_VERSINFO[0] < 4)) || ! sha256sum --version >/dev/null 2>&1; then
  echo "This takes bash 4 and the GNU tools, as Linux and Google's Cloud Shell have them." >&2
  exit 1
fi

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

# read_flags FLAGS ARGUMENTS…: each argument must be one of these flags, and makes the variable of its name true
# (--dry-run: dry_run); --help prints what the script's `usage` says.
read_flags() {
  local flags=$1 argument name
  shift
  for argument in "$@"; do
    case $argument in
      -h | --help)
        usage
        exit
        ;;
    esac
    [[ " $flags " == *" $argument "* ]] ||
      usage_error "${0##*/} takes ${flags:+${flags// /, } or }--help, not '$argument'."
    name=${argument#--}
    printf -v "${name//-/_}" true
  done
}

check_settings() {
  [[ $KVS_PROJECT =~ ^[a-z][a-z0-9-]{1,29}$ ]] ||
    usage_error "KVS_PROJECT names the Google Cloud project: 'KVS_PROJECT=demo $0', or a line in infra/kvs.env" \
      "(got '$KVS_PROJECT')."
  [[ $KVS_NAME =~ ^[a-z][a-z0-9-]{0,15}$ ]] ||
    usage_error "KVS_NAME takes up to 16 lower-case letters, digits and hyphens, not '$KVS_NAME'."
  [[ $KVS_STORE =~ ^(disk|gcs|redis)$ ]] ||
    usage_error "KVS_STORE takes disk, gcs or redis, not '$KVS_STORE'."
  [[ $KVS_REDIS_KIND =~ ^(instance|cluster|valkey)$ ]] ||
    usage_error "KVS_REDIS_KIND takes instance, cluster or valkey, not '$KVS_REDIS_KIND'."
  [[ $KVS_REDIS_AUTH =~ ^(required|none)$ ]] ||
    usage_error "KVS_REDIS_AUTH takes required or none, not '$KVS_REDIS_AUTH'."
  [[ $KVS_AUTH =~ ^(required|none)$ ]] ||
    usage_error "KVS_AUTH takes required or none, not '$KVS_AUTH'."
  [[ $KVS_AUTH_USER =~ ^[A-Za-z0-9_.-]{1,64}$ ]] ||
    usage_error "KVS_AUTH_USER takes up to 64 letters, digits, dots, hyphens and underscores, not '$KVS_AUTH_USER'."
  [[ -z $KVS_MAINTENANCE || $KVS_MAINTENANCE =~ ^(mon|tues|wednes|thurs|fri|satur|sun)day\ ([0-9]|1[0-9]|2[0-3])$ ]] ||
    usage_error "KVS_MAINTENANCE takes a day and an hour such as 'sunday 3', not '$KVS_MAINTENANCE'."
  [[ -z $KVS_KMS_KEY || $KVS_KMS_KEY =~ ^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$ ]] ||
    usage_error "KVS_KMS_KEY takes projects/P/locations/R/keyRings/K/cryptoKeys/N, not '$KVS_KMS_KEY'."
  [[ $KVS_COPY_TO =~ ^gs://[a-z0-9][a-z0-9._-]+[a-z0-9](/[^\"\'\\\|[:space:]]+)?$ ]] ||
    usage_error "KVS_COPY_TO takes gs://BUCKET/PREFIX, not '$KVS_COPY_TO'."
  [[ $KVS_ZONE == "$KVS_REGION"-? ]] ||
    usage_error "KVS_ZONE '$KVS_ZONE' is not in KVS_REGION '$KVS_REGION'."
  local name value
  for name in KVS_PORT KVS_KEEPALIVE KVS_SERVER_COUNT KVS_DISK_GB KVS_SNAPSHOT_DAYS KVS_COPY_DAYS KVS_REDIS_GB \
    KVS_REDIS_SHARDS KVS_READY_TIMEOUT; do
    value=${!name}
    [[ $value =~ ^[1-9][0-9]*$ ]] || usage_error "$name takes a whole number above 0, not '$value'."
  done
  for name in KVS_TLS KVS_COPIES KVS_DELETION_PROTECTION KVS_PATCHING KVS_NAT KVS_OBSERVE KVS_DASHBOARD KVS_UPTIME; do
    [[ ${!name} =~ ^(yes|no)$ ]] || usage_error "$name takes yes or no, not '${!name}'."
  done
  for value in $KVS_SERVER_ENV; do
    [[ $value =~ ^[A-Z_]+=[^\"\'\\\|]*$ ]] ||
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
  heal_check=$KVS_NAME-heal
  router=$KVS_NAME-nat
  patches=$KVS_NAME-weekly
  dashboard="kvs ($KVS_NAME)"
  namespace=$KVS_NAME
  uptime_check="kvs $KVS_NAME"
  backend=$KVS_NAME
  forwarding_rule=$KVS_NAME
  redis=$KVS_NAME
  redis_policy=$KVS_NAME-redis
  redis_secret=$KVS_NAME-redis-url
  users_secret=$KVS_NAME-users
  tls_secret=$KVS_NAME-tls
  authority_secret=$KVS_NAME-authority
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

# The group's servers hold nothing, and stand behind a load balancer.
grouped() {
  [[ $KVS_STORE != disk ]]
}

# Whether the disk is copied to a bucket all the time.
copied() {
  [[ $KVS_STORE == disk && $KVS_COPIES == yes ]]
}

# Whether the server reaches nobody but its clients.
shut_in() {
  [[ $KVS_STORE == disk ]] && ! copied
}

# Whether the servers log in to Redis with the access token of their account.
redis_iam() {
  [[ $KVS_STORE == redis && $KVS_REDIS_KIND != instance && $KVS_REDIS_AUTH == required ]]
}

# What Redis's access tokens take.
redis_role() {
  if [[ $KVS_REDIS_KIND == valkey ]]; then echo roles/memorystore.dbConnectionUser; else
    echo roles/redis.dbConnectionUser
  fi
}

# with_key FLAG: the flag that gives a key to what is made; nothing without KVS_KMS_KEY.
with_key() {
  [[ -z $KVS_KMS_KEY ]] || echo "$1=$KVS_KMS_KEY"
}

# shellcheck source=gcloud.sh
source "$infra/gcloud.sh"
# shellcheck source=stock.sh
source "$infra/stock.sh"
# shellcheck source=release.sh
source "$infra/release.sh"
# shellcheck source=redis.sh
source "$infra/redis.sh"
# shellcheck source=access.sh
source "$infra/access.sh"
# shellcheck source=machines.sh
source "$infra/machines.sh"
# shellcheck source=monitoring.sh
source "$infra/monitoring.sh"
