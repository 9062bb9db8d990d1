# Aurora PostgreSQL Serverless v2. All users log in with IAM over TLS. The only password is the master
# user's, which RDS creates, keeps in Secrets Manager and rotates.

locals {
  major_version = split(".", var.engine_version)[0]

  # Parts of the cluster's ARN: arn:PARTITION:rds:REGION:ACCOUNT:cluster:NAME.
  arn_parts = split(":", aws_rds_cluster.this.arn)
  partition = local.arn_parts[1]
  # The resource of rds-db:connect: arn:PARTITION:rds-db:REGION:ACCOUNT:dbuser:CLUSTER/USER.
  user_arn_prefix = join(":", [
    "arn", local.partition, "rds-db", local.arn_parts[3], local.arn_parts[4], "dbuser",
    aws_rds_cluster.this.cluster_resource_id,
  ])

  # Zero-ETL needs these settings of the write-ahead log (Aurora User Guide, "Getting started with
  # Aurora zero-ETL integrations").
  change_stream_parameters = {
    none    = {}
    logical = { "rds.logical_replication" = "1" }
    zero-etl = {
      "rds.logical_replication"             = "1"
      "aurora.enhanced_logical_replication" = "1"
      "aurora.logical_replication_backup"   = "0"
      "aurora.logical_replication_globaldb" = "0"
    }
  }[var.change_stream]
}

resource "aws_db_subnet_group" "this" {
  name        = var.name
  description = "Private subnets of ${var.name}"
  subnet_ids  = var.subnet_ids
}

resource "aws_rds_cluster_parameter_group" "this" {
  name_prefix = "${var.name}-"
  family      = "aurora-postgresql${local.major_version}"
  description = "TLS only, slow statements logged without their data"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "log_statement"
    value = "ddl"
  }

  # Milliseconds from which a statement is logged as slow.
  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }

  # Milliseconds. A frozen function keeps its connections, and a cluster with a connection never pauses. Where it
  # does not pause, an idle connection costs nothing.
  dynamic "parameter" {
    for_each = var.min_capacity_acu == 0 ? [60000] : []

    content {
      name  = "idle_session_timeout"
      value = parameter.value
    }
  }

  # A statement is logged, its parameters never: they are the events.
  parameter {
    name  = "log_parameter_max_length"
    value = "0"
  }

  parameter {
    name  = "log_parameter_max_length_on_error"
    value = "0"
  }

  # Without the lines DETAIL and CONTEXT of an error, which quote the row or the text at fault.
  parameter {
    name  = "log_error_verbosity"
    value = "terse"
  }

  dynamic "parameter" {
    for_each = local.change_stream_parameters

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "pending-reboot"
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

# Created before the cluster; otherwise RDS creates one without an expiry.
resource "aws_cloudwatch_log_group" "postgresql" {
  # checkov:skip=CKV_AWS_338:How long is a variable; logs hold no events, and a year of them costs more than the pilot
  name              = "/aws/rds/cluster/${var.name}/postgresql"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_rds_cluster" "this" {
  # checkov:skip=CKV_AWS_139:A pilot may be destroyed; is_production demands the protection
  # checkov:skip=CKV_AWS_133:Validated to be 1 to 35 days, which the check cannot follow through the object
  # checkov:skip=CKV2_AWS_8:Point-in-time recovery covers the same days without a second copy to pay for
  cluster_identifier = var.name
  engine             = "aurora-postgresql"
  engine_mode        = "provisioned"
  engine_version     = var.engine_version
  # What is restored has its database already.
  database_name = var.restore == null ? var.database_name : null
  # The snapshot that a cluster was made from; a point in time is the block below.
  snapshot_identifier = try(var.restore.snapshot_arn, null)

  allow_major_version_upgrade = var.allow_major_version_upgrade
  apply_immediately           = var.apply_immediately

  master_username                     = "administrator"
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = var.kms_key_arn
  iam_database_authentication_enabled = true
  # The Data API creates the database users without network access to the VPC.
  enable_http_endpoint = true

  db_subnet_group_name            = aws_db_subnet_group.this.name
  vpc_security_group_ids          = [var.security_group_id]
  db_cluster_parameter_group_name = aws_rds_cluster_parameter_group.this.name

  storage_encrypted = true
  kms_key_id        = var.kms_key_arn

  backup_retention_period   = var.backup_retention_days
  preferred_backup_window   = "03:00-03:30"
  copy_tags_to_snapshot     = true
  deletion_protection       = var.deletion_protection
  skip_final_snapshot       = !var.final_snapshot_enabled
  final_snapshot_identifier = var.final_snapshot_enabled ? "${var.name}-final" : null

  preferred_maintenance_window    = "sun:04:00-sun:04:30"
  enabled_cloudwatch_logs_exports = ["postgresql"]

  serverlessv2_scaling_configuration {
    min_capacity             = var.min_capacity_acu
    max_capacity             = var.max_capacity_acu
    seconds_until_auto_pause = var.min_capacity_acu == 0 ? var.auto_pause_after_secs : null
  }

  # The clone shares the pages of its source until one of the two writes them, so it is there in minutes.
  dynamic "restore_to_point_in_time" {
    for_each = try(var.restore.cluster_arn, null)[*]

    content {
      source_cluster_identifier  = restore_to_point_in_time.value
      restore_type               = var.restore.time == null ? "copy-on-write" : "full-copy"
      use_latest_restorable_time = var.restore.time == null ? true : null
      restore_to_time            = var.restore.time
    }
  }

  lifecycle {
    # Where a cluster comes from never changes; without this, a value that is taken out again would replace it.
    ignore_changes = [restore_to_point_in_time, snapshot_identifier]
  }

  depends_on = [aws_cloudwatch_log_group.postgresql]
}

resource "aws_rds_cluster_instance" "this" {
  # checkov:skip=CKV_AWS_118:A variable; production has it on, a pilot need not pay for it
  count = var.instance_count

  identifier         = "${var.name}-${count.index}"
  cluster_identifier = aws_rds_cluster.this.id
  engine             = aws_rds_cluster.this.engine
  instance_class     = "db.serverless"
  # Tiers 0 and 1 scale with the writer, so that a reader that takes over has its capacity.
  promotion_tier             = min(count.index, 1)
  publicly_accessible        = false
  auto_minor_version_upgrade = true
  apply_immediately          = var.apply_immediately

  performance_insights_enabled    = var.performance_insights_enabled
  performance_insights_kms_key_id = var.performance_insights_enabled ? var.kms_key_arn : null

  monitoring_interval = var.monitoring_interval_secs
  monitoring_role_arn = one(aws_iam_role.monitoring[*].arn)
}

resource "aws_iam_role" "monitoring" {
  count = var.monitoring_interval_secs > 0 ? 1 : 0

  name                 = "${var.name}-monitoring"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  count = var.monitoring_interval_secs > 0 ? 1 : 0

  role       = aws_iam_role.monitoring[0].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
