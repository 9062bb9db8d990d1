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
      "api_auth", "database_url", "database_auth", "database_cluster", "database_pauses", "ingest_function", "function_timeout_secs",
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

run "proxy_is_for_the_functions_that_come_in_numbers" {
  variables {
    database = { proxy_enabled = true }
  }

  assert {
    condition = (
      alltrue([for user in ["ingest", "api"] : strcontains(local.database_variables[user].DATABASE_URL, ".proxy-") && strcontains(jsonencode(local.log_in_statements[user]), ":prx-")]) &&
      alltrue([for user in ["migrate", "analyst"] : !strcontains(local.database_variables[user].DATABASE_URL, ".proxy-") && !strcontains(jsonencode(local.log_in_statements[user]), ":prx-")])
    )
    error_message = "Ingest and api go by the proxy, migrations and people do not."
  }
}

run "schema_is_migrated_on_each_change_and_partitions_are_kept_daily" {
  assert {
    condition     = aws_lambda_invocation.migrate.triggers.migrations == local.migrations_hash && length(fileset("../migrations", "*.sql")) > 0
    error_message = "A change of the migrations must run them."
  }

  assert {
    condition     = aws_lambda_invocation.roles[0].triggers.instances != "" && jsondecode(aws_lambda_invocation.roles[0].input).users == ["ingest", "api", "migrate", "analyst"]
    error_message = "The users must be made once there is a database that answers."
  }

  assert {
    condition     = aws_scheduler_schedule.migrate.schedule_expression == "cron(20 2 * * ? *)"
    error_message = "Partitions must be kept daily."
  }
}

run "no_policy_has_a_wildcard_but_where_aws_knows_no_resource" {
  variables {
    customer_managed_key_enabled = true
  }

  assert {
    condition = alltrue([
      for policy in [aws_iam_policy.console.policy, aws_iam_role_policy.schedule.policy, aws_kms_key.this[0].policy] :
      alltrue([for statement in jsondecode(policy).Statement : !strcontains(jsonencode(statement.Action), "*")])
    ])
    error_message = "No action may have a wildcard."
  }

  assert {
    condition = toset(flatten([
      for policy in [aws_iam_policy.console.policy, aws_iam_role_policy.schedule.policy] : [
        for statement in jsondecode(policy).Statement : statement.Action if contains(statement.Resource, "*")
      ]
    ])) == toset(["cloudwatch:GetMetricData"])
    error_message = "Only metrics have no resource."
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_kms_key.this[0].policy).Statement : try(statement.Condition, null) != null || statement.Sid == "LeaveToIdentityPolicies"])
    error_message = "A service may use the key for this pipeline only."
  }
}

run "key_lets_sns_and_alarms_in" {
  variables {
    customer_managed_key_enabled = true
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(aws_kms_key.this[0].policy).Statement :
      try(statement.Principal.Service, "") == "sns.amazonaws.com" &&
      toset(statement.Action) == toset(["kms:Decrypt", "kms:GenerateDataKey"]) &&
      try(statement.Condition.ArnEquals["aws:SourceArn"], "") == "arn:aws:sns:us-east-1:111122223333:events-test"
    ])
    error_message = "SNS must be able to use the key, or nothing arrives in the queue."
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(aws_kms_key.this[0].policy).Statement : try(statement.Principal.Service == "cloudwatch.amazonaws.com", false)
    ])
    error_message = "CloudWatch must be able to use the key, or no alarm arrives."
  }

  assert {
    condition     = aws_kms_key.this[0].enable_key_rotation
    error_message = "The key must rotate."
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

run "more_connections_than_the_database_has_are_refused" {
  command = plan
  variables {
    ingest   = { maximum_concurrency = 100 }
    database = { max_capacity_acu = 2 }
  }
  expect_failures = [var.ingest]
}

run "more_pollers_than_the_database_has_connections_are_refused" {
  command = plan
  variables {
    ingest   = { provisioned_pollers = { minimum = 2, maximum = 10 } }
    database = { max_capacity_acu = 2 }
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
