# The same modules on an emulator, with an existing PostgreSQL. NAT costs nothing here and is the access
# to SQS.

module "pipeline" {
  source = "../.."

  name                         = var.name
  functions_folder             = var.functions_folder
  functions_release            = var.functions_release
  architecture                 = var.architecture
  emulator_endpoint_url        = var.endpoint_url
  database_url                 = var.database_url
  customer_managed_key_enabled = true
  log_retention_days           = 1

  network = {
    nat = "one"
  }

  api = {
    reserved_concurrency = -1
  }

  ingest = {
    timeout_secs        = 10
    batch_size          = 100
    maximum_concurrency = 2
  }
}
