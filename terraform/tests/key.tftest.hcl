mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name = "events-test"
}

run "key_lets_sns_and_alarms_in" {
  module {
    source = "./modules/key"
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(aws_kms_key.this.policy).Statement :
      try(statement.Principal.Service, "") == "sns.amazonaws.com" &&
      toset(statement.Action) == toset(["kms:Decrypt", "kms:GenerateDataKey"]) &&
      try(statement.Condition.ArnEquals["aws:SourceArn"], "") == "arn:aws:sns:us-east-1:111122223333:events-test"
    ])
    error_message = "SNS must be able to use the key, or nothing arrives in the queue."
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(aws_kms_key.this.policy).Statement : try(statement.Principal.Service == "cloudwatch.amazonaws.com", false)
    ])
    error_message = "CloudWatch must be able to use the key, or no alarm arrives."
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30
    error_message = "The key must rotate, and a deletion must be seen in time."
  }
}

run "key_is_for_this_pipeline_only" {
  module {
    source = "./modules/key"
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_kms_key.this.policy).Statement : try(statement.Condition, null) != null || statement.Sid == "LeaveToIdentityPolicies"])
    error_message = "A service may use the key for this pipeline only."
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_kms_key.this.policy).Statement : !strcontains(jsonencode(statement.Action), "*")])
    error_message = "No action may have a wildcard."
  }
}

run "publishers_elsewhere_use_the_key" {
  module {
    source = "./modules/key"
  }

  variables {
    publisher_arns = ["arn:aws:iam::444455556666:role/shop"]
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(aws_kms_key.this.policy).Statement : try(statement.Principal.AWS == ["arn:aws:iam::444455556666:role/shop"], false)
    ])
    error_message = "Who publishes encrypts."
  }
}

run "everybody_as_a_publisher_is_refused" {
  command = plan
  module {
    source = "./modules/key"
  }
  variables {
    publisher_arns = ["arn:aws:iam::444455556666:role/*"]
  }
  expect_failures = [var.publisher_arns]
}
