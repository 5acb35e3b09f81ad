# The executables: deleted releases can be had back for a week.
resource "google_storage_bucket" "bin" {
  name                        = "${var.project}-${var.name}-bin"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true
  soft_delete_policy {
    retention_duration_seconds = 7 * 24 * 3600
  }
  dynamic "encryption" {
    for_each = var.kms_key != "" ? [var.kms_key] : []
    content {
      default_kms_key_name = encryption.value
    }
  }
  depends_on = [google_project_service.apis]
}

# An older release goes when no VM is told of it any more: one that starts anew meanwhile still asks for it.
resource "google_storage_bucket_object" "release" {
  for_each = local.release_files
  bucket   = google_storage_bucket.bin.name
  name     = "releases/${local.release}/${each.key}"
  source   = each.value
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_storage_bucket_object" "sums" {
  bucket     = google_storage_bucket.bin.name
  name       = "releases/${local.release}/SHA256SUMS"
  content    = local.sums
  depends_on = [google_storage_bucket_object.release]
  lifecycle {
    create_before_destroy = true
  }
}

# The items of store gcs. It overwrites all the time: kept versions or soft-deleted objects would be paid for and
# never read. Terraform will not delete it while it holds any.
resource "google_storage_bucket" "data" {
  count                       = var.store == "gcs" ? 1 : 0
  name                        = "${var.project}-${var.name}-data"
  location                    = var.bucket_location != "" ? var.bucket_location : var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  soft_delete_policy {
    retention_duration_seconds = 0
  }
  dynamic "custom_placement_config" {
    for_each = length(var.bucket_placement) > 0 ? [var.bucket_placement] : []
    content {
      data_locations = custom_placement_config.value
    }
  }
  dynamic "encryption" {
    for_each = var.kms_key != "" ? [var.kms_key] : []
    content {
      default_kms_key_name = encryption.value
    }
  }
  versioning {
    enabled = false
  }
  # customTime is when an item expires
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_custom_time = 1
    }
  }
  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }
  depends_on = [google_project_service.apis]
}

# The copies of the disk. No rule goes by age: what is years old may be needed, and the server removes what no moment
# needs any more. Terraform will not delete it while it holds any.
resource "google_storage_bucket" "copies" {
  count                       = local.copy_made ? 1 : 0
  name                        = "${var.project}-${var.name}-copies"
  location                    = var.copy_location != "" ? var.copy_location : var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  soft_delete_policy {
    retention_duration_seconds = 7 * 24 * 3600
  }
  dynamic "encryption" {
    for_each = var.kms_key != "" ? [var.kms_key] : []
    content {
      default_kms_key_name = encryption.value
    }
  }
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 7
    }
  }
  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }
  depends_on = [google_project_service.apis]
}

# Store disk: a disk of its own, which outlives the VM, copied each night.
resource "google_compute_resource_policy" "daily" {
  count = var.store == "disk" ? 1 : 0
  name  = "${var.name}-daily"
  snapshot_schedule_policy {
    schedule {
      daily_schedule {
        days_in_cycle = 1
        start_time    = "03:00"
      }
    }
    retention_policy {
      max_retention_days    = var.snapshot_days
      on_source_disk_delete = "APPLY_RETENTION_POLICY"
    }
  }
  depends_on = [google_project_service.apis]
}

resource "google_compute_disk" "data" {
  count      = var.store == "disk" ? 1 : 0
  name       = "${var.name}-data"
  zone       = local.zone
  type       = var.disk_type
  size       = var.disk_gb
  depends_on = [google_project_service.apis]
  dynamic "disk_encryption_key" {
    for_each = var.kms_key != "" ? [var.kms_key] : []
    content {
      kms_key_self_link = disk_encryption_key.value
    }
  }
  lifecycle {
    prevent_destroy = true
  }
}

resource "google_compute_disk_resource_policy_attachment" "daily" {
  count = var.store == "disk" ? 1 : 0
  name  = google_compute_resource_policy.daily[0].name
  disk  = google_compute_disk.data[0].name
  zone  = local.zone
}
