# The cheapest pipeline that works: the database pauses when it is not used, SQS is reached by IPv6, and there is
# no NAT, no endpoint and no customer-managed key. See README.md for costs and limits.

module "pipeline" {
  source = "../.."

  name                     = var.name
  functions_folder         = var.functions_folder
  functions_release        = var.functions_release
  permissions_boundary_arn = var.permissions_boundary_arn
  architecture             = var.architecture
  notification_emails      = var.notification_emails
  monthly_budget_usd       = var.monthly_budget_usd
  log_retention_days       = 14

  network = {
    availability_zones = ["${var.region}a", "${var.region}b"]
    nat                = "none"
    # The way to SQS, for dead letters at once; IPv6 costs nothing.
    ipv6_egress_enabled = true
  }

  ingest = {
    maximum_concurrency = 2
  }

  api = {
    reserved_concurrency = var.api_reserved_concurrency
  }

  database = {
    min_capacity_acu       = 0
    max_capacity_acu       = 2
    auto_pause_after_secs  = 300
    backup_retention_days  = 1
    deletion_protection    = false
    final_snapshot_enabled = false
  }
}
