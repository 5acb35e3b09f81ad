# The virtual machines: what they are told, how they are made, and whether they are ready.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with the scripts that source lib.sh

# the address that clients are told
server_ip=

# The server's options as lines of an environment file. No secret may be among them: whoever sees the VM reads them.
server_options() {
  echo "KVS_STORE=$KVS_STORE"
  echo "KVS_LISTEN=0.0.0.0"
  echo "KVS_PORT=$KVS_PORT"
  # what the Ops Agent asks
  echo "KVS_HTTP=127.0.0.1:9150"
  case $KVS_STORE/$KVS_REDIS_KIND in
    disk/*)
      echo "KVS_DATA_DIR=/var/lib/kvs/data"
      if copied; then
        printf '%s\n' "KVS_COPY_TO=$KVS_COPY_TO" "KVS_COPY_RETENTION=${KVS_COPY_DAYS}d" "KVS_RESTORE_IF_EMPTY=true"
      fi
      ;;
    gcs/*) echo "KVS_BUCKET=$KVS_BUCKET" ;;
    redis/*)
      # Its authority is for this Redis alone; its certificate need not name the address.
      echo "KVS_REDIS_VERIFY=ca"
      [[ $KVS_REDIS_KIND == instance ]] || echo "KVS_REDIS_CLUSTER=true"
      needs_redis_secret || echo "KVS_REDIS_URL=$redis_url"
      if redis_iam; then echo "KVS_REDIS_AUTH=iam"; fi
      ;;
  esac
  if needs_users; then
    echo "KVS_AUTH_FILE=/etc/kvs/users"
    # over binary too
    echo "KVS_ENABLE_SASL=true"
  fi
  if needs_tls; then
    echo "KVS_ENABLE_SSL=true"
    echo "KVS_SSL_CHAIN_CERT=/etc/kvs/tls.pem"
    echo "KVS_SSL_KEY=/etc/kvs/tls.pem"
    # Keep-alive is not to be had with TLS, and the load balancer forgets what is silent for 10 minutes.
    if grouped; then echo "KVS_IDLE_TIMEOUT=9m"; fi
  fi
  local setting
  for setting in $KVS_SERVER_ENV; do echo "$setting"; done
}

# Who may reach a server on disk, which reaches nobody itself; nothing where it must reach Google to be copied.
allowed_networks() {
  shut_in || return 0
  if [[ $KVS_UPTIME == yes ]]; then echo "$KVS_SUBNET_RANGE $CHECKERS"; else echo "$KVS_SUBNET_RANGE"; fi
}

# Writes what the VMs are told, and names it by its content, so that a VM can say what it runs.
stage_deployment() {
  options=$(server_options)
  deployment=DEPLOYMENT
  $dry_run && return
  deployment=$( (
    echo "$release $options $redis_secret_version $users_version $tls_version $KVS_OBSERVE $KVS_PATCHING $KVS_KEEPALIVE $(allowed_networks)"
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
    if grouped; then entries+="|kvs-drain=$drain_seconds|kvs-keepalive=$KVS_KEEPALIVE"; fi
    [[ $KVS_OBSERVE != yes ]] || entries+="|kvs-observe=yes"
    [[ $KVS_STORE != disk ]] || entries+="|kvs-disk=$data_disk|kvs-allow=$(allowed_networks)"
    needs_redis_secret && entries+="|kvs-redis-secret=projects/$KVS_PROJECT/secrets/$redis_secret/versions/$redis_secret_version"
    [[ $KVS_STORE != redis ]] || attachments+=",kvs-redis-ca=$work/redis-ca.pem"
    if needs_tls; then entries+="|kvs-tls-secret=projects/$KVS_PROJECT/secrets/$tls_secret/versions/$tls_version"; fi
  else
    entries+="|kvs-servers=$server_ip:$KVS_PORT"
    if needs_tls; then attachments+=",kvs-ca=$work/kvs-ca.pem"; fi
  fi
  if needs_users; then entries+="|kvs-users-secret=projects/$KVS_PROJECT/secrets/$users_secret/versions/$users_version"; fi
  entries+="|enable-oslogin=TRUE|block-project-ssh-keys=TRUE|enable-guest-attributes=TRUE|serial-port-enable=FALSE"
  [[ $KVS_PATCHING != yes ]] || entries+="|enable-osconfig=TRUE"
  metadata=("--metadata=$entries" "--metadata-from-file=$attachments")
}

# What an API scope lets a token do is cut down further by the account's roles. Secret Manager takes no narrower
# scope than cloud-platform, nor does Redis: with a password or token to fetch the roles alone bound a machine.
server_scopes() {
  local access=read_only
  if needs_users || needs_tls || needs_redis_secret || redis_iam; then
    echo https://www.googleapis.com/auth/cloud-platform
    return
  fi
  if [[ $KVS_STORE == gcs ]] || copied; then access=read_write; fi
  narrow_scopes "$access"
}

client_scopes() {
  if needs_users; then echo https://www.googleapis.com/auth/cloud-platform; else narrow_scopes read_only; fi
}

# narrow_scopes ACCESS: to the buckets, and to write logs and metrics.
narrow_scopes() {
  local base=https://www.googleapis.com/auth
  echo "$base/devstorage.$1,$base/logging.write,$base/monitoring.write"
}

# The flags that every machine has: no address outside, a measured boot, nothing of the default account.
machine=(
  "--image-project=$KVS_IMAGE_PROJECT" "--image-family=$KVS_IMAGE_FAMILY"
  --boot-disk-size=10GB --boot-disk-type=pd-balanced
  --shielded-secure-boot --shielded-vtpm --shielded-integrity-monitoring
)
[[ -z $KVS_KMS_KEY ]] || machine+=("--boot-disk-kms-key=$KVS_KMS_KEY")

# How long a server is out of the load balancer before it stops, in seconds: longer than the balancer's check takes to
# fail twice, and shorter by far than the group's own, which makes the VM anew.
drain_seconds=15

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
  local end=$((SECONDS + KVS_READY_TIMEOUT)) restoring=false
  while ((SECONDS < end)); do
    state=$(vm_state "$1" "$2")
    case $state in
      "$deployment ready") return 0 ;;
      "$deployment failed"*) return 1 ;;
      "$deployment restoring"*)
        # That takes as long as its bytes take.
        end=$((SECONDS + KVS_READY_TIMEOUT))
        $restoring || echo "= $1 restores its items from the copies"
        restoring=true
        ;;
    esac
    sleep "${KVS_POLL_SECONDS:-5}"
  done
  state="no answer within $KVS_READY_TIMEOUT s (last word: '$state')"
  return 1
}

# group_members SIZE: lines "NAME ZONE" of the group's VMs, once it has as many.
group_members() {
  local end=$((SECONDS + KVS_READY_TIMEOUT))
  while :; do
    ask "$group-XXXX $KVS_ZONE" compute instance-groups managed list-instances "$group" "--region=$KVS_REGION" \
      "--filter=NOT currentAction:DELETING" \
      "--format=value(instance.basename(),instance.scope(zones).segment(0))"
    if $dry_run || (($(grep -c . <<<"$answer") == $1)); then return; fi
    ((SECONDS < end)) ||
      fail "Group $group has not the $1 servers that it should have. Why: gcloud compute instance-groups managed" \
        "list-errors $group --region=$KVS_REGION --project=$KVS_PROJECT"
    sleep "${KVS_POLL_SECONDS:-5}"
  done
}

where_to_look() {
  echo "Its log: gcloud compute ssh $1 --zone=$2 --project=$KVS_PROJECT --tunnel-through-iap --command='sudo journalctl -u google-startup-scripts -u kvs-server -n 100'"
}
