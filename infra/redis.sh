# Memorystore for Redis: where it is, who signs its certificates, and its password.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with the scripts that source lib.sh

# HOST:PORT of an instance with a password, else the URL
redis_url=
# which version of the secret holds an instance's URL with its password
redis_secret_version=

needs_redis_secret() {
  [[ $KVS_STORE == redis && $KVS_REDIS_KIND == instance && $KVS_REDIS_AUTH == required ]]
}

# Learns where Redis is and fetches the certificates that its own are signed with.
find_redis() {
  if [[ $KVS_REDIS_KIND == instance ]]; then
    ask $'HOST\t6378' redis instances describe "$redis" "--region=$KVS_REGION" "--format=value(host,port)"
    redis_url=${answer/$'\t'/:}
    needs_redis_secret || redis_url=rediss://$redis_url
    ask CERTIFICATE redis instances describe "$redis" "--region=$KVS_REGION" "--format=value(serverCaCerts[].cert)"
  elif [[ $KVS_REDIS_KIND == valkey ]]; then
    ask $'HOST\t6379' memorystore instances describe "$redis" "--location=$KVS_REGION" \
      "--format=value(discoveryEndpoints[0].address,discoveryEndpoints[0].port)"
    redis_url=rediss://${answer/$'\t'/:}
    ask CERTIFICATE memorystore instances get-certificate-authority "$redis" "--location=$KVS_REGION" \
      "--format=value(managedServerCa.caCerts[].certificates[])"
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

learn_redis_secret_version() {
  newest_version "$redis_secret" "$1"
  redis_secret_version=$answer
}

# Gives the secret a new version where the AUTH string of Redis is not the one that it holds. From one command's
# output to the other's input: neither a command line nor a log may hold the password.
store_redis_url() {
  local outcome=0
  local -a get=(redis instances get-auth-string "$redis" "--region=$KVS_REGION" "--format=value(authString)")
  local -a access=(secrets versions access latest "--secret=$redis_secret")
  local -a add=(secrets versions add "$redis_secret" --data-file=-)
  learn_redis_secret_version ""
  print_command "${get[@]}"
  if $dry_run; then
    print_command "${add[@]}"
  else
    (
      export CLOUDSDK_CORE_DISABLE_FILE_LOGGING=true
      auth=$(gcloud_ "${get[@]}") || exit 1
      [[ -n $auth ]] || {
        echo "It has none: 'gcloud redis instances update $redis --enable-auth --region=$KVS_REGION'" >&2
        exit 1
      }
      url=rediss://:$auth@$redis_url
      if [[ -n $redis_secret_version ]]; then
        print_command "${access[@]}"
        known=$(gcloud_ "${access[@]}") || exit 1
        [[ $known != "$url" ]] || exit 3
      fi
      print_command "${add[@]}"
      printf %s "$url" | gcloud_ "${add[@]}" >/dev/null
    ) 2>"$work/error" </dev/null || outcome=$?
  fi
  case $outcome in
    0)
      changes=$((changes + 1))
      learn_redis_secret_version 1
      ;;
    3) echo "= secret $redis_secret has the AUTH string" ;;
    *) failed "$(<"$work/error")" "${get[@]}" ;;
  esac
}

# The flags of KVS_MAINTENANCE, for an instance and a cluster.
maintenance_window() {
  [[ -n $KVS_MAINTENANCE ]] || return 0
  printf '%s\n' "--maintenance-window-day=${KVS_MAINTENANCE% *}" "--maintenance-window-hour=${KVS_MAINTENANCE#* }"
}

# The same for Valkey.
valkey_window() {
  [[ -z $KVS_MAINTENANCE ]] ||
    echo "--maintenance-policy-weekly-window=day=${KVS_MAINTENANCE% *},startTime={hours=${KVS_MAINTENANCE#* }}"
}
