# Releases: what the bucket of executables holds.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with the scripts that source lib.sh

# The executables of a release, and its other files; the startup script puts them in place.
readonly PROGRAMS=(kvs-server kvs-client kvs-bench)
readonly RELEASE_FILES=(kvs-server.service kvs-ready kvs-drain ops-agent.yaml)

# Puts the release together and names it by its content: VMs are told the name, and take nothing else.
stage_release() {
  if $dry_run; then
    release=RELEASE
    return
  fi
  local name
  for name in "${PROGRAMS[@]}" SHA256SUMS; do
    [[ -f $KVS_BIN/$name ]] || fail "Cannot find $KVS_BIN/$name: run 'deno task compile' first."
  done
  (cd "$KVS_BIN" && sha256sum --check --strict --quiet --ignore-missing SHA256SUMS) ||
    fail "The executables in $KVS_BIN are not the ones of $KVS_BIN/SHA256SUMS: run 'deno task compile' again."
  mkdir -p "$work/release"
  for name in "${PROGRAMS[@]}"; do cp "$KVS_BIN/$name" "$work/release/"; done
  for name in "${RELEASE_FILES[@]}"; do cp "$infra/$name" "$work/release/"; done
  (cd "$work/release" && sha256sum -- kvs-* ops-agent.yaml >SHA256SUMS)
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
  for name in "${PROGRAMS[@]}" "${RELEASE_FILES[@]}"; do files+=("$work/release/$name"); done
  run storage cp "${files[@]}" "$target/"
  change storage cp "$work/release/SHA256SUMS" "$target/SHA256SUMS"
}

