# Logs and metrics leave the VMs by Google's Ops Agent (var.observe); these are what is made of them.

locals {
  monitoring = "${path.module}/../monitoring"
  # where Google's uptime checks come from
  checkers = "35.199.192.0/19"
  # The same documents as infra/create.sh takes, with the deployment's name in them.
  alert_names = concat(
    ["not-serving", "disk-full", "store-failing", "certificate"],
    var.uptime_service == "" ? [] : ["unreachable"],
    local.copied ? ["copies-late"] : [],
  )
  uptime_name = try(split("/", var.uptime_service)[7], "")
  alerts = {
    for name in length(var.alert_channels) == 0 ? [] : local.alert_names : name => jsondecode(
      replace(replace(file("${local.monitoring}/${name}.json"), "NAME", var.name), "SERVICE", local.uptime_name)
    )
  }
}

resource "google_monitoring_dashboard" "kvs" {
  count          = var.dashboard ? 1 : 0
  dashboard_json = replace(file("${local.monitoring}/dashboard.json"), "NAME", var.name)
  depends_on     = [google_project_service.apis]
}

resource "google_monitoring_alert_policy" "alerts" {
  for_each              = local.alerts
  display_name          = each.value.displayName
  combiner              = each.value.combiner
  notification_channels = var.alert_channels
  documentation {
    content   = each.value.documentation.content
    mime_type = each.value.documentation.mimeType
  }
  conditions {
    display_name = each.value.conditions[0].displayName
    dynamic "condition_matched_log" {
      for_each = try([each.value.conditions[0].conditionMatchedLog], [])
      content {
        filter = condition_matched_log.value.filter
      }
    }
    dynamic "condition_threshold" {
      for_each = try([each.value.conditions[0].conditionThreshold], [])
      content {
        filter          = condition_threshold.value.filter
        comparison      = condition_threshold.value.comparison
        threshold_value = condition_threshold.value.thresholdValue
        duration        = condition_threshold.value.duration
        aggregations {
          alignment_period   = condition_threshold.value.aggregations[0].alignmentPeriod
          per_series_aligner = condition_threshold.value.aggregations[0].perSeriesAligner
          # of those that count series
          cross_series_reducer = try(condition_threshold.value.aggregations[0].crossSeriesReducer, null)
          group_by_fields      = try(condition_threshold.value.aggregations[0].groupByFields, null)
        }
        trigger {
          count = condition_threshold.value.trigger.count
        }
      }
    }
  }
  alert_strategy {
    auto_close = each.value.alertStrategy.autoClose
    dynamic "notification_rate_limit" {
      for_each = try([each.value.alertStrategy.notificationRateLimit], [])
      content {
        period = notification_rate_limit.value.period
      }
    }
  }
  depends_on = [google_project_service.apis]
}

# Google's checkers reach an address inside the network only by a Service Directory service, which this provider
# cannot make: docs/gcp.md has the commands. Its full name is projects/P/locations/R/namespaces/N/services/S.
resource "google_monitoring_uptime_check_config" "kvs" {
  count        = var.uptime_service == "" ? 0 : 1
  display_name = "kvs ${var.name}"
  timeout      = "10s"
  period       = "60s"
  checker_type = "VPC_CHECKERS"
  tcp_check {
    port = var.port
  }
  monitored_resource {
    type = "servicedirectory_service"
    labels = {
      project_id     = var.project
      location       = split("/", var.uptime_service)[3]
      namespace_name = split("/", var.uptime_service)[5]
      service_name   = split("/", var.uptime_service)[7]
    }
  }
  depends_on = [google_project_service.apis]
}

resource "google_compute_firewall" "uptime" {
  count                   = var.uptime_service == "" ? 0 : 1
  name                    = "${var.name}-uptime"
  network                 = google_compute_network.kvs.id
  source_ranges           = [local.checkers]
  target_service_accounts = [google_service_account.server.email]
  allow {
    protocol = "tcp"
    ports    = [tostring(var.port)]
  }
}
