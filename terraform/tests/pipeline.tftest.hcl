# The pipeline as a whole, and rules between its modules.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name             = "events-test"
  functions_folder = "tests/functions"
  network          = { sqs_endpoint_enabled = true }
}

run "console_entry_has_the_fields_of_its_configuration" {
  assert {
    condition = toset(keys(output.console)) == toset([
      "region", "endpoint_url", "topic_arn", "queue_url", "dead_letter_queue_url", "api_url",
      "api_auth", "database_url", "database_auth", "database_cluster", "database_instances", "database_pauses",
      "ingest_function", "function_timeout_secs", "ingest_memory_mib",
      "production", "read_only",
    ])
    error_message = "The console refuses unknown keys and misses absent ones."
  }

  assert {
    condition     = output.console.database_url == null
    error_message = "On AWS the console reads by the API."
  }

  assert {
    condition     = output.console.api_auth == "iam" && output.console.database_auth == null
    error_message = "The console signs its calls to the API."
  }

  assert {
    condition     = output.console.endpoint_url == null && output.console.api_url == "https://abcdefghij.execute-api.us-east-1.amazonaws.com"
    error_message = "On AWS there is no endpoint but AWS's own."
  }
}

run "console_that_reaches_the_database_logs_in_as_operator" {
  assert {
    condition = (
      startswith(output.console_database.database_url, "postgres://operator@events-test-database.cluster-") &&
      endswith(output.console_database.database_url, "?sslmode=verify-full") &&
      output.console_database.database_auth == "iam" &&
      strcontains(aws_iam_policy.console.policy, "/operator\"") && !strcontains(aws_iam_policy.console.policy, "/analyst\"")
    )
    error_message = "By a tunnel the console logs in by IAM as operator, to the writer."
  }

  assert {
    condition     = jsondecode(aws_iam_policy.analyst[0].policy).Statement[0].Resource == ["arn:aws:rds-db:us-east-1:111122223333:dbuser:cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ/analyst"]
    error_message = "Analysts log in as analyst and nothing else."
  }
}

run "network_is_known_to_whoever_builds_beside_it" {
  assert {
    condition = (
      output.vpc_id == module.network.vpc_id &&
      length(output.public_subnet_ids) == 2 && length(output.private_subnet_ids) == 2 &&
      output.functions_security_group_id == module.network.functions_security_group_id &&
      output.database_security_group_id == module.network.database_security_group_id
    )
    error_message = "A machine for a tunnel needs a subnet and the security group that may connect."
  }
}

run "functions_log_in_by_iam_each_as_itself" {
  assert {
    condition = alltrue([
      for user in ["ingest", "api", "migrate"] :
      startswith(local.database_variables[user].DATABASE_URL, "postgres://${user}@") &&
      endswith(local.database_variables[user].DATABASE_URL, "?sslmode=verify-full") &&
      local.database_variables[user].DATABASE_IAM_AUTH == "true" &&
      local.log_in_statements[user][0].resources == ["arn:aws:rds-db:us-east-1:111122223333:dbuser:cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ/${user}"]
    ])
    error_message = "Each function must log in as its own user, by IAM and over verified TLS."
  }
}

run "permanent_failures_are_dead_lettered_at_once_where_sqs_is_reachable" {
  assert {
    condition     = module.network.sqs_is_reachable && local.ingest_variables.DEAD_LETTER_QUEUE_URL == module.messaging.dead_letter_queue_url
    error_message = "The ingest must know the dead-letter queue."
  }
}

run "permanent_failures_are_left_to_the_queue_where_sqs_is_out_of_reach" {
  variables {
    network = {}
    ingest  = { maximum_concurrency = 2, immediate_dead_letters = false }
  }

  assert {
    condition     = !contains(keys(local.ingest_variables), "DEAD_LETTER_QUEUE_URL") && !strcontains(jsonencode(local.ingest_statements), "sqs:SendMessage")
    error_message = "A function that cannot reach SQS must not try, nor be allowed to."
  }
}

run "records_are_not_replaced_unless_that_is_asked_for" {
  assert {
    condition = (
      !contains(keys(local.ingest_variables), "REPLACEMENTS_ALLOWED") &&
      !contains(keys(local.migrate_variables), "REPLACEMENTS_ALLOWED") &&
      !contains(keys(aws_lambda_invocation.migrate.triggers), "replacements")
    )
    error_message = "By default neither the ingest obeys a replacement nor its database user may replace a record."
  }
}

run "records_are_replaced_where_function_and_database_user_both_may" {
  variables {
    ingest = { maximum_concurrency = 2, replacements_allowed = true }
  }

  assert {
    condition     = local.ingest_variables.REPLACEMENTS_ALLOWED == "true" && local.migrate_variables.REPLACEMENTS_ALLOWED == "true"
    error_message = "The setting must reach the ingest, and migrate, which grants the right."
  }

  assert {
    condition     = aws_lambda_invocation.migrate.triggers.replacements == "allowed"
    error_message = "Migrate must run when the setting changes."
  }
}

run "schema_is_migrated_on_each_change_and_partitions_are_kept_daily" {
  assert {
    condition     = aws_lambda_invocation.migrate.triggers.migrations == local.migrations_hash && length(fileset("../migrations", "*.sql")) > 0
    error_message = "A change of the migrations must run them."
  }

  assert {
    condition     = aws_lambda_invocation.roles[0].triggers.instances != "" && jsondecode(aws_lambda_invocation.roles[0].input).users == ["ingest", "api", "migrate", "analyst", "operator"]
    error_message = "The users must be made once there is a database that answers."
  }

  assert {
    condition     = aws_scheduler_schedule.migrate.schedule_expression == "cron(20 2 * * ? *)"
    error_message = "Partitions must be kept daily."
  }
}

run "no_policy_has_a_wildcard_but_where_aws_knows_no_resource" {
  assert {
    condition = alltrue([
      for policy in [aws_iam_policy.console.policy, aws_iam_role_policy.schedule.policy] :
      alltrue([for statement in jsondecode(policy).Statement : !strcontains(jsonencode(statement.Action), "*")])
    ])
    error_message = "No action may have a wildcard."
  }

  assert {
    condition = toset(flatten([
      for policy in [aws_iam_policy.console.policy, aws_iam_role_policy.schedule.policy] : [
        for statement in jsondecode(policy).Statement : statement.Action if contains(statement.Resource, "*")
      ]
      ])) == toset([
      "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "lambda:ListEventSourceMappings",
      "sns:GetSubscriptionAttributes",
    ])
    error_message = "Only these have no resource, or none that is known before."
  }
}

run "visibility_follows_the_timeout" {
  variables {
    ingest = { timeout_secs = 100, batching_window_secs = 7, maximum_concurrency = 5 }
  }

  assert {
    condition     = local.visibility_timeout_secs == 607
    error_message = "The visibility timeout must be six times the timeout plus the window: ${local.visibility_timeout_secs}"
  }
}

run "dead_letters_at_once_without_a_way_to_sqs_are_refused" {
  command = plan
  variables {
    network = {}
  }
  expect_failures = [var.ingest]
}

run "unlimited_ingest_is_refused" {
  command = plan
  variables {
    ingest = {}
  }
  expect_failures = [var.ingest]
}

run "ingest_that_cannot_outlast_a_resume_is_refused" {
  command = plan
  variables {
    ingest   = { maximum_concurrency = 2, timeout_secs = 20 }
    database = { min_capacity_acu = 0 }
  }
  expect_failures = [var.ingest]
}

run "api_that_outlasts_its_gateway_is_refused" {
  command = plan
  variables {
    api = { timeout_secs = 30 }
  }
  expect_failures = [var.api]
}

run "password_on_aws_is_refused" {
  command = plan
  variables {
    database_url = "postgres://me:secret@db.example.com/pipeline"
  }
  expect_failures = [var.database_url]
}

run "no_partition_ahead_is_refused" {
  command = plan
  variables {
    partitions = { ahead = 0 }
  }
  expect_failures = [var.partitions]
}

run "partitions_of_a_week_are_refused" {
  command = plan
  variables {
    partitions = { width = "week" }
  }
  expect_failures = [var.partitions]
}

run "schedule_in_words_is_refused" {
  command = plan
  variables {
    migrate_schedule = "daily"
  }
  expect_failures = [var.migrate_schedule]
}

run "unprotected_production_is_refused" {
  command = plan
  variables {
    is_production = true
    database      = { instance_count = 2, deletion_protection = false }
  }
  expect_failures = [var.is_production]
}

run "production_with_one_database_instance_is_refused" {
  command = plan
  variables {
    is_production = true
  }
  expect_failures = [var.is_production]
}

run "production_that_pauses_is_refused" {
  command = plan
  variables {
    is_production = true
    database      = { instance_count = 2, min_capacity_acu = 0 }
  }
  expect_failures = [var.is_production]
}

run "production_behind_one_nat_gateway_is_refused" {
  command = plan
  variables {
    is_production = true
    network       = { nat = "one" }
    database      = { instance_count = 2 }
  }
  expect_failures = [var.is_production]
}

run "values_out_of_range_are_refused" {
  command = plan
  variables {
    name                  = "events--test"
    partitions            = { keep = 0 }
    emulator_endpoint_url = "http://127.0.0.1:4566/path"
  }
  expect_failures = [var.name, var.partitions, var.emulator_endpoint_url]
}

run "other_databases_are_refused" {
  command = plan
  variables {
    emulator_endpoint_url = "http://127.0.0.1:4566"
    database_url          = "mysql://me@127.0.0.1/pipeline"
  }
  expect_failures = [var.database_url]
}

run "ipv6_leads_to_sqs_by_its_dual_stack_name" {
  variables {
    network = { ipv6_egress_enabled = true }
  }

  assert {
    condition = (
      module.network.sqs_is_reachable &&
      local.ingest_variables.DEAD_LETTER_QUEUE_URL == module.messaging.dead_letter_queue_url &&
      local.ingest_variables.AWS_USE_DUALSTACK_ENDPOINT == "true"
    )
    error_message = "The usual name of SQS has no IPv6 address, so the ingest must use the other one."
  }
}

run "endpoint_serves_the_usual_name_of_sqs" {
  variables {
    network = { ipv6_egress_enabled = true, sqs_endpoint_enabled = true }
  }

  assert {
    condition     = !contains(keys(local.ingest_variables), "AWS_USE_DUALSTACK_ENDPOINT")
    error_message = "The endpoint has only the usual name."
  }
}

run "everybody_logs_in_to_the_writer" {
  variables {
    database = { instance_count = 2 }
  }

  assert {
    condition = alltrue([
      for user in local.database_users :
      strcontains(local.database_variables[user].DATABASE_URL, "@${local.aurora.host}:")
    ])
    error_message = "The feed is refused on a reader, so the api must not be there."
  }

  assert {
    condition     = output.database_reader_host == local.aurora.reader_host && output.database_reader_host != null
    error_message = "Analysts must find the reader."
  }
}

run "connections_are_bounded_by_the_functions_limits" {
  variables {
    ingest   = { maximum_concurrency = 20, reserved_concurrency = 20 }
    api      = { reserved_concurrency = 100 }
    database = { max_capacity_acu = 16, min_capacity_acu = 0.5 }
  }

  assert {
    condition     = local.connections.ingest == 40 && local.connections.api == 800 && local.connections.needed == 870
    error_message = "2 in each ingest, 8 in each api, 30 for others: ${jsonencode(local.connections)}"
  }

  assert {
    condition     = local.connections.of_functions == 842 && local.connections.least == 1053 && floor(1053 * 4 / 5) == 842
    error_message = "The functions alone reach four fifths of 1,053: ${jsonencode(local.connections)}"
  }

  assert {
    condition     = local.connections.maximum == 2000
    error_message = "A smallest capacity of 0.5 limits the connections to 2,000: ${local.connections.maximum}"
  }
}

run "smallest_capacity_of_one_lifts_the_limit_of_2000" {
  variables {
    ingest   = { maximum_concurrency = 20 }
    database = { max_capacity_acu = 16, min_capacity_acu = 1 }
  }

  assert {
    condition     = local.connections.maximum > 3300 && local.connections.maximum <= 3360
    error_message = "Aurora takes 3,360 at 16 ACU: ${local.connections.maximum}"
  }
}

run "unreserved_api_counts_with_the_quota_of_the_account" {
  variables {
    api      = { reserved_concurrency = -1 }
    database = { max_capacity_acu = 64, min_capacity_acu = 1 }
  }

  override_data {
    target = data.aws_servicequotas_service_quota.concurrency
    values = { value = 490 }
  }

  assert {
    condition     = local.connections.api == 3920 && local.connections.maximum == 5000
    error_message = "Nothing but the quota limits it: ${jsonencode(local.connections)}"
  }
}

run "new_account_deploys_without_a_reservation" {
  variables {
    ingest   = { maximum_concurrency = 2 }
    api      = { reserved_concurrency = -1 }
    database = { max_capacity_acu = 2 }
  }

  override_data {
    target = data.aws_servicequotas_service_quota.concurrency
    values = { value = 10 }
  }

  assert {
    condition     = local.connections.needed == 114
    error_message = "Ten instances at most: ${jsonencode(local.connections)}"
  }
}

run "more_connections_of_the_ingest_than_the_database_has_are_refused" {
  command = plan
  variables {
    ingest   = { maximum_concurrency = 200 }
    database = { max_capacity_acu = 2 }
  }
  expect_failures = [terraform_data.connections]
}

run "more_pollers_than_the_database_has_connections_are_refused" {
  command = plan
  variables {
    ingest   = { provisioned_pollers = { minimum = 2, maximum = 20 } }
    database = { max_capacity_acu = 2 }
  }
  expect_failures = [terraform_data.connections]
}

run "api_without_a_limit_of_its_own_is_refused" {
  command = plan
  variables {
    api = { reserved_concurrency = -1 }
  }
  expect_failures = [terraform_data.connections]
}

# 720 connections are fewer than the 821 that the database takes, and 692 of functions more than the 656 of the alarm.
run "functions_that_raise_the_alarm_alone_are_refused" {
  command = plan
  variables {
    api      = { reserved_concurrency = 85 }
    database = { max_capacity_acu = 4 }
  }
  expect_failures = [terraform_data.connections]
}

run "more_than_2000_connections_at_half_a_unit_are_refused" {
  command = plan
  variables {
    api      = { reserved_concurrency = 250 }
    database = { max_capacity_acu = 16, min_capacity_acu = 0.5 }
  }
  expect_failures = [terraform_data.connections]
}

run "reservation_beyond_the_quota_of_the_account_is_refused" {
  command = plan
  override_data {
    target = data.aws_servicequotas_service_quota.concurrency
    values = { value = 149 }
  }
  expect_failures = [data.aws_servicequotas_service_quota.concurrency]
}

run "stopped_api_is_refused" {
  command = plan
  variables {
    api = { reserved_concurrency = 0 }
  }
  expect_failures = [var.api]
}

run "key_of_bootstrap_encrypts_everything" {
  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/22222222-2222-3333-4444-555555555555"
  }

  assert {
    condition     = local.kms_key_arn == var.kms_key_arn && length(module.key) == 0
    error_message = "The given key must be used, and no other made."
  }

  assert {
    condition     = anytrue([for statement in local.ingest_statements : contains(statement.actions, "kms:GenerateDataKey") && statement.resources == [var.kms_key_arn]])
    error_message = "Without the right to encrypt, SQS refuses the dead letters of the ingest."
  }
}

# Such as a restored copy, with the key of the pipeline that it was made from.
run "key_of_another_pipeline_is_refused" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/33333333-2222-3333-4444-555555555555"
  }
  expect_failures = [data.aws_kms_alias.given]
}

run "key_that_goes_before_the_final_snapshot_is_refused" {
  command = plan
  variables {
    customer_managed_key_enabled = true
  }
  expect_failures = [var.customer_managed_key_enabled]
}

run "key_that_goes_with_the_data_is_taken" {
  variables {
    customer_managed_key_enabled = true
    database                     = { deletion_protection = false, final_snapshot_enabled = false }
  }

  assert {
    condition     = local.kms_key_arn == module.key[0].arn
    error_message = "The key of this configuration must be used."
  }
}

run "two_keys_are_refused" {
  command = plan
  variables {
    customer_managed_key_enabled = true
    kms_key_arn                  = "arn:aws:kms:us-east-1:111122223333:key/22222222-2222-3333-4444-555555555555"
    database                     = { deletion_protection = false, final_snapshot_enabled = false }
  }
  expect_failures = [var.customer_managed_key_enabled]
}

run "alias_for_a_key_is_refused" {
  command = plan
  variables {
    kms_key_arn = "alias/aws/rds"
  }
  expect_failures = [var.kms_key_arn]
}

run "every_role_has_the_boundary" {
  variables {
    permissions_boundary_arn = "arn:aws:iam::111122223333:policy/opsconsole-boundary-pilot"
  }

  assert {
    condition     = aws_iam_role.schedule.permissions_boundary == var.permissions_boundary_arn
    error_message = "Who applies may make roles only within the boundary."
  }
}

run "release_is_taken_by_its_checksums" {
  variables {
    functions_release = {
      version      = "1.2.3"
      architecture = "arm64"
      # Of the text in tests/functions, and of the folder of migrations.
      migrations = run.schema_is_migrated_on_each_change_and_partitions_are_kept_daily.migrations_hash
      sha256 = {
        api     = filesha256("tests/functions/api.zip")
        ingest  = filesha256("tests/functions/ingest.zip")
        migrate = filesha256("tests/functions/migrate.zip")
      }
    }
  }

  assert {
    condition     = module.ingest.code_hash == filebase64sha256("tests/functions/ingest.zip")
    error_message = "The released package must be deployed."
  }
}

run "package_that_is_not_the_released_one_is_refused" {
  command = plan
  variables {
    functions_release = {
      version      = "1.2.3"
      architecture = "arm64"
      migrations   = run.schema_is_migrated_on_each_change_and_partitions_are_kept_daily.migrations_hash
      sha256 = {
        api     = filesha256("tests/functions/api.zip")
        ingest  = sha256("another build")
        migrate = filesha256("tests/functions/migrate.zip")
      }
    }
  }
  expect_failures = [var.functions_release]
}

run "release_for_another_architecture_is_refused" {
  command = plan
  variables {
    functions_release = {
      version      = "1.2.3"
      architecture = "x86_64"
      migrations   = run.schema_is_migrated_on_each_change_and_partitions_are_kept_daily.migrations_hash
      sha256 = {
        api     = filesha256("tests/functions/api.zip")
        ingest  = filesha256("tests/functions/ingest.zip")
        migrate = filesha256("tests/functions/migrate.zip")
      }
    }
  }
  expect_failures = [var.functions_release]
}

run "release_with_other_migrations_is_refused" {
  command = plan
  variables {
    functions_release = {
      version      = "1.2.3"
      architecture = "arm64"
      migrations   = sha256("other migrations")
      sha256 = {
        api     = filesha256("tests/functions/api.zip")
        ingest  = filesha256("tests/functions/ingest.zip")
        migrate = filesha256("tests/functions/migrate.zip")
      }
    }
  }
  expect_failures = [var.functions_release]
}

run "objectives_can_have_alarms_anywhere" {
  variables {
    slo                 = { alarms_enabled = true, events_min = 20 }
    monthly_budget_usd  = 20
    notification_emails = ["ops@example.com"]
  }

  assert {
    condition     = length(output.slo_alarm_names) == 8 && contains(output.slo_alarm_names, "events-test-slo-freshness-fast")
    error_message = "They are not tied to production: ${jsonencode(output.slo_alarm_names)}"
  }
}
