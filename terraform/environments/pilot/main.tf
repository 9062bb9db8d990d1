# The cheapest pipeline that works: the database pauses when it is not used, and there is no NAT, no
# endpoint and no customer-managed key. See README.md for costs and limits.

module "pipeline" {
  source = "../.."

  name                = var.name
  functions_folder    = var.functions_folder
  architecture        = var.architecture
  notification_emails = var.notification_emails
  log_retention_days  = 14

  network = {
    availability_zones = ["${var.region}a", "${var.region}b"]
    nat                = "none"
  }

  ingest = {
    maximum_concurrency = 2
    # SQS cannot be reached from the VPC, so the queue's redrive policy moves permanent failures.
    immediate_dead_letters = false
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
