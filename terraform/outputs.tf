locals {
  # The emulator serves an API at a path of its own host.
  api_url = var.emulator_endpoint_url == null ? module.api.url : "${var.emulator_endpoint_url}/_aws/execute-api/${module.api.id}"

  # The console's configuration must not contain a password. On AWS the console reads by the API: the database
  # stands in private subnets.
  console_database_url = local.aurora == null ? nonsensitive(replace(var.database_url, "/^([a-z]+://[^:@/]*):[^@/]*@/", "$1@")) : null
}

output "region" {
  description = "AWS region."
  value       = local.region
}

output "topic_arn" {
  description = "ARN of the topic for events."
  value       = module.messaging.topic_arn
}

output "queue_url" {
  description = "URL of the queue that the ingest reads."
  value       = module.messaging.queue_url
}

output "dead_letter_queue_url" {
  description = "URL of the dead-letter queue."
  value       = module.messaging.dead_letter_queue_url
}

output "api_url" {
  description = "Base URL of the HTTP API."
  value       = local.api_url
}

output "database_host" {
  description = "Host of the database; null where it is not Aurora."
  value       = try(local.aurora.host, null)
}

output "database_reader_host" {
  description = "Host of the database's readers, for analysts; null where there is none."
  value       = try(local.aurora.reader_host, null)
}

output "database_port" {
  description = "Port of the database; null where it is not Aurora."
  value       = try(local.aurora.port, null)
}

output "database_name" {
  description = "Name of the database; null where it is not Aurora."
  value       = try(local.aurora.name, null)
}

output "vpc_id" {
  description = "Id of the VPC."
  value       = module.network.vpc_id
}

output "public_subnet_ids" {
  description = "Ids of the public subnets, in the order of the zones' names."
  value       = module.network.public_subnet_ids
}

output "private_subnet_ids" {
  description = "Ids of the private subnets, with functions and database, in the order of the zones' names."
  value       = module.network.private_subnet_ids
}

output "functions_security_group_id" {
  description = "Security group that may connect to the database: of the functions, and of a machine through which a tunnel goes."
  value       = module.network.functions_security_group_id
}

output "database_security_group_id" {
  description = "Security group of the database."
  value       = module.network.database_security_group_id
}

output "console_policy_arn" {
  description = "Policy that lets a role operate the pipeline with opsconsole."
  value       = aws_iam_policy.console.arn
}

output "migrations_hash" {
  description = "Digest of the migrations that were run, as in functions.tfvars.json of a release."
  value       = local.migrations_hash
}

output "export_bucket" {
  description = "Bucket for `opsconsole export --into s3://BUCKET/PREFIX`; null where there is none."
  value       = module.warehouse.export_bucket_name
}

output "notification_topic_arn" {
  description = "ARN of the topic that alarms notify; subscribe a pager here."
  value       = module.observability.notification_topic_arn
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = module.observability.dashboard_name
}

output "slo_alarm_names" {
  description = "Names of the alarms of the objectives; empty where they have none."
  value       = module.observability.slo_alarm_names
}

output "analyst_policy_arn" {
  description = "Policy that lets a role log in to the database as `analyst`; null where it is not Aurora."
  value       = one(aws_iam_policy.analyst[*].arn)
}

output "console_database" {
  description = "Further fields of the entry, for a machine that reaches the database: from inside the VPC, or by a tunnel (`opsconsole env import --tunnel`). Null where `console` has them."
  value = local.aurora == null ? null : {
    database_url  = local.aurora_urls["operator"]
    database_auth = "iam"
  }
}

output "console" {
  description = "The entry of this environment in opsconsole's configuration: its keys are the entry's fields, null means absent."
  value = {
    region                = local.region
    endpoint_url          = var.emulator_endpoint_url
    topic_arn             = module.messaging.topic_arn
    queue_url             = module.messaging.queue_url
    dead_letter_queue_url = module.messaging.dead_letter_queue_url
    api_url               = local.api_url
    api_auth              = var.api.jwt == null ? "iam" : null
    database_url          = local.console_database_url
    database_auth         = null
    database_cluster      = try(local.aurora.cluster_identifier, null)
    database_instances    = local.aurora == null ? null : var.database.instance_count
    database_pauses       = local.aurora != null && var.database.min_capacity_acu == 0
    ingest_function       = module.ingest.name
    function_timeout_secs = module.ingest.timeout_secs
    ingest_memory_mib     = var.ingest.memory_mib
    production            = var.is_production
    read_only             = false
  }
}
