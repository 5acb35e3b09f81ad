# Who may log in to the servers, and the certificate that they show. infra/create.sh makes the same.

locals {
  users = var.auth == "required"
  # What the servers check a login by, lines USER:PASSWORD; the client takes the first.
  user_lines = join("", [
    for number in local.users ? var.auth_passwords : [] : "${var.auth_user}:${random_password.user[tostring(number)].result}\n"
  ])
}

resource "random_password" "user" {
  for_each = local.users ? toset([for number in var.auth_passwords : tostring(number)]) : toset([])
  length   = 32
  special  = false
}

resource "google_secret_manager_secret" "users" {
  count     = local.users ? 1 : 0
  secret_id = "${var.name}-users"
  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
  depends_on = [google_project_service.apis]
}

resource "google_secret_manager_secret_version" "users" {
  count       = local.users ? 1 : 0
  secret      = google_secret_manager_secret.users[0].id
  secret_data = local.user_lines
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_secret_manager_secret_iam_member" "users" {
  for_each = local.users ? {
    server = google_service_account.server.member
    client = google_service_account.client.member
  } : {}
  secret_id = google_secret_manager_secret.users[0].id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value
}

# The authority, which clients know. Its key is in the state alone: no machine reads it.
resource "tls_private_key" "authority" {
  count       = var.tls ? 1 : 0
  algorithm   = "ECDSA"
  ecdsa_curve = "P256"
}

resource "tls_self_signed_cert" "authority" {
  count                 = var.tls ? 1 : 0
  private_key_pem       = tls_private_key.authority[0].private_key_pem
  is_ca_certificate     = true
  validity_period_hours = 3650 * 24
  allowed_uses          = ["cert_signing", "crl_signing"]
  subject {
    common_name = "authority of ${var.name}"
  }
}

resource "tls_private_key" "server" {
  count       = var.tls ? 1 : 0
  algorithm   = "ECDSA"
  ecdsa_curve = "P256"
}

resource "tls_cert_request" "server" {
  count           = var.tls ? 1 : 0
  private_key_pem = tls_private_key.server[0].private_key_pem
  dns_names       = [var.name, "localhost"]
  ip_addresses    = [google_compute_address.kvs.address, "127.0.0.1"]
  subject {
    common_name = var.name
  }
}

# An apply within its last 60 days makes a new one.
resource "tls_locally_signed_cert" "server" {
  count                 = var.tls ? 1 : 0
  cert_request_pem      = tls_cert_request.server[0].cert_request_pem
  ca_private_key_pem    = tls_private_key.authority[0].private_key_pem
  ca_cert_pem           = tls_self_signed_cert.authority[0].cert_pem
  validity_period_hours = 825 * 24
  early_renewal_hours   = 60 * 24
  allowed_uses          = ["digital_signature", "server_auth"]
}

resource "google_secret_manager_secret" "tls" {
  count     = var.tls ? 1 : 0
  secret_id = "${var.name}-tls"
  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
  depends_on = [google_project_service.apis]
}

resource "google_secret_manager_secret_version" "tls" {
  count       = var.tls ? 1 : 0
  secret      = google_secret_manager_secret.tls[0].id
  secret_data = "${tls_private_key.server[0].private_key_pem}${tls_locally_signed_cert.server[0].cert_pem}"
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_secret_manager_secret_iam_member" "tls" {
  count     = var.tls ? 1 : 0
  secret_id = google_secret_manager_secret.tls[0].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.server.member
}
