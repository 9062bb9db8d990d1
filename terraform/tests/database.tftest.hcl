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

  assert {
    condition     = output.host == aws_rds_cluster.this.endpoint && output.reader_host == null
    error_message = "One instance has no reader: ${jsonencode(output.reader_host)}"
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

run "log_has_no_data_of_events" {
  module {
    source = "./modules/database"
  }

  assert {
    condition = {
      for parameter in aws_rds_cluster_parameter_group.this.parameter : parameter.name => parameter.value
      if startswith(parameter.name, "log_parameter") || parameter.name == "log_error_verbosity"
      } == {
      log_parameter_max_length          = "0"
      log_parameter_max_length_on_error = "0"
      log_error_verbosity               = "terse"
    }
    error_message = "Neither parameters nor rows may be logged."
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

run "two_instances_have_a_reader" {
  module {
    source = "./modules/database"
  }

  variables {
    instance_count = 2
  }

  assert {
    condition     = output.reader_host == aws_rds_cluster.this.reader_endpoint && output.host != output.reader_host
    error_message = "Analysts must find the reader: ${jsonencode(output.reader_host)}"
  }
}

run "nothing_restarts_or_upgrades_by_itself" {
  module {
    source = "./modules/database"
  }

  assert {
    condition = (
      !aws_rds_cluster.this.allow_major_version_upgrade && !aws_rds_cluster.this.apply_immediately &&
      alltrue([for instance in aws_rds_cluster_instance.this : !instance.apply_immediately])
    )
    error_message = "A restart waits for the maintenance window, and another major version for a decision."
  }
}

run "major_upgrade_at_once_when_it_is_asked_for" {
  module {
    source = "./modules/database"
  }

  variables {
    engine_version              = "18"
    allow_major_version_upgrade = true
    apply_immediately           = true
  }

  assert {
    condition = (
      aws_rds_cluster.this.allow_major_version_upgrade && aws_rds_cluster.this.apply_immediately &&
      alltrue([for instance in aws_rds_cluster_instance.this : instance.apply_immediately]) &&
      aws_rds_cluster_parameter_group.this.family == "aurora-postgresql18"
    )
    error_message = "The upgrade must be allowed, and with the parameters of its version."
  }
}

run "new_cluster_begins_at_a_point_in_time" {
  # Another cluster: where one comes from is never changed.
  state_key = "restored"

  module {
    source = "./modules/database"
  }

  variables {
    restore = {
      cluster_arn = "arn:aws:rds:us-east-1:111122223333:cluster:events-old-database"
      time        = "2026-11-27T08:30:00Z"
    }
  }

  assert {
    condition = (
      aws_rds_cluster.this.restore_to_point_in_time[0].source_cluster_identifier == var.restore.cluster_arn &&
      aws_rds_cluster.this.restore_to_point_in_time[0].restore_to_time == "2026-11-27T08:30:00Z" &&
      aws_rds_cluster.this.restore_to_point_in_time[0].restore_type == "full-copy" &&
      aws_rds_cluster.this.restore_to_point_in_time[0].use_latest_restorable_time == null &&
      aws_rds_cluster.this.snapshot_identifier == null
    )
    error_message = "The cluster must be restored to the time; a clone has no time."
  }
}

run "new_cluster_is_a_clone_of_the_latest" {
  # Another cluster: where one comes from is never changed.
  state_key = "cloned"

  module {
    source = "./modules/database"
  }

  variables {
    restore = { cluster_arn = "arn:aws:rds:us-east-1:111122223333:cluster:events-old-database" }
  }

  assert {
    condition = (
      aws_rds_cluster.this.restore_to_point_in_time[0].restore_type == "copy-on-write" &&
      aws_rds_cluster.this.restore_to_point_in_time[0].use_latest_restorable_time
    )
    error_message = "Without a time, the cluster must be a clone."
  }
}

run "new_cluster_begins_with_a_snapshot" {
  # Another cluster: where one comes from is never changed.
  state_key = "from_snapshot"

  module {
    source = "./modules/database"
  }

  variables {
    restore = { snapshot_arn = "arn:aws:rds:us-east-1:111122223333:cluster-snapshot:events-old-database-final" }
  }

  assert {
    condition     = aws_rds_cluster.this.snapshot_identifier == var.restore.snapshot_arn && length(aws_rds_cluster.this.restore_to_point_in_time) == 0
    error_message = "The cluster must begin with the snapshot."
  }
}

run "restore_that_is_taken_out_again_changes_nothing" {
  command   = plan
  state_key = "restored"

  module {
    source = "./modules/database"
  }

  assert {
    condition     = aws_rds_cluster.this.restore_to_point_in_time[0].source_cluster_identifier == "arn:aws:rds:us-east-1:111122223333:cluster:events-old-database"
    error_message = "A cluster must not be replaced because its beginning is no longer configured."
  }
}

run "nothing_is_restored_by_default" {
  module {
    source = "./modules/database"
  }

  assert {
    condition     = length(aws_rds_cluster.this.restore_to_point_in_time) == 0 && aws_rds_cluster.this.snapshot_identifier == null && aws_rds_cluster.this.database_name == "pipeline"
    error_message = "A new cluster is empty."
  }
}

run "restore_from_two_sources_is_refused" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    restore = {
      cluster_arn  = "arn:aws:rds:us-east-1:111122223333:cluster:events-old-database"
      snapshot_arn = "arn:aws:rds:us-east-1:111122223333:cluster-snapshot:events-old-database-final"
    }
  }
  expect_failures = [var.restore]
}

run "restore_of_a_snapshot_to_a_time_is_refused" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    restore = {
      snapshot_arn = "arn:aws:rds:us-east-1:111122223333:cluster-snapshot:events-old-database-final"
      time         = "2026-11-27T08:30:00Z"
    }
  }
  expect_failures = [var.restore]
}

run "restore_to_a_time_in_words_is_refused" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    restore = {
      cluster_arn = "arn:aws:rds:us-east-1:111122223333:cluster:events-old-database"
      time        = "yesterday"
    }
  }
  expect_failures = [var.restore]
}

run "engine_that_cannot_pause_is_refused" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    engine_version   = "16.2"
    min_capacity_acu = 0
  }
  expect_failures = [var.engine_version]
}

run "oldest_engine_that_can_pause_is_taken" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    engine_version   = "16.3"
    min_capacity_acu = 0
  }
}
