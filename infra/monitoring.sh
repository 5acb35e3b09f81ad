# What watches the servers from outside: a dashboard and alerts; and Debian's updates.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with the scripts that source lib.sh

# Where Google's uptime checks come from
readonly CHECKERS=35.199.192.0/19

# The alerts, by their files in infra/monitoring; the last is of the uptime check.
readonly ALERTS=(not-serving disk-full store-failing certificate unreachable copies-late)

# named FILE: writes a file of infra/monitoring with this deployment's name in it to the work directory.
named() {
  $dry_run || sed "s/NAME/$KVS_NAME/g; s/SERVICE/$namespace/g" "$infra/monitoring/$1.json" >"$work/$1.json"
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
  step "Alerts: not serving, disk over 80 %, store failing, certificate near its end, and where it is checked the address"
  for name in "${ALERTS[@]}"; do
    [[ $name != unreachable || $KVS_UPTIME == yes ]] || continue
    [[ $name != copies-late ]] || copied || continue
    named "$name"
    ensure alert "$(alert_name "$name")" alpha monitoring policies create "--policy-from-file=$work/$name.json" \
      "--notification-channels=$KVS_ALERT_CHANNELS"
  done
}

# Google's checkers reach an address inside the network by a Service Directory service, and with roles of the account
# that they run as.
make_uptime_check() {
  local number agent role
  step "Uptime check: Google asks the address every minute, from inside the network"
  ask NUMBER projects describe "$KVS_PROJECT" "--format=value(projectNumber)"
  number=$answer
  agent=serviceAccount:service-$number@gcp-sa-monitoring-notification.iam.gserviceaccount.com
  for role in roles/servicedirectory.viewer roles/servicedirectory.pscAuthorizedService; do
    exists project-role "$role $agent" || {
      [[ $role != *viewer ]] || change beta services identity create --service=monitoring.googleapis.com
      change projects add-iam-policy-binding "$KVS_PROJECT" "--member=$agent" "--role=$role" --condition=None
    }
  done
  ensure firewall-rule "$KVS_NAME-uptime" compute firewall-rules create "$KVS_NAME-uptime" \
    "--network=$network" --direction=INGRESS --action=ALLOW "--rules=tcp:$KVS_PORT" \
    "--source-ranges=$CHECKERS" "--target-service-accounts=$server_email"
  ensure namespace "$namespace" service-directory namespaces create "$namespace" "--location=$KVS_REGION"
  ensure directory-service "$namespace" service-directory services create "$namespace" "--namespace=$namespace" \
    "--location=$KVS_REGION"
  ensure endpoint "$namespace" service-directory endpoints create "$namespace" "--service=$namespace" \
    "--namespace=$namespace" "--location=$KVS_REGION" "--address=$server_ip" "--port=$KVS_PORT" \
    "--network=projects/$number/locations/global/networks/$network"
  # gcloud has no flag for the kind of checkers.
  write_uptime_check
  ensure uptime-check "$uptime_check" curl --data "@$work/uptime.json" \
    "https://monitoring.googleapis.com/v3/projects/$KVS_PROJECT/uptimeCheckConfigs"
}

write_uptime_check() {
  $dry_run || cat >"$work/uptime.json" <<JSON
{
  "displayName": "$uptime_check",
  "monitoredResource": {
    "type": "servicedirectory_service",
    "labels": {
      "project_id": "$KVS_PROJECT",
      "location": "$KVS_REGION",
      "namespace_name": "$namespace",
      "service_name": "$namespace"
    }
  },
  "tcpCheck": { "port": $KVS_PORT },
  "checkerType": "VPC_CHECKERS",
  "period": "60s",
  "timeout": "10s"
}
JSON
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
