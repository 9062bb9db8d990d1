mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name         = "events-test"
  package_path = "tests/functions/ingest.zip"
  timeout_secs = 60
  vpc = {
    subnet_ids         = ["subnet-a", "subnet-b"]
    security_group_ids = ["sg-functions"]
  }
  queue_trigger = {
    queue_arn               = "arn:aws:sqs:us-east-1:111122223333:events-test-queue"
    visibility_timeout_secs = 361
    maximum_concurrency     = 5
  }
}

run "failures_are_reported_message_by_message_and_nothing_is_filtered" {
  module {
    source = "./modules/function"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.queue[0].function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "Partial batch failures must be on, or they are lost."
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.queue[0].filter_criteria) == 0
    error_message = "A filter deletes what it drops."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.queue[0].scaling_config[0].maximum_concurrency == 5 && length(aws_lambda_event_source_mapping.queue[0].provisioned_poller_config) == 0
    error_message = "The mapping must have the configured limit."
  }
}

run "role_has_no_wildcard_but_where_aws_knows_no_resource" {
  module {
    source = "./modules/function"
  }

  variables {
    tracing_enabled = true
    kms_key_arn     = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"
    statements = [{
      sid       = "DeadLetter"
      actions   = ["sqs:SendMessage"]
      resources = ["arn:aws:sqs:us-east-1:111122223333:events-test-dead-letters"]
    }]
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : !strcontains(jsonencode(statement.Action), "*")])
    error_message = "No action may have a wildcard."
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Action
      if statement.Effect == "Allow" && contains(statement.Resource, "*")
      ])) == toset([
      "xray:PutTraceSegments", "xray:PutTelemetryRecords",
      "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
      "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
    ])
    error_message = "Only what AWS gives no resource may have \"*\" for one."
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      statement.Effect == "Deny" && contains(statement.Action, "ec2:DeleteNetworkInterface") &&
      try(statement.Condition.ArnEquals["lambda:SourceFunctionArn"], []) == ["arn:aws:lambda:us-east-1:111122223333:function:events-test"]
    ])
    error_message = "The function's code must not touch network interfaces."
  }

  assert {
    condition     = anytrue([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Action == ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"] && statement.Resource == [var.queue_trigger.queue_arn]])
    error_message = "The role must read its queue, and no other."
  }
}

run "function_is_what_was_built_and_its_log_forgets" {
  module {
    source = "./modules/function"
  }

  assert {
    condition     = aws_lambda_function.this.source_code_hash == filebase64sha256("tests/functions/ingest.zip") && aws_lambda_function.this.runtime == "provided.al2023"
    error_message = "The zip file must be deployed by its hash."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 30 && aws_cloudwatch_log_group.this.name == "/aws/lambda/events-test"
    error_message = "The log group must be the function's, and forget."
  }
}

run "provisioned_pollers_replace_the_limit" {
  module {
    source = "./modules/function"
  }

  variables {
    reserved_concurrency = 100
    queue_trigger = {
      queue_arn               = "arn:aws:sqs:us-east-1:111122223333:events-test-queue"
      visibility_timeout_secs = 361
      provisioned_pollers     = { minimum = 2, maximum = 10 }
    }
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.queue[0].provisioned_poller_config[0].maximum_pollers == 10 &&
      length(aws_lambda_event_source_mapping.queue[0].scaling_config) == 0
    )
    error_message = "The mapping must have pollers of its own and no other limit."
  }
}

run "function_leaves_its_security_group_before_it_goes" {
  module {
    source = "./modules/function"
  }

  assert {
    condition     = aws_lambda_function.this.replace_security_groups_on_destroy && !aws_lambda_function.this.vpc_config[0].ipv6_allowed_for_dual_stack
    error_message = "Destroying the group must not wait for the network interfaces, and IPv6 is off unless it is asked for."
  }
}

run "function_uses_ipv6_where_its_subnets_have_it" {
  module {
    source = "./modules/function"
  }

  variables {
    vpc = {
      subnet_ids          = ["subnet-a", "subnet-b"]
      security_group_ids  = ["sg-functions"]
      ipv6_egress_enabled = true
    }
  }

  assert {
    condition     = aws_lambda_function.this.vpc_config[0].ipv6_allowed_for_dual_stack
    error_message = "Without this, Lambda gives the function no IPv6 address."
  }
}

run "function_outside_of_a_vpc_has_no_groups_to_replace" {
  module {
    source = "./modules/function"
  }

  variables {
    vpc = null
  }

  assert {
    condition     = aws_lambda_function.this.replace_security_groups_on_destroy == null
    error_message = "There is no group."
  }
}

run "role_has_the_boundary" {
  module {
    source = "./modules/function"
  }

  variables {
    permissions_boundary_arn = "arn:aws:iam::111122223333:policy/opsconsole-boundary-pilot"
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == var.permissions_boundary_arn
    error_message = "The role must have its upper limit."
  }
}

run "missing_package_is_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    package_path = "tests/functions/none.zip"
  }
  expect_failures = [aws_lambda_function.this]
}

run "unknown_architecture_is_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    architecture = "riscv64"
  }
  expect_failures = [var.architecture]
}

run "visibility_below_six_timeouts_and_the_window_is_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    queue_trigger = {
      queue_arn               = "arn:aws:sqs:us-east-1:111122223333:events-test-queue"
      visibility_timeout_secs = 360
      maximum_concurrency     = 5
    }
  }
  expect_failures = [var.queue_trigger]
}

run "large_batch_without_a_window_is_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    queue_trigger = {
      queue_arn               = "arn:aws:sqs:us-east-1:111122223333:events-test-queue"
      visibility_timeout_secs = 400
      batch_size              = 11
      batching_window_secs    = 0
      maximum_concurrency     = 5
    }
  }
  expect_failures = [var.queue_trigger]
}

run "batch_beyond_the_limit_is_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    queue_trigger = {
      queue_arn               = "arn:aws:sqs:us-east-1:111122223333:events-test-queue"
      visibility_timeout_secs = 400
      batch_size              = 10001
      maximum_concurrency     = 5
    }
  }
  expect_failures = [var.queue_trigger]
}

run "maximum_concurrency_beyond_the_reserved_is_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    reserved_concurrency = 4
  }
  expect_failures = [var.queue_trigger]
}

run "reserved_concurrency_alone_is_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    reserved_concurrency = 10
    queue_trigger = {
      queue_arn               = "arn:aws:sqs:us-east-1:111122223333:events-test-queue"
      visibility_timeout_secs = 400
    }
  }
  expect_failures = [var.queue_trigger]
}

run "maximum_concurrency_beside_pollers_is_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    queue_trigger = {
      queue_arn               = "arn:aws:sqs:us-east-1:111122223333:events-test-queue"
      visibility_timeout_secs = 400
      maximum_concurrency     = 5
      provisioned_pollers     = { minimum = 2, maximum = 4 }
    }
  }
  expect_failures = [var.queue_trigger]
}

run "pollers_beyond_the_reserved_concurrency_are_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    reserved_concurrency = 39
    queue_trigger = {
      queue_arn               = "arn:aws:sqs:us-east-1:111122223333:events-test-queue"
      visibility_timeout_secs = 400
      provisioned_pollers     = { minimum = 2, maximum = 4 }
    }
  }
  expect_failures = [var.queue_trigger]
}

run "stopped_function_is_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    reserved_concurrency = 0
    queue_trigger        = null
  }
  expect_failures = [var.reserved_concurrency]
}

run "wildcard_action_is_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    statements = [{
      sid       = "Anything"
      actions   = ["sqs:*"]
      resources = ["arn:aws:sqs:us-east-1:111122223333:events-test-dead-letters"]
    }]
  }
  expect_failures = [var.statements]
}

run "wildcard_resource_is_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    statements = [{
      sid       = "Anywhere"
      actions   = ["sqs:SendMessage"]
      resources = ["*"]
    }]
  }
  expect_failures = [var.statements]
}

run "function_in_one_subnet_is_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    vpc = {
      subnet_ids         = ["subnet-a"]
      security_group_ids = ["sg-functions"]
    }
  }
  expect_failures = [var.vpc]
}

run "logs_kept_for_ever_are_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    log_retention_days = 0
  }
  expect_failures = [var.log_retention_days]
}

run "values_out_of_range_are_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    name          = "Ingest"
    memory_mib    = 64
    timeout_secs  = 901
    queue_trigger = null
  }
  expect_failures = [var.name, var.memory_mib, var.timeout_secs]
}

run "window_beyond_the_limit_is_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    queue_trigger = {
      queue_arn               = "arn:aws:sqs:us-east-1:111122223333:events-test-queue"
      visibility_timeout_secs = 1000
      batching_window_secs    = 301
      maximum_concurrency     = 5
    }
  }
  expect_failures = [var.queue_trigger]
}

run "concurrency_below_the_least_is_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    queue_trigger = {
      queue_arn               = "arn:aws:sqs:us-east-1:111122223333:events-test-queue"
      visibility_timeout_secs = 400
      maximum_concurrency     = 1
    }
  }
  expect_failures = [var.queue_trigger]
}

run "one_poller_is_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    queue_trigger = {
      queue_arn               = "arn:aws:sqs:us-east-1:111122223333:events-test-queue"
      visibility_timeout_secs = 400
      provisioned_pollers     = { minimum = 1, maximum = 4 }
    }
  }
  expect_failures = [var.queue_trigger]
}

run "more_pollers_at_least_than_lambda_has_are_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    queue_trigger = {
      queue_arn               = "arn:aws:sqs:us-east-1:111122223333:events-test-queue"
      visibility_timeout_secs = 400
      provisioned_pollers     = { minimum = 201, maximum = 201 }
    }
  }
  expect_failures = [var.queue_trigger]
}

run "more_pollers_than_lambda_has_are_refused" {
  command = plan
  module {
    source = "./modules/function"
  }
  variables {
    queue_trigger = {
      queue_arn               = "arn:aws:sqs:us-east-1:111122223333:events-test-queue"
      visibility_timeout_secs = 400
      provisioned_pollers     = { minimum = 200, maximum = 2001 }
    }
  }
  expect_failures = [var.queue_trigger]
}
