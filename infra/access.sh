# Who may log in to the servers, and the certificate that they show: what Secret Manager keeps of both.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with the scripts that source lib.sh

# which versions of the secrets the servers read
users_version=
tls_version=

# Days that the authority and a certificate of it are good for.
readonly AUTHORITY_DAYS=3650 CERTIFICATE_DAYS=825

needs_users() {
  [[ $KVS_AUTH == required ]]
}

needs_tls() {
  [[ $KVS_TLS == yes ]]
}

# What a health check of Google's hears when it asks for the version.
health_response() {
  if needs_users; then echo "CLIENT_ERROR unauthenticated"; else echo VERSION; fi
}

# How it asks.
health_protocol() {
  if needs_tls; then echo ssl; else echo tcp; fi
}

# A pattern of what stock.sh knows of a health check that asks so.
expected_health_check() {
  local protocol
  protocol=$(health_protocol)
  printf '%s\t*%s' "${protocol^^}" "$(health_response)"
}

# newest_version SECRET ASSUMED: puts its number into `answer`; nothing where it has none.
newest_version() {
  ask "$2" secrets versions list "$1" --filter=state=ENABLED --limit=1 "--format=value(name.basename())"
}

# add_version SECRET: keeps standard input. Neither a command line nor a log may hold it.
add_version() {
  local -a add=(secrets versions add "$1" --data-file=-)
  print_command "${add[@]}"
  $dry_run && return
  changes=$((changes + 1))
  CLOUDSDK_CORE_DISABLE_FILE_LOGGING=true gcloud_ "${add[@]}" >/dev/null 2>"$work/error" ||
    failed "$(<"$work/error")" "${add[@]}"
}

# read_secret SECRET: what its newest version holds, into `answer`.
read_secret() {
  local -a access=(secrets versions access latest "--secret=$1")
  print_command "${access[@]}"
  answer=
  $dry_run && return
  answer=$(CLOUDSDK_CORE_DISABLE_FILE_LOGGING=true gcloud_ "${access[@]}" 2>"$work/error" </dev/null) ||
    failed "$(<"$work/error")" "${access[@]}"
}

# 192 random bits, of signs that need no quoting anywhere.
new_password() {
  head -c 24 /dev/urandom | base64 | tr '+/' '-_'
}

# make_secret SECRET: an empty one, kept in the region.
make_secret() {
  ensure secret "$1" secrets create "$1" --replication-policy=user-managed "--locations=$KVS_REGION"
}

# let_read KIND SECRET EMAIL: the role to read one secret, and nothing more.
let_read() {
  ensure "$1" "roles/secretmanager.secretAccessor serviceAccount:$3" secrets add-iam-policy-binding "$2" \
    "--member=serviceAccount:$3" --role=roles/secretmanager.secretAccessor --condition=None
}

# The servers' user, unless there is one. Lines USER:PASSWORD, as memcached's -Y takes them.
make_users() {
  make_secret "$users_secret"
  let_read users-role "$users_secret" "$server_email"
  let_read users-role "$users_secret" "$client_email"
  newest_version "$users_secret" ""
  if [[ -z $answer ]]; then
    add_version "$users_secret" <<<"$KVS_AUTH_USER:$(new_password)"
    newest_version "$users_secret" 1
  else
    echo "= secret $users_secret has the users"
  fi
  users_version=$answer
}

# The authority and the servers' certificate, unless they are there. No machine reads the authority's key.
make_certificates() {
  make_secret "$authority_secret"
  newest_version "$authority_secret" ""
  if [[ -z $answer ]]; then
    make_authority
  else
    echo "= secret $authority_secret has an authority"
    fetch_authority
  fi
  make_secret "$tls_secret"
  let_read tls-role "$tls_secret" "$server_email"
  newest_version "$tls_secret" ""
  if [[ -z $answer ]]; then
    sign_certificate
    newest_version "$tls_secret" 1
  else
    echo "= secret $tls_secret has a certificate"
  fi
  tls_version=$answer
}

# openssl_ WORDS…: in the work directory, which nobody else reads, and which is gone with the script.
openssl_() {
  (cd "$work" && umask 077 && openssl "$@" 2>error) || fail "openssl $1 failed: $(<"$work/error")"
}

readonly NEW_KEY=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)

make_authority() {
  if $dry_run; then
    add_version "$authority_secret"
    return
  fi
  openssl_ req -x509 "${NEW_KEY[@]}" -days "$AUTHORITY_DAYS" -subj "/CN=authority of $KVS_NAME" \
    -addext keyUsage=critical,keyCertSign,cRLSign -keyout authority.key -out kvs-ca.pem
  (umask 077 && cat "$work/authority.key" "$work/kvs-ca.pem" >"$work/authority.pem")
  add_version "$authority_secret" <"$work/authority.pem"
}

# What the servers' certificate is checked by, for the client; and the key that signs, for a new certificate.
fetch_authority() {
  read_secret "$authority_secret"
  $dry_run && return
  (umask 077 && sed -n '/-----BEGIN.*PRIVATE KEY-----/,/-----END.*PRIVATE KEY-----/p' <<<"$answer" >"$work/authority.key")
  sed -n '/-----BEGIN CERTIFICATE-----/,/-----END CERTIFICATE-----/p' <<<"$answer" >"$work/kvs-ca.pem"
  answer=
}

# A certificate for the address and name that clients use, with its key in the same file.
sign_certificate() {
  if $dry_run; then
    add_version "$tls_secret"
    return
  fi
  cat >"$work/extensions" <<TEXT
subjectAltName=IP:$server_ip,DNS:$KVS_NAME,DNS:localhost,IP:127.0.0.1
extendedKeyUsage=serverAuth
basicConstraints=critical,CA:FALSE
TEXT
  openssl_ req "${NEW_KEY[@]}" -subj "/CN=$KVS_NAME" -keyout tls.key -out tls.csr
  openssl_ x509 -req -in tls.csr -CA kvs-ca.pem -CAkey authority.key -CAcreateserial -days "$CERTIFICATE_DAYS" \
    -extfile extensions -out tls.crt
  (umask 077 && cat "$work/tls.key" "$work/tls.crt" >"$work/tls.pem")
  add_version "$tls_secret" <"$work/tls.pem"
}

# What create.sh has made of both, for deploy.sh.
find_access() {
  if needs_users; then
    exists secret "$users_secret" ||
      fail "There is no secret $users_secret: run infra/create.sh first, or set KVS_AUTH=none."
    newest_version "$users_secret" 1
    users_version=$answer
  fi
  if needs_tls; then
    exists secret "$tls_secret" ||
      fail "There is no secret $tls_secret: run infra/create.sh first, or set KVS_TLS=no."
    newest_version "$tls_secret" 1
    tls_version=$answer
    fetch_authority
  fi
}
