# Memorystore for Redis, for Redis Cluster or for Valkey: what the three have in common.

locals {
  redis_instance = var.store == "redis" && var.redis_kind == "instance"
  redis_cluster  = var.store == "redis" && var.redis_kind == "cluster"
  valkey         = var.store == "redis" && var.redis_kind == "valkey"
  # An instance asks for a password, the others for an access token of the servers' account, which kvs renews.
  redis_password = local.redis_instance && var.redis_auth == "required"
  redis_iam      = (local.redis_cluster || local.valkey) && var.redis_auth == "required"

  # A store may refuse an item but not forget one.
  redis_configs = { maxmemory-policy = "noeviction" }
  maintenance   = var.maintenance == null ? [] : [var.maintenance]

  # The one that is made.
  redis = one(concat(
    [for it in google_redis_instance.kvs : {
      address = it.host, port = it.port, certificates = it.server_ca_certs[*].cert
    }],
    [for it in google_redis_cluster.kvs : {
      address      = it.discovery_endpoints[0].address, port = it.discovery_endpoints[0].port
      certificates = flatten(it.managed_server_ca[0].ca_certs[*].certificates)
    }],
    [for it in google_memorystore_instance.kvs : {
      address      = it.discovery_endpoints[0].address, port = it.discovery_endpoints[0].port
      certificates = flatten(it.managed_server_ca[0].ca_certs[*].certificates)
    }],
  ))
  redis_ca = var.store == "redis" ? join("\n", local.redis.certificates) : ""
}

# An instance lives in a range of Google's that the network is peered with.
resource "google_compute_global_address" "services" {
  count         = local.redis_instance ? 1 : 0
  name          = "${var.name}-services"
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 24
  network       = google_compute_network.kvs.id
}

resource "google_service_networking_connection" "services" {
  count                   = local.redis_instance ? 1 : 0
  network                 = google_compute_network.kvs.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.services[0].name]
}

# RDB: what a failure of both nodes leaves.
resource "google_redis_instance" "kvs" {
  count                   = local.redis_instance ? 1 : 0
  name                    = var.name
  region                  = var.region
  tier                    = var.redis_tier
  memory_size_gb          = var.redis_gb
  redis_version           = "REDIS_7_2"
  authorized_network      = google_compute_network.kvs.id
  connect_mode            = "PRIVATE_SERVICE_ACCESS"
  auth_enabled            = var.redis_auth == "required"
  customer_managed_key    = local.kms_key
  transit_encryption_mode = "SERVER_AUTHENTICATION"
  redis_configs           = local.redis_configs
  persistence_config {
    persistence_mode    = "RDB"
    rdb_snapshot_period = "ONE_HOUR"
  }
  dynamic "maintenance_policy" {
    for_each = local.maintenance
    content {
      weekly_maintenance_window {
        day = maintenance_policy.value.day
        start_time {
          hours = maintenance_policy.value.hour
        }
      }
    }
  }
  depends_on = [google_service_networking_connection.services]
  lifecycle {
    prevent_destroy = true
  }
}

resource "google_secret_manager_secret" "redis_url" {
  count     = local.redis_password ? 1 : 0
  secret_id = "${var.name}-redis-url"
  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
  depends_on = [google_project_service.apis]
}

resource "google_secret_manager_secret_version" "redis_url" {
  count       = local.redis_password ? 1 : 0
  secret      = google_secret_manager_secret.redis_url[0].id
  secret_data = "rediss://:${google_redis_instance.kvs[0].auth_string}@${local.redis.address}:${local.redis.port}"
  # Servers that run are told the older version until they are replaced.
  lifecycle {
    create_before_destroy = true
  }
}

# A cluster and Valkey have their addresses in the subnet.
resource "google_network_connectivity_service_connection_policy" "redis" {
  count         = local.redis_cluster || local.valkey ? 1 : 0
  name          = "${var.name}-redis"
  location      = var.region
  service_class = local.valkey ? "gcp-memorystore" : "gcp-memorystore-redis"
  network       = google_compute_network.kvs.id
  psc_config {
    subnetworks = [google_compute_subnetwork.kvs.id]
  }
  depends_on = [google_project_service.apis]
}

resource "google_redis_cluster" "kvs" {
  count                       = local.redis_cluster ? 1 : 0
  name                        = var.name
  region                      = var.region
  shard_count                 = var.redis_shards
  replica_count               = var.redis_replicas
  node_type                   = var.redis_node_type
  authorization_mode          = local.redis_iam ? "AUTH_MODE_IAM_AUTH" : "AUTH_MODE_DISABLED"
  transit_encryption_mode     = "TRANSIT_ENCRYPTION_MODE_SERVER_AUTHENTICATION"
  deletion_protection_enabled = true
  kms_key                     = local.kms_key
  redis_configs               = local.redis_configs
  psc_configs {
    network = google_compute_network.kvs.id
  }
  persistence_config {
    mode = "AOF"
    aof_config {
      append_fsync = "EVERYSEC"
    }
  }
  dynamic "maintenance_policy" {
    for_each = local.maintenance
    content {
      weekly_maintenance_window {
        day = maintenance_policy.value.day
        start_time {
          hours = maintenance_policy.value.hour
        }
      }
    }
  }
  depends_on = [google_network_connectivity_service_connection_policy.redis]
}

resource "google_memorystore_instance" "kvs" {
  count                       = local.valkey ? 1 : 0
  instance_id                 = var.name
  location                    = var.region
  shard_count                 = var.redis_shards
  replica_count               = var.redis_replicas
  node_type                   = var.valkey_node_type
  engine_version              = "VALKEY_8_0"
  mode                        = "CLUSTER"
  authorization_mode          = local.redis_iam ? "IAM_AUTH" : "AUTH_DISABLED"
  transit_encryption_mode     = "SERVER_AUTHENTICATION"
  deletion_protection_enabled = true
  kms_key                     = local.kms_key
  engine_configs              = local.redis_configs
  desired_auto_created_endpoints {
    network    = google_compute_network.kvs.id
    project_id = var.project
  }
  persistence_config {
    mode = "AOF"
    aof_config {
      append_fsync = "EVERY_SEC"
    }
  }
  dynamic "maintenance_policy" {
    for_each = local.maintenance
    content {
      weekly_maintenance_window {
        day = maintenance_policy.value.day
        start_time {
          hours = maintenance_policy.value.hour
        }
      }
    }
  }
  depends_on = [google_network_connectivity_service_connection_policy.redis]
}
