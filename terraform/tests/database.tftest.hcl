mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name              = "events-test-database"
  subnet_ids        = ["subnet-a", "subnet-b"]
  security_group_id = "sg-database"
}

run "log_ins_are_by_iam_over_tls" {
  module {
    source = "./modules/database"
  }

  assert {
    condition     = one([for parameter in aws_rds_cluster_parameter_group.this.parameter : parameter.value if parameter.name == "rds.force_ssl"]) == "1"
    error_message = "The database must refuse connections without TLS."
  }

  assert {
    condition     = aws_rds_cluster.this.iam_database_authentication_enabled && aws_rds_cluster.this.manage_master_user_password && aws_rds_cluster.this.master_password == null
    error_message = "All users log in by IAM, and only RDS knows the master's password."
  }

  assert {
    condition     = aws_rds_cluster.this.enable_http_endpoint
    error_message = "The Data API must be on: the roles are created through it."
  }

  assert {
    condition     = alltrue([for instance in aws_rds_cluster_instance.this : !instance.publicly_accessible])
    error_message = "No instance may have a public address."
  }

  assert {
    condition     = output.user_arn_prefix == "arn:aws:rds-db:us-east-1:111122223333:dbuser:cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    error_message = "IAM log-ins are named by the cluster's resource id: ${output.user_arn_prefix}"
  }
}

run "data_is_encrypted_backed_up_and_protected" {
  module {
    source = "./modules/database"
  }

  assert {
    condition     = aws_rds_cluster.this.storage_encrypted && aws_rds_cluster.this.deletion_protection && !aws_rds_cluster.this.skip_final_snapshot
    error_message = "The cluster must be encrypted and protected."
  }

  assert {
    condition     = aws_rds_cluster.this.backup_retention_period >= 7 && aws_rds_cluster.this.copy_tags_to_snapshot
    error_message = "A week must be recoverable."
  }

  assert {
    condition     = length(aws_db_subnet_group.this.subnet_ids) == 2
    error_message = "The database must span two zones."
  }

  assert {
    condition     = aws_cloudwatch_log_group.postgresql.retention_in_days == 30 && aws_cloudwatch_log_group.postgresql.name == "/aws/rds/cluster/events-test-database/postgresql"
    error_message = "The log that RDS writes must forget."
  }
}

run "paused_database_needs_nothing_more" {
  module {
    source = "./modules/database"
  }

  variables {
    min_capacity_acu      = 0
    auto_pause_after_secs = 600
  }

  assert {
    condition     = aws_rds_cluster.this.serverlessv2_scaling_configuration[0].min_capacity == 0 && aws_rds_cluster.this.serverlessv2_scaling_configuration[0].seconds_until_auto_pause == 600
    error_message = "The cluster must pause after the configured time."
  }
}

run "zero_etl_has_all_of_its_parameters" {
  module {
    source = "./modules/database"
  }

  variables {
    change_stream = "zero-etl"
  }

  assert {
    condition = {
      for parameter in aws_rds_cluster_parameter_group.this.parameter : parameter.name => parameter.value
      if strcontains(parameter.name, "logical")
      } == {
      "rds.logical_replication"             = "1"
      "aurora.enhanced_logical_replication" = "1"
      "aurora.logical_replication_backup"   = "0"
      "aurora.logical_replication_globaldb" = "0"
    }
    error_message = "Zero-ETL needs all four parameters."
  }
}

run "proxy_logs_in_by_iam_too" {
  module {
    source = "./modules/database"
  }

  variables {
    proxy_enabled = true
    proxy_users   = ["ingest", "api"]
  }

  assert {
    condition = (
      jsondecode(aws_cloudformation_stack.proxy[0].template_body).Resources.Proxy.Properties.DefaultAuthScheme == "IAM_AUTH" &&
      jsondecode(aws_cloudformation_stack.proxy[0].template_body).Resources.Proxy.Properties.RequireTLS
    )
    error_message = "The proxy must want IAM and TLS."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.proxy[0].policy).Statement[0].Resource == [
      "arn:aws:rds-db:us-east-1:111122223333:dbuser:cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ/ingest",
      "arn:aws:rds-db:us-east-1:111122223333:dbuser:cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ/api",
    ]
    error_message = "The proxy may log in only as its users."
  }

  assert {
    condition     = output.user_arn_prefix == "arn:aws:rds-db:us-east-1:111122223333:dbuser:prx-0123456789abcdef0" && strcontains(output.host, ".proxy-")
    error_message = "Functions log in to the proxy: ${output.user_arn_prefix} ${output.host}"
  }
}

run "pause_with_a_proxy_is_refused" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    min_capacity_acu = 0
    proxy_enabled    = true
    proxy_users      = ["ingest"]
  }
  expect_failures = [var.min_capacity_acu]
}

run "pause_with_logical_replication_is_refused" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    min_capacity_acu = 0
    change_stream    = "logical"
  }
  expect_failures = [var.min_capacity_acu]
}

run "pause_with_zero_etl_is_refused" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    min_capacity_acu = 0
    change_stream    = "zero-etl"
  }
  expect_failures = [var.min_capacity_acu]
}

run "capacity_in_other_steps_is_refused" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    min_capacity_acu = 0.3
  }
  expect_failures = [var.min_capacity_acu]
}

run "largest_capacity_below_the_smallest_is_refused" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    min_capacity_acu = 8
    max_capacity_acu = 4
  }
  expect_failures = [var.max_capacity_acu]
}

run "proxy_without_users_is_refused" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    proxy_enabled = true
  }
  expect_failures = [var.proxy_users]
}

run "one_subnet_is_refused" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    subnet_ids = ["subnet-a"]
  }
  expect_failures = [var.subnet_ids]
}

run "old_engine_is_refused" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    engine_version = "15.4"
  }
  expect_failures = [var.engine_version]
}

run "protected_data_without_a_snapshot_is_refused" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    final_snapshot_enabled = false
  }
  expect_failures = [var.final_snapshot_enabled]
}

run "no_backup_is_refused" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    backup_retention_days = 0
  }
  expect_failures = [var.backup_retention_days]
}

run "logs_kept_for_ever_are_refused" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    log_retention_days = 0
  }
  expect_failures = [var.log_retention_days]
}

run "values_out_of_range_are_refused" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    name                     = "events--test"
    database_name            = "1st"
    instance_count           = 0
    auto_pause_after_secs    = 299
    change_stream            = "kafka"
    monitoring_interval_secs = 7
  }
  expect_failures = [
    var.name, var.database_name, var.instance_count, var.auto_pause_after_secs, var.change_stream,
    var.monitoring_interval_secs,
  ]
}
