#!/usr/bin/env bash
# Makes a new password or a new certificate for the servers. infra/deploy.sh then brings it to them and to the client,
# without a restart.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
Usage: [KVS_PROJECT=demo] [...] infra/rotate.sh [--finish | --certificate] [--dry-run]

Makes a new password beside the one that there is: once infra/deploy.sh has run, clients log in by either.

  --finish       leave the new password alone, when all clients have it
  --certificate  a new certificate instead, of the same authority
  --dry-run      print the gcloud commands, one a line; needs no credentials
  -h, --help     this text
TEXT
}

# users_of LINES: the names of lines USER:PASSWORD, in order.
users_of() {
  cut -d : -f 1 <<<"$1" | grep . | sort -u
}

finish=false
certificate=false
read_flags "--finish --certificate --dry-run" "$@"
if $finish && $certificate; then usage_error "--finish is for a password, --certificate for none."; fi

begin
take_stock_of_apis
take_stock address secret
if $dry_run; then
  found[address/$address]=ADDRESS
  found[secret/$users_secret]=yes
  found[secret/$tls_secret]=yes
fi

if $certificate; then
  exists secret "$tls_secret" || fail "There is no secret $tls_secret in project $KVS_PROJECT: nothing speaks TLS there."
  step "Certificate: a new one of the same authority, good for $CERTIFICATE_DAYS days"
  server_ip=${found[address/$address]}
  fetch_authority
  sign_certificate
else
  exists secret "$users_secret" || fail "There is no secret $users_secret in project $KVS_PROJECT: nobody logs in there."
  read_secret "$users_secret"
  # The first line is the password that the client machine takes.
  newest=${answer%%$'\n'*}
  if $finish; then
    step "Password: the new one alone"
    if ! $dry_run && [[ $answer == "$newest" ]]; then
      echo "Nothing to do: there is one password."
      exit
    fi
    lines=$newest
  else
    step "Password: a new one, beside the one of now"
    lines=$KVS_AUTH_USER:$(new_password)$'\n'$newest
  fi
  add_version "$users_secret" <<<"$lines"
  # Somebody may have added users by hand.
  gone=$(comm -23 <(users_of "$answer") <(users_of "$lines") | tr '\n' ' ')
  [[ -z $gone ]] || echo "With the next deployment these users are gone: ${gone% }."
fi
$dry_run || echo "Now run infra/deploy.sh, with the settings of before."
