# kvs on Google Cloud, as infra/create.sh makes it, for those who have their cloud in Terraform.
#
#   deno task compile
#   cd infra/terraform && terraform init && terraform apply -var project=PROJECT -var store=gcs
#
# The state holds the clients' password, the keys of the certificates and the AUTH string of a Redis instance: keep it
# where secrets may be.

terraform {
  required_version = ">= 1.5"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.0, < 8.0"
    }
    random = {
      source  = "hashicorp/random"
      version = ">= 3.4, < 4.0"
    }
    tls = {
      source  = "hashicorp/tls"
      version = ">= 4.0, < 5.0"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region
  zone    = local.zone
}

locals {
  zone    = var.zone != "" ? var.zone : "${var.region}-b"
  grouped = var.store != "disk"
  kms_key = var.kms_key != "" ? var.kms_key : null

  copied      = var.store == "disk" && var.copies
  copy_made   = local.copied && var.copy_to == ""
  copy_bucket = local.copy_made ? google_storage_bucket.copies[0].name : try(split("/", var.copy_to)[2], "")
  copy_to     = local.copy_made ? "gs://${local.copy_bucket}/kvs" : var.copy_to

  # The release is named by its sums, which the startup script holds its files to.
  release_files = {
    "kvs-server"         = "${var.bin}/kvs-server"
    "kvs-client"         = "${var.bin}/kvs-client"
    "kvs-bench"          = "${var.bin}/kvs-bench"
    "kvs-ready"          = "${path.module}/../kvs-ready"
    "kvs-drain"          = "${path.module}/../kvs-drain"
    "kvs-server.service" = "${path.module}/../kvs-server.service"
    "ops-agent.yaml"     = "${path.module}/../ops-agent.yaml"
  }
  sums    = join("", [for name, file in local.release_files : "${filesha256(file)}  ${name}\n"])
  release = substr(sha256(local.sums), 0, 16)

  # No secret may be among them: whoever sees the VM reads them.
  options = join("\n", concat(
    [
      "KVS_STORE=${var.store}",
      "KVS_LISTEN=0.0.0.0",
      "KVS_PORT=${var.port}",
      "KVS_HTTP=127.0.0.1:9150",
    ],
    var.store == "disk" ? ["KVS_DATA_DIR=/var/lib/kvs/data"] : [],
    local.copied ? [
      "KVS_COPY_TO=${local.copy_to}",
      "KVS_COPY_RETENTION=${var.copy_days}d",
      "KVS_RESTORE_IF_EMPTY=true",
    ] : [],
    var.store == "gcs" ? ["KVS_BUCKET=${google_storage_bucket.data[0].name}"] : [],
    var.store == "redis" ? ["KVS_REDIS_VERIFY=ca"] : [],
    local.redis_cluster || local.valkey ? ["KVS_REDIS_CLUSTER=true"] : [],
    var.store == "redis" && !local.redis_password ? [
      "KVS_REDIS_URL=rediss://${local.redis.address}:${local.redis.port}",
    ] : [],
    local.redis_iam ? ["KVS_REDIS_AUTH=iam"] : [],
    local.users ? ["KVS_AUTH_FILE=/etc/kvs/users", "KVS_ENABLE_SASL=true"] : [],
    var.tls ? ["KVS_ENABLE_SSL=true", "KVS_SSL_CHAIN_CERT=/etc/kvs/tls.pem", "KVS_SSL_KEY=/etc/kvs/tls.pem"] : [],
    # Keep-alive is not to be had with TLS, and the load balancer forgets what is silent for 10 minutes.
    var.tls && local.grouped ? ["KVS_IDLE_TIMEOUT=9m"] : [],
    [for name, value in var.server_env : "${name}=${value}"],
  ))

  startup_script = file("${path.module}/../startup.sh")
  redis_secret   = try(google_secret_manager_secret_version.redis_url[0].name, "")
  # Which versions of its secrets a deployment reads.
  users_secret = try(google_secret_manager_secret_version.users[0].name, "")
  tls_secret   = try(google_secret_manager_secret_version.tls[0].name, "")
  # A server on disk is reached by its clients alone, and reaches nobody itself; to be copied it must reach Google.
  allowed = local.copied ? "" : join(" ", concat([var.subnet_range], var.uptime_service == "" ? [] : [local.checkers]))
  # Named by all that a VM is told: one whose orders have another name follows them.
  deployment = substr(sha256(jsonencode([
    local.release, local.options, local.redis_secret, local.redis_ca, local.users_secret, local.tls_secret,
    local.allowed, local.startup_script, var.observe, var.patching, var.keepalive,
  ])), 0, 16)

  common_metadata = {
    kvs-deployment          = local.deployment
    kvs-release             = local.release
    kvs-bin-bucket          = google_storage_bucket.bin.name
    startup-script          = local.startup_script
    enable-oslogin          = "TRUE"
    block-project-ssh-keys  = "TRUE"
    enable-guest-attributes = "TRUE"
    enable-osconfig         = var.patching ? "TRUE" : "FALSE"
    serial-port-enable      = "FALSE"
  }
  server_metadata = merge(
    local.common_metadata,
    { kvs-role = "server", kvs-options = local.options },
    # The load balancer forgets a connection that is silent for 10 minutes, and tells neither end.
    local.grouped ? { kvs-keepalive = tostring(var.keepalive) } : {},
    var.observe ? { kvs-observe = "yes" } : {},
    var.store == "disk" ? { kvs-disk = "${var.name}-data", kvs-allow = local.allowed } : {},
    local.users ? { kvs-users-secret = local.users_secret } : {},
    var.tls ? { kvs-tls-secret = local.tls_secret } : {},
    local.redis_password ? { kvs-redis-secret = local.redis_secret } : {},
    local.redis_ca != "" ? { kvs-redis-ca = local.redis_ca } : {},
  )

  # Secret Manager and Redis's IAM take no narrower scope than cloud-platform; there the roles alone bound a machine.
  narrow_scopes = ["https://www.googleapis.com/auth/logging.write", "https://www.googleapis.com/auth/monitoring.write"]
  server_scopes = (
    local.users || var.tls || local.redis_password || local.redis_iam ?
    ["https://www.googleapis.com/auth/cloud-platform"] :
    concat(local.narrow_scopes, [
      "https://www.googleapis.com/auth/devstorage.${var.store == "gcs" || local.copied ? "read_write" : "read_only"}",
    ])
  )
}

resource "google_project_service" "apis" {
  for_each = toset(concat(
    ["compute", "storage", "iam", "cloudresourcemanager", "logging", "monitoring", "iap", "oslogin"],
    local.redis_instance ? ["redis", "servicenetworking"] : [],
    local.users || var.tls || local.redis_password ? ["secretmanager"] : [],
    local.redis_cluster ? ["redis", "networkconnectivity"] : [],
    local.valkey ? ["memorystore", "networkconnectivity"] : [],
    var.patching ? ["osconfig"] : [],
    var.uptime_service == "" ? [] : ["servicedirectory"],
  ))
  service            = "${each.value}.googleapis.com"
  disable_on_destroy = false
}
