resource "google_compute_network" "kvs" {
  name                    = var.name
  description             = "kvs and its clients"
  auto_create_subnetworks = false
  routing_mode            = "REGIONAL"
  depends_on              = [google_project_service.apis]
}

# Machines without an address outside reach Google's APIs by Private Google Access.
resource "google_compute_subnetwork" "kvs" {
  name                     = var.name
  network                  = google_compute_network.kvs.id
  ip_cidr_range            = var.subnet_range
  private_ip_google_access = true
}

# The one that clients are told, whatever happens to the machines behind it.
resource "google_compute_address" "kvs" {
  name         = var.name
  address_type = "INTERNAL"
  subnetwork   = google_compute_subnetwork.kvs.id
}

# The way to the internet, which the VMs need for nothing of kvs's.
resource "google_compute_router" "nat" {
  count   = var.nat ? 1 : 0
  name    = "${var.name}-nat"
  network = google_compute_network.kvs.id
}

resource "google_compute_router_nat" "nat" {
  count                              = var.nat ? 1 : 0
  name                               = "${var.name}-nat"
  router                             = google_compute_router.nat[0].name
  region                             = var.region
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"
}

resource "google_compute_firewall" "clients" {
  name                    = "${var.name}-clients"
  network                 = google_compute_network.kvs.id
  source_ranges           = [var.subnet_range]
  target_service_accounts = [google_service_account.server.email]
  allow {
    protocol = "tcp"
    ports    = [tostring(var.port)]
  }
}

# Google's health checks
resource "google_compute_firewall" "health" {
  count                   = local.grouped ? 1 : 0
  name                    = "${var.name}-health"
  network                 = google_compute_network.kvs.id
  source_ranges           = ["35.191.0.0/16", "130.211.0.0/22"]
  target_service_accounts = [google_service_account.server.email]
  allow {
    protocol = "tcp"
    ports    = [tostring(var.port)]
  }
}

# SSH through Identity-Aware Proxy, from nowhere else
resource "google_compute_firewall" "ssh" {
  name                    = "${var.name}-ssh"
  network                 = google_compute_network.kvs.id
  source_ranges           = ["35.235.240.0/20"]
  target_service_accounts = [google_service_account.server.email, google_service_account.client.email]
  allow {
    protocol = "tcp"
    ports    = ["22"]
  }
}
