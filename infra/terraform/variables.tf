# What infra/kvs.env holds for the scripts; the meaning of each is told there.

variable "project" {
  type        = string
  description = "The Google Cloud project"
}

variable "region" {
  type    = string
  default = "europe-west1"
}

variable "zone" {
  type        = string
  default     = ""
  description = "Of the disk store's VM and of the client; the region's b where empty"
}

variable "name" {
  type        = string
  default     = "kvs"
  description = "What everything is named after"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", var.name))
    error_message = "Up to 16 lower-case letters, digits and hyphens."
  }
}

variable "store" {
  type    = string
  default = "disk"
  validation {
    condition     = contains(["disk", "gcs", "redis"], var.store)
    error_message = "disk, gcs or redis."
  }
}

variable "port" {
  type    = number
  default = 11211
}

variable "auth" {
  type        = string
  default     = "required"
  description = "required: clients log in, by a password in Secret Manager. none: whoever reaches the address may do all"
  validation {
    condition     = contains(["required", "none"], var.auth)
    error_message = "required or none."
  }
}

variable "auth_user" {
  type    = string
  default = "app"
  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{1,64}$", var.auth_user))
    error_message = "Up to 64 letters, digits, dots, hyphens and underscores."
  }
}

variable "auth_passwords" {
  type        = list(number)
  default     = [1]
  description = "The passwords that are good, by numbers of yours, the client's first: [2, 1] adds one, [2] ends the old one"
}

variable "tls" {
  type        = bool
  default     = false
  description = "Whether the servers speak TLS and nothing else, with a certificate of an authority made for them"
}

variable "server_env" {
  type        = map(string)
  default     = {}
  description = "More options of kvs-server, such as { KVS_FSYNC = \"always\" }; no place for a password"
}

variable "machine_type" {
  type    = string
  default = "e2-standard-2"
}

variable "client_machine_type" {
  type    = string
  default = "e2-small"
}

variable "server_count" {
  type        = number
  default     = 2
  description = "For gcs and redis; disk has one server"
}

variable "server_zones" {
  type        = list(string)
  default     = []
  description = "For gcs and redis: up to three zones for the servers, the region's b and c where empty; one that is there keeps its place"
  validation {
    condition     = length(var.server_zones) <= 3 && length(distinct(var.server_zones)) == length(var.server_zones)
    error_message = "Up to three zones, each once."
  }
}

variable "image" {
  type    = string
  default = "debian-cloud/debian-13"
}

variable "subnet_range" {
  type    = string
  default = "10.120.0.0/20"
}

variable "bin" {
  type        = string
  default     = "../../bin"
  description = "Where the executables are that `deno task compile` has made"
}

variable "deletion_protection" {
  type        = bool
  default     = false
  description = "Whether the disk store's VM can be deleted only after this is false again"
}

variable "nat" {
  type        = bool
  default     = false
  description = "Whether the VMs reach the internet, by Cloud NAT; Google's APIs they reach without"
}

variable "patching" {
  type        = bool
  default     = false
  description = "Whether Google's OS patching updates Debian each Sunday at 03:00 UTC, zone by zone"
}

variable "kms_key" {
  type        = string
  default     = ""
  description = "The key that disks, buckets and Redis are encrypted with; Google's own where empty"
}

variable "bucket_location" {
  type        = string
  default     = ""
  description = "Of the items' bucket: a dual-region such as EUR4, or EU with bucket_placement; the region where empty"
}

variable "bucket_placement" {
  type        = list(string)
  default     = []
  description = "Two regions that hold the items, such as [\"EUROPE-WEST1\", \"EUROPE-WEST4\"]"
}

variable "keepalive" {
  type        = number
  default     = 300
  description = "For gcs and redis: seconds of silence until the other end is asked, before the load balancer forgets it at 600"
}

variable "observe" {
  type        = bool
  default     = false
  description = "Whether Google's Ops Agent takes kvs's log and metrics from the VMs"
}

variable "dashboard" {
  type    = bool
  default = false
}

variable "alert_channels" {
  type        = list(string)
  default     = []
  description = "Whom the alerts are told, projects/P/notificationChannels/N; no alerts where empty"
}

variable "uptime_service" {
  type        = string
  default     = ""
  description = "The Service Directory service that an uptime check goes through (docs/gcp.md); no check where empty"
}

variable "disk_gb" {
  type    = number
  default = 50
}

variable "disk_type" {
  type    = string
  default = "pd-balanced"
}

variable "snapshot_days" {
  type    = number
  default = 7
}

variable "copies" {
  type        = bool
  default     = false
  description = "Whether the disk is copied to a bucket all the time, and a new disk begins with what is there"
}

variable "copy_to" {
  type        = string
  default     = ""
  description = "Where the copies are, gs://BUCKET/PREFIX in a bucket that is there; one is made where empty"
  validation {
    condition     = var.copy_to == "" || can(regex("^gs://[a-z0-9][a-z0-9._-]+[a-z0-9](/.+)?$", var.copy_to))
    error_message = "gs://BUCKET/PREFIX, or nothing."
  }
}

variable "copy_location" {
  type        = string
  default     = ""
  description = "Of the copies' bucket: another region, a dual-region or EU outlive the loss of the region; the region where empty"
}

variable "copy_days" {
  type        = number
  default     = 7
  description = "Any moment of so many days can be restored"
}

variable "redis_kind" {
  type        = string
  default     = "instance"
  description = "Memorystore for Redis, for Redis Cluster, or for Valkey"
  validation {
    condition     = contains(["instance", "cluster", "valkey"], var.redis_kind)
    error_message = "instance, cluster or valkey."
  }
}

variable "redis_auth" {
  type        = string
  default     = "required"
  description = "required (an instance's password, else IAM), or none: whoever reaches its address may do all"
  validation {
    condition     = contains(["required", "none"], var.redis_auth)
    error_message = "required or none."
  }
}

variable "valkey_node_type" {
  type    = string
  default = "HIGHMEM_MEDIUM"
}

variable "maintenance" {
  type        = object({ day = string, hour = number })
  default     = null
  description = "When Google may work on Redis, such as { day = \"SUNDAY\", hour = 3 }, in UTC"
}

variable "redis_tier" {
  type    = string
  default = "STANDARD_HA"
}

variable "redis_gb" {
  type    = number
  default = 5
}

variable "redis_shards" {
  type    = number
  default = 3
}

variable "redis_replicas" {
  type    = number
  default = 1
}

variable "redis_node_type" {
  type    = string
  default = "REDIS_STANDARD_SMALL"
}
