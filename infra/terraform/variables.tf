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

variable "image" {
  type    = string
  default = "debian-cloud/debian-12"
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

variable "redis_kind" {
  type    = string
  default = "instance"
  validation {
    condition     = contains(["instance", "cluster"], var.redis_kind)
    error_message = "instance or cluster."
  }
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
