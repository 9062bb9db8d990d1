# The schema: users first, then migrations on each change, then partitions every day.

locals {
  migrations_folder = "${path.module}/../migrations"
  migrations_hash = sha256(join("", [
    for file in sort(fileset(local.migrations_folder, "*.sql")) : "${file}:${filesha256("${local.migrations_folder}/${file}")}\n"
  ]))

  migrate_timeout_secs = 900
  migrate_variables = merge(
    local.database_variables["migrate"],
    {
      PARTITION_WIDTH  = var.partitions.width
      PARTITIONS_AHEAD = tostring(var.partitions.ahead)
    },
    var.partitions.keep == null ? {} : { PARTITIONS_KEEP = tostring(var.partitions.keep) },
    var.warehouse.publication == null ? {} : { PUBLICATION = var.warehouse.publication },
    local.replacement_variables,
  )
}

# Creates the users `ingest`, `api`, `migrate`, `analyst` and `operator` with `rds_iam`, as the master user through
# the Data API. The function is outside of the VPC, so it needs neither NAT nor an endpoint; only this
# function may read the master's secret.
module "roles" {
  source = "./modules/function"
  count  = local.aurora_count

  name                     = "${var.name}-roles"
  package_path             = "${var.functions_folder}/migrate.zip"
  architecture             = var.architecture
  memory_mib               = 256
  timeout_secs             = 300
  kms_key_arn              = local.kms_key_arn
  log_retention_days       = var.log_retention_days
  permissions_boundary_arn = var.permissions_boundary_arn
  tracing_enabled          = var.tracing_enabled

  variables = {
    MIGRATE_TASK         = "create-roles"
    DATABASE_CLUSTER_ARN = local.aurora.cluster_arn
    DATABASE_SECRET_ARN  = local.aurora.master_secret_arn
    DATABASE_NAME        = local.aurora.name
  }

  statements = [
    {
      sid       = "RunStatements"
      actions   = ["rds-data:ExecuteStatement"]
      resources = [local.aurora.cluster_arn]
    },
    {
      sid       = "ReadMasterSecret"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [local.aurora.master_secret_arn]
    },
  ]
}

resource "aws_lambda_invocation" "roles" {
  count = local.aurora_count

  function_name = module.roles[0].name
  input         = jsonencode({ users = local.database_users })

  triggers = {
    code      = module.roles[0].code_hash
    instances = join(",", local.aurora.instance_ids)
  }
}

module "migrate" {
  source = "./modules/function"

  name                     = "${var.name}-migrate"
  package_path             = "${var.functions_folder}/migrate.zip"
  architecture             = var.architecture
  memory_mib               = 256
  timeout_secs             = local.migrate_timeout_secs
  vpc                      = local.vpc
  kms_key_arn              = local.kms_key_arn
  log_retention_days       = var.log_retention_days
  permissions_boundary_arn = var.permissions_boundary_arn
  tracing_enabled          = var.tracing_enabled
  statements               = local.log_in_statements["migrate"]

  variables = local.migrate_variables
}

resource "aws_lambda_invocation" "migrate" {
  function_name = module.migrate.name
  input         = jsonencode({ migrations_hash = local.migrations_hash })

  triggers = merge(
    {
      migrations = local.migrations_hash
      code       = module.migrate.code_hash
      partitions = jsonencode(var.partitions)
    },
    var.warehouse.publication == null ? {} : { publication = var.warehouse.publication },
    var.ingest.replacements_allowed ? { replacements = "allowed" } : {},
  )

  depends_on = [aws_lambda_invocation.roles, module.network]
}

resource "aws_iam_role" "schedule" {
  name                 = "${var.name}-migrate-schedule"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "schedule" {
  name = "invoke-migrate"
  role = aws_iam_role.schedule.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "InvokeMigrate"
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = [module.migrate.arn]
      }],
      [for arn in local.kms_key_arn[*] : {
        Sid      = "ReadOwnInput"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [arn]
      }],
    )
  })
}

resource "aws_scheduler_schedule" "migrate" {
  name                = "${var.name}-migrate"
  description         = "Creates partitions ahead and drops expired ones"
  schedule_expression = var.migrate_schedule
  kms_key_arn         = local.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = module.migrate.arn
    role_arn = aws_iam_role.schedule.arn
    input    = jsonencode({ reason = "schedule" })
  }
}
