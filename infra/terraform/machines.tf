# Store disk: one VM with the data disk.
resource "google_compute_instance" "server" {
  count                     = local.grouped ? 0 : 1
  name                      = "${var.name}-server"
  zone                      = local.zone
  machine_type              = var.machine_type
  metadata                  = local.server_metadata
  allow_stopping_for_update = true
  deletion_protection       = var.deletion_protection
  boot_disk {
    kms_key_self_link = local.kms_key
    initialize_params {
      image = var.image
      size  = 10
      type  = "pd-balanced"
    }
  }
  attached_disk {
    source      = google_compute_disk.data[0].id
    device_name = google_compute_disk.data[0].name
  }
  network_interface {
    subnetwork = google_compute_subnetwork.kvs.id
    network_ip = google_compute_address.kvs.address
  }
  service_account {
    email  = google_service_account.server.email
    scopes = local.server_scopes
  }
  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }
  depends_on = [
    google_storage_bucket_object.sums,
    google_storage_bucket_iam_member.bin,
    google_secret_manager_secret_iam_member.users,
    google_secret_manager_secret_iam_member.tls,
    google_storage_bucket_iam_member.copies,
  ]
}

# Stores gcs and redis: servers that hold nothing, made anew where they stop answering.
resource "google_compute_instance_template" "server" {
  count        = local.grouped ? 1 : 0
  name         = "${var.name}-servers-${local.deployment}"
  machine_type = var.machine_type
  metadata     = local.server_metadata
  disk {
    source_image = var.image
    disk_size_gb = 10
    disk_type    = "pd-balanced"
    boot         = true
    auto_delete  = true
    dynamic "disk_encryption_key" {
      for_each = var.kms_key != "" ? [var.kms_key] : []
      content {
        kms_key_self_link = disk_encryption_key.value
      }
    }
  }
  network_interface {
    subnetwork = google_compute_subnetwork.kvs.id
  }
  service_account {
    email  = google_service_account.server.email
    scopes = local.server_scopes
  }
  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }
  depends_on = [
    google_storage_bucket_object.sums,
    google_storage_bucket_iam_member.bin,
    google_storage_bucket_iam_member.data,
    google_secret_manager_secret_version.redis_url,
    google_secret_manager_secret_iam_member.redis_url,
    google_secret_manager_secret_iam_member.users,
    google_secret_manager_secret_iam_member.tls,
  ]
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_health_check" "kvs" {
  count               = local.grouped ? 1 : 0
  name                = var.name
  check_interval_sec  = 10
  timeout_sec         = 5
  healthy_threshold   = 1
  unhealthy_threshold = 3
  # Where one must log in first, that is the answer.
  dynamic "tcp_health_check" {
    for_each = var.tls ? [] : [var.port]
    content {
      port     = tcp_health_check.value
      request  = "version\n"
      response = local.users ? "CLIENT_ERROR unauthenticated" : "VERSION"
    }
  }
  dynamic "ssl_health_check" {
    for_each = var.tls ? [var.port] : []
    content {
      port     = ssl_health_check.value
      request  = "version\n"
      response = local.users ? "CLIENT_ERROR unauthenticated" : "VERSION"
    }
  }
  depends_on = [google_project_service.apis]
}

resource "google_compute_region_instance_group_manager" "servers" {
  count              = local.grouped ? 1 : 0
  name               = "${var.name}-servers"
  region             = var.region
  base_instance_name = "${var.name}-server"
  target_size        = var.server_count
  # all of the region's where this is null
  distribution_policy_zones = length(var.server_zones) > 0 ? var.server_zones : null
  version {
    instance_template = google_compute_instance_template.server[0].id
  }
  auto_healing_policies {
    health_check      = google_compute_health_check.kvs[0].id
    initial_delay_sec = 300
  }
  # A new server for each old one, made first: an old one leaves the load balancer, its connections have 30 s to end,
  # and then it goes. Google replaces no fewer at a time than the group has zones: in one zone, one after another.
  update_policy {
    type                           = "PROACTIVE"
    minimal_action                 = "REPLACE"
    most_disruptive_allowed_action = "REPLACE"
    replacement_method             = "SUBSTITUTE"
    max_surge_fixed                = length(var.server_zones) > 0 ? length(var.server_zones) : 3
    max_unavailable_fixed          = 0
  }
}

resource "google_compute_region_backend_service" "kvs" {
  count                           = local.grouped ? 1 : 0
  name                            = var.name
  region                          = var.region
  load_balancing_scheme           = "INTERNAL"
  protocol                        = "TCP"
  health_checks                   = [google_compute_health_check.kvs[0].id]
  connection_draining_timeout_sec = 30
  backend {
    group          = google_compute_region_instance_group_manager.servers[0].instance_group
    balancing_mode = "CONNECTION"
  }
}

resource "google_compute_forwarding_rule" "kvs" {
  count                 = local.grouped ? 1 : 0
  name                  = var.name
  region                = var.region
  load_balancing_scheme = "INTERNAL"
  network               = google_compute_network.kvs.id
  subnetwork            = google_compute_subnetwork.kvs.id
  ip_address            = google_compute_address.kvs.id
  ip_protocol           = "TCP"
  ports                 = [tostring(var.port)]
  backend_service       = google_compute_region_backend_service.kvs[0].id
}

resource "google_compute_instance" "client" {
  name                      = "${var.name}-client"
  zone                      = local.zone
  machine_type              = var.client_machine_type
  allow_stopping_for_update = true
  metadata = merge(
    local.common_metadata,
    { kvs-role = "client", kvs-servers = "${google_compute_address.kvs.address}:${var.port}" },
    local.users ? { kvs-users-secret = local.users_secret } : {},
    var.tls ? { kvs-ca = tls_self_signed_cert.authority[0].cert_pem } : {},
  )
  boot_disk {
    kms_key_self_link = local.kms_key
    initialize_params {
      image = var.image
      size  = 10
      type  = "pd-balanced"
    }
  }
  network_interface {
    subnetwork = google_compute_subnetwork.kvs.id
  }
  service_account {
    email = google_service_account.client.email
    scopes = (
      local.users ?
      ["https://www.googleapis.com/auth/cloud-platform"] :
      concat(local.narrow_scopes, ["https://www.googleapis.com/auth/devstorage.read_only"])
    )
  }
  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }
  depends_on = [
    google_storage_bucket_object.sums,
    google_storage_bucket_iam_member.bin,
    google_secret_manager_secret_iam_member.users,
    google_secret_manager_secret_iam_member.tls,
  ]
}

# Debian's own updates, each Sunday, one zone after another: the group's other servers answer meanwhile.
resource "google_os_config_patch_deployment" "weekly" {
  count               = var.patching ? 1 : 0
  patch_deployment_id = "${var.name}-weekly"
  instance_filter {
    instance_name_prefixes = ["${var.name}-server", "${var.name}-client"]
  }
  patch_config {
    reboot_config = "DEFAULT"
    apt {
      type = "DIST"
    }
  }
  recurring_schedule {
    time_zone {
      id = "Etc/UTC"
    }
    time_of_day {
      hours = 3
    }
    weekly {
      day_of_week = "SUNDAY"
    }
  }
  rollout {
    mode = "ZONE_BY_ZONE"
    disruption_budget {
      fixed = 1
    }
  }
  depends_on = [google_project_service.apis]
}
