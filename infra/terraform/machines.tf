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

# Stores gcs and redis: servers that hold nothing, made anew where they stop answering. What a new one is made from.
resource "google_compute_instance_template" "server" {
  count        = local.grouped ? 1 : 0
  name_prefix  = "${var.name}-servers-"
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

# Does the server answer? The load balancer asks every 5 s; the group makes a VM anew that has not answered for 2 minutes.
resource "google_compute_health_check" "kvs" {
  for_each = !local.grouped ? {} : {
    balancer = { name = var.name, interval = 5, timeout = 3, failures = 2 }
    heal     = { name = "${var.name}-heal", interval = 10, timeout = 5, failures = 12 }
  }
  name                = each.value.name
  check_interval_sec  = each.value.interval
  timeout_sec         = each.value.timeout
  healthy_threshold   = 1
  unhealthy_threshold = each.value.failures
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

moved {
  from = google_compute_health_check.kvs[0]
  to   = google_compute_health_check.kvs["balancer"]
}

# A group for each zone, each updated when those before it are. One group over several zones would replace as many VMs
# at a time as it has zones, and in a zone's failure makes no VMs elsewhere either.
locals {
  server_zones = length(var.server_zones) > 0 ? var.server_zones : ["${var.region}-b", "${var.region}-c"]
  # How many servers the first zone has, the second and the third.
  server_counts = [
    for place in range(3) : floor((var.server_count + length(local.server_zones) - 1 - place) / length(local.server_zones))
  ]
  server_groups = concat(module.servers_1[*].group, module.servers_2[*].group, module.servers_3[*].group)
}

module "servers_1" {
  source       = "./servers"
  count        = local.grouped ? 1 : 0
  name         = var.name
  zone         = local.server_zones[0]
  size         = local.server_counts[0]
  template     = google_compute_instance_template.server[0].id
  health_check = google_compute_health_check.kvs["heal"].id
}

module "servers_2" {
  source       = "./servers"
  count        = local.grouped && length(local.server_zones) > 1 ? 1 : 0
  name         = var.name
  zone         = local.server_zones[1]
  size         = local.server_counts[1]
  template     = google_compute_instance_template.server[0].id
  health_check = google_compute_health_check.kvs["heal"].id
  depends_on   = [module.servers_1]
}

module "servers_3" {
  source       = "./servers"
  count        = local.grouped && length(local.server_zones) > 2 ? 1 : 0
  name         = var.name
  zone         = local.server_zones[2]
  size         = local.server_counts[2]
  template     = google_compute_instance_template.server[0].id
  health_check = google_compute_health_check.kvs["heal"].id
  depends_on   = [module.servers_2]
}

resource "google_compute_region_backend_service" "kvs" {
  count                           = local.grouped ? 1 : 0
  name                            = var.name
  region                          = var.region
  load_balancing_scheme           = "INTERNAL"
  protocol                        = "TCP"
  health_checks                   = [google_compute_health_check.kvs["balancer"].id]
  connection_draining_timeout_sec = 30
  dynamic "backend" {
    for_each = local.server_groups
    content {
      group          = backend.value
      balancing_mode = "CONNECTION"
    }
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
