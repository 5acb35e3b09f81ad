resource "google_service_account" "server" {
  account_id   = "${var.name}-server"
  display_name = "kvs servers"
  depends_on   = [google_project_service.apis]
}

resource "google_service_account" "client" {
  account_id   = "${var.name}-client"
  display_name = "kvs client"
  depends_on   = [google_project_service.apis]
}

resource "google_project_iam_member" "writes" {
  for_each = {
    for pair in setproduct(["server", "client"], ["logging.logWriter", "monitoring.metricWriter"]) :
    join(" ", pair) => { account = pair[0], role = pair[1] }
  }
  project = var.project
  role    = "roles/${each.value.role}"
  member  = each.value.account == "server" ? google_service_account.server.member : google_service_account.client.member
}

resource "google_storage_bucket_iam_member" "bin" {
  for_each = {
    server = google_service_account.server.member
    client = google_service_account.client.member
  }
  bucket = google_storage_bucket.bin.name
  role   = "roles/storage.objectViewer"
  member = each.value
}

resource "google_storage_bucket_iam_member" "data" {
  count  = var.store == "gcs" ? 1 : 0
  bucket = google_storage_bucket.data[0].name
  role   = "roles/storage.objectUser"
  member = google_service_account.server.member
}

resource "google_storage_bucket_iam_member" "copies" {
  count  = local.copied ? 1 : 0
  bucket = local.copy_bucket
  role   = "roles/storage.objectUser"
  member = google_service_account.server.member
}

# To log in to Redis Cluster or Valkey with an access token.
resource "google_project_iam_member" "redis" {
  count   = local.redis_iam ? 1 : 0
  project = var.project
  role    = local.valkey ? "roles/memorystore.dbConnectionUser" : "roles/redis.dbConnectionUser"
  member  = google_service_account.server.member
}

resource "google_secret_manager_secret_iam_member" "redis_url" {
  count     = local.redis_password ? 1 : 0
  secret_id = google_secret_manager_secret.redis_url[0].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.server.member
}
