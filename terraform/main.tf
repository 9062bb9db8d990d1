# The pipeline: topic → queue → ingest → PostgreSQL → api → HTTP. An environment calls this module
# and configures the provider.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.id

  # Known before the key is made.
  key_is_used = var.customer_managed_key_enabled || var.kms_key_arn != null
  kms_key_arn = var.kms_key_arn != null ? var.kms_key_arn : one(module.key[*].arn)

  slo_alarms_enabled = coalesce(var.slo.alarms_enabled, var.is_production)

  visibility_timeout_secs = coalesce(
    var.queue.visibility_timeout_secs,
    6 * var.ingest.timeout_secs + var.ingest.batching_window_secs,
  )

  # NAT and the endpoint serve the usual, IPv4-only name of SQS; only the dual-stack name has IPv6 addresses.
  sqs_by_ipv6 = var.network.ipv6_egress_enabled && !var.network.sqs_endpoint_enabled && var.network.nat == "none"

  # Without a queue URL, the queue's redrive policy moves permanent failures.
  ingest_variables = merge(
    local.database_variables["ingest"],
    var.ingest.immediate_dead_letters ? { DEAD_LETTER_QUEUE_URL = module.messaging.dead_letter_queue_url } : {},
    local.replacement_variables,
    var.ingest.immediate_dead_letters && local.sqs_by_ipv6 ? { AWS_USE_DUALSTACK_ENDPOINT = "true" } : {},
  )
  # The function obeys the one, and the database grants its user the right by the other.
  replacement_variables = var.ingest.replacements_allowed ? { REPLACEMENTS_ALLOWED = "true" } : {}

  ingest_statements = concat(
    local.log_in_statements["ingest"],
    !var.ingest.immediate_dead_letters ? [] : [{
      sid       = "DeadLetter"
      actions   = ["sqs:SendMessage"]
      resources = [module.messaging.dead_letter_queue_arn]
    }],
    !var.ingest.immediate_dead_letters || !local.key_is_used ? [] : [{
      sid       = "EncryptDeadLetters"
      actions   = ["kms:GenerateDataKey"]
      resources = [local.kms_key_arn]
    }],
  )
}

# The policy of a key lets in the topic of one name, the boundary of the roles the alias of that name.
data "aws_kms_alias" "given" {
  count = var.kms_key_arn == null ? 0 : 1

  name = "alias/${var.name}"

  lifecycle {
    postcondition {
      condition     = self.target_key_arn == var.kms_key_arn
      error_message = "kms_key_arn is not the key of ${var.name}: its policy does not let SNS in for this topic, and nothing would arrive in the queue. Add ${var.name} to `environments` of terraform/bootstrap with key_enabled, and pass its output key_arns."
    }
  }
}

module "key" {
  source = "./modules/key"
  count  = var.customer_managed_key_enabled ? 1 : 0

  name           = var.name
  publisher_arns = var.queue.publisher_arns
}

module "network" {
  source = "./modules/network"

  name                     = var.name
  permissions_boundary_arn = var.permissions_boundary_arn
  cidr_block               = var.network.cidr_block
  availability_zones       = var.network.availability_zones
  nat                      = var.network.nat
  ipv6_egress_enabled      = var.network.ipv6_egress_enabled
  sqs_endpoint_enabled     = var.network.sqs_endpoint_enabled
  sqs_endpoint_queue_arns  = [module.messaging.dead_letter_queue_arn]
  flow_log_retention_days  = var.network.flow_log_retention_days
  kms_key_arn              = local.kms_key_arn
}

module "messaging" {
  source = "./modules/messaging"

  name                       = var.name
  visibility_timeout_secs    = local.visibility_timeout_secs
  function_timeout_secs      = var.ingest.timeout_secs
  batching_window_secs       = var.ingest.batching_window_secs
  queue_retention_secs       = var.queue.queue_retention_secs
  dead_letter_retention_secs = var.queue.dead_letter_retention_secs
  max_receive_count          = var.queue.max_receive_count
  publisher_arns             = var.queue.publisher_arns
  tls_required               = var.emulator_endpoint_url == null
  kms_key_arn                = local.kms_key_arn
}

module "database" {
  source = "./modules/database"
  count  = local.aurora_count

  name                        = "${var.name}-database"
  permissions_boundary_arn    = var.permissions_boundary_arn
  database_name               = var.database.name
  engine_version              = var.database.engine_version
  allow_major_version_upgrade = var.database.allow_major_version_upgrade
  apply_immediately           = var.database.apply_immediately
  restore                     = var.database.restore
  subnet_ids                  = module.network.private_subnet_ids
  security_group_id           = module.network.database_security_group_id
  instance_count              = var.database.instance_count
  min_capacity_acu            = var.database.min_capacity_acu
  max_capacity_acu            = var.database.max_capacity_acu
  auto_pause_after_secs       = var.database.auto_pause_after_secs
  change_stream               = var.database.change_stream
  backup_retention_days       = var.database.backup_retention_days
  deletion_protection         = var.database.deletion_protection
  final_snapshot_enabled      = var.database.final_snapshot_enabled
  monitoring_interval_secs    = var.database.monitoring_interval_secs
  log_retention_days          = var.log_retention_days
  kms_key_arn                 = local.kms_key_arn
}

module "warehouse" {
  source = "./modules/warehouse"

  name          = "${var.name}-warehouse"
  export_bucket = var.warehouse.export_bucket
  kms_key_arn   = local.kms_key_arn

  redshift = var.warehouse.redshift_namespace_arn == null ? null : {
    namespace_arn = var.warehouse.redshift_namespace_arn
    source_arn    = one(module.database[*].cluster_arn)
    database_name = var.database.name
    account_id    = local.account_id
  }
}

module "ingest" {
  source = "./modules/function"

  name                     = "${var.name}-ingest"
  permissions_boundary_arn = var.permissions_boundary_arn
  package_path             = "${var.functions_folder}/ingest.zip"
  architecture             = var.architecture
  memory_mib               = var.ingest.memory_mib
  timeout_secs             = var.ingest.timeout_secs
  reserved_concurrency     = var.ingest.reserved_concurrency
  vpc                      = merge(local.vpc, { ipv6_egress_enabled = var.network.ipv6_egress_enabled })
  kms_key_arn              = local.kms_key_arn
  log_retention_days       = var.log_retention_days
  tracing_enabled          = var.tracing_enabled

  variables  = local.ingest_variables
  statements = local.ingest_statements

  queue_trigger = {
    queue_arn               = module.messaging.queue_arn
    visibility_timeout_secs = local.visibility_timeout_secs
    batch_size              = var.ingest.batch_size
    batching_window_secs    = var.ingest.batching_window_secs
    maximum_concurrency     = var.ingest.maximum_concurrency
    provisioned_pollers     = var.ingest.provisioned_pollers
  }

  # The mapping is created after the migrations, so that the ingest never runs without tables.
  depends_on = [aws_lambda_invocation.migrate]
}

module "api_function" {
  source = "./modules/function"

  name                     = "${var.name}-api"
  permissions_boundary_arn = var.permissions_boundary_arn
  package_path             = "${var.functions_folder}/api.zip"
  architecture             = var.architecture
  memory_mib               = var.api.memory_mib
  timeout_secs             = var.api.timeout_secs
  reserved_concurrency     = local.api_reserved_concurrency
  vpc                      = local.vpc
  kms_key_arn              = local.kms_key_arn
  log_retention_days       = var.log_retention_days
  tracing_enabled          = var.tracing_enabled
  variables                = local.database_variables["api"]
  statements               = local.log_in_statements["api"]

  depends_on = [aws_lambda_invocation.migrate]
}

module "api" {
  source = "./modules/api"

  name                     = "${var.name}-api"
  function_name            = module.api_function.name
  function_invoke_arn      = module.api_function.invoke_arn
  jwt                      = var.api.jwt
  detailed_metrics_enabled = var.api.detailed_metrics_enabled
  throttle_rate_per_sec    = var.api.throttle_rate_per_sec
  throttle_burst           = var.api.throttle_burst
  log_retention_days       = var.log_retention_days
  kms_key_arn              = local.kms_key_arn
}

module "observability" {
  source = "./modules/observability"

  name                     = var.name
  notification_emails      = var.notification_emails
  kms_key_arn              = local.kms_key_arn
  topic_name               = module.messaging.topic_name
  queue_name               = module.messaging.queue_name
  dead_letter_queue_name   = module.messaging.dead_letter_queue_name
  api_id                   = module.api.id
  cluster_identifier       = one(module.database[*].cluster_identifier)
  database_connections_max = local.connections.maximum
  runbooks_url             = var.runbooks_url
  slo_alarms_enabled       = local.slo_alarms_enabled
  slo_events_min           = var.slo.events_min
  monthly_budget_usd       = var.monthly_budget_usd

  functions = {
    ingest  = module.ingest.name
    api     = module.api_function.name
    migrate = module.migrate.name
  }
}
