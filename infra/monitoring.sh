# What watches the servers from outside: a dashboard and alerts; and Debian's updates.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with the scripts that source lib.sh

# The alerts, by their files in infra/monitoring.
readonly ALERTS=(not-serving disk-full store-failing certificate)

# named FILE: writes a file of infra/monitoring with this deployment's name in it to the work directory.
named() {
  $dry_run || sed "s/NAME/$KVS_NAME/g" "$infra/monitoring/$1.json" >"$work/$1.json"
}

# The name that an alert shows.
alert_name() {
  sed -n "s/^  \"displayName\": \"\(.*\)\",$/\1/p" "${BASH_SOURCE[0]%/*}/monitoring/$1.json" | sed "s/NAME/$KVS_NAME/"
}

make_monitoring() {
  local name
  if [[ $KVS_DASHBOARD == yes ]]; then
    step "Dashboard: the servers' load, disks, items and log"
    named dashboard
    ensure dashboard "$dashboard" monitoring dashboards create "--config-from-file=$work/dashboard.json"
  fi
  [[ -n $KVS_ALERT_CHANNELS ]] || return 0
  step "Alerts: not serving, disk over 80 %, store failing, certificate near its end"
  for name in "${ALERTS[@]}"; do
    named "$name"
    ensure alert "$(alert_name "$name")" alpha monitoring policies create "--policy-from-file=$work/$name.json" \
      "--notification-channels=$KVS_ALERT_CHANNELS"
  done
}

write_patch_deployment() {
  $dry_run || cat >"$work/patching.json" <<JSON
{
  "description": "Debian's updates on the machines of kvs $KVS_NAME",
  "instanceFilter": { "instanceNamePrefixes": ["$server", "$client"] },
  "patchConfig": { "rebootConfig": "DEFAULT", "apt": { "type": "DIST" } },
  "recurringSchedule": {
    "timeZone": { "id": "Etc/UTC" },
    "timeOfDay": { "hours": 3 },
    "frequency": "WEEKLY",
    "weekly": { "dayOfWeek": "SUNDAY" }
  },
  "rollout": { "mode": "ZONE_BY_ZONE", "disruptionBudget": { "fixed": 1 } }
}
JSON
}
