# Running gcloud, and curl for what gcloud has no command for: every command is said, and one that fails is explained.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with the scripts that source lib.sh

# Every gcloud command gets the project here: the one that gcloud is set to never counts.
gcloud_() {
  if [[ $1 == curl ]]; then curl_ "${@:2}"; else gcloud "$@" --project="$KVS_PROJECT" --quiet; fi
}

# curl with the token of gcloud's account, which goes by a pipe: command lines can be read by everybody. What Google
# answers to a request that fails is an error's text.
curl_() {
  local token outcome=0
  token=$(gcloud auth print-access-token --project="$KVS_PROJECT" --quiet) || return
  printf 'header = "Authorization: Bearer %s"\n' "$token" |
    curl -sS --fail-with-body --config - --header "X-Goog-User-Project: $KVS_PROJECT" \
      --header "Content-Type: application/json" "$@" >"$work/curl" || outcome=$?
  if ((outcome == 0)); then cat "$work/curl"; else cat "$work/curl" >&2; fi
  return "$outcome"
}

# The shortest quoting that a shell reads back as the same words, always on one line.
print_command() {
  local word line=gcloud
  local -a words=("$@" "--project=$KVS_PROJECT" --quiet)
  if [[ $1 == curl ]]; then
    line=curl
    words=("${@:2}")
  fi
  for word in "${words[@]}"; do
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
    *"deletion protection"* | *"eletionProtection"* | *"deletion-protection"*)
      echo "It is protected. 'gcloud compute instances update VM --no-deletion-protection' (or the like for Redis) ends that."
      ;;
    *constraints/*)
      echo "A policy of your organization forbids this. Ask its administrator for an exception for project $KVS_PROJECT."
      ;;
    *PERMISSION_DENIED* | *"does not have permission"* | *"ermission denied"* | *"equired "*permission* | *forbidden* | *"HTTPError 403"*)
      echo "The account '$(gcloud config get-value account 2>/dev/null)' may not do this in project $KVS_PROJECT." \
        "roles/owner may; so may roles/editor with roles/resourcemanager.projectIamAdmin, roles/storage.admin," \
        "roles/secretmanager.admin and roles/servicenetworking.networksAdmin."
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

# not_yet_known FILE: whether that says what passes: what has just been made or enabled takes up to some minutes to
# be known everywhere at Google, and others may change a policy at the same time.
not_yet_known() {
  grep -Eq 'ervice account .* does not exist|oncurrent policy changes' "$1" ||
    { ((changes > 0)) && grep -Eq 'has not been used in project|it is disabled|is not ready' "$1"; }
}

# attempt OUTPUT ERRORS COMMAND…: runs a command into these files, again while that may help.
attempt() {
  local output=$1 errors=$2 number
  shift 2
  for number in {1..36}; do
    gcloud_ "$@" >"$output" 2>"$errors" </dev/null && return
    if ((number == 36)) || ! not_yet_known "$errors"; then return 1; fi
    sleep "${KVS_POLL_SECONDS:-5}"
  done
}

# Runs a command that changes something: says it, does it, explains it where it fails.
run() {
  print_command "$@"
  $dry_run || attempt "$work/out" "$work/error" "$@" || failed "$(<"$work/error")" "$@"
}

# Runs a command that changes what is there.
change() {
  run "$@"
  changes=$((changes + 1))
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
  attempt "$work/answer" "$work/error" "$@" || failed "$(<"$work/error")" "$@"
  answer=$(<"$work/answer")
}
