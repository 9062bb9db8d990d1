# The highly available pipeline: two zones, two database instances, an endpoint to SQS in each zone, a
# customer-managed key. See README.md for the costs.

module "pipeline" {
  source = "../.."

  name                     = var.name
  is_production            = true
  functions_folder         = var.functions_folder
  functions_release        = var.functions_release
  permissions_boundary_arn = var.permissions_boundary_arn
  architecture             = var.architecture
  notification_emails      = var.notification_emails
  monthly_budget_usd       = var.monthly_budget_usd
  kms_key_arn              = var.kms_key_arn
  tracing_enabled          = true
  log_retention_days       = 90

  network = {
    availability_zones      = ["${var.region}a", "${var.region}b"]
    nat                     = "none"
    sqs_endpoint_enabled    = true
    flow_log_retention_days = 30
  }

  ingest = {
    memory_mib           = 1024
    maximum_concurrency  = 20
    reserved_concurrency = 20
  }

  api = {
    memory_mib            = 1024
    reserved_concurrency  = 100
    throttle_rate_per_sec = 200
    throttle_burst        = 400
  }

  database = {
    instance_count           = 2
    min_capacity_acu         = 0.5
    max_capacity_acu         = 16
    backup_retention_days    = 14
    monitoring_interval_secs = 60
  }
}
