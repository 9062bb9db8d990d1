mock_provider "aws" {
  source = "./tests/mocks"

  override_resource {
    target = aws_sqs_queue.events
    values = {
      id  = "https://sqs.us-east-1.amazonaws.com/111122223333/events-test-queue"
      arn = "arn:aws:sqs:us-east-1:111122223333:events-test-queue"
    }
  }

  override_resource {
    target = aws_sqs_queue.dead_letters
    values = {
      id  = "https://sqs.us-east-1.amazonaws.com/111122223333/events-test-dead-letters"
      arn = "arn:aws:sqs:us-east-1:111122223333:events-test-dead-letters"
    }
  }
}

variables {
  name                    = "events-test"
  function_timeout_secs   = 60
  batching_window_secs    = 5
  visibility_timeout_secs = 365
}

run "queue_outlasts_its_function_and_is_outlasted_by_its_dead_letters" {
  module {
    source = "./modules/messaging"
  }

  assert {
    condition     = aws_sqs_queue.events.visibility_timeout_seconds >= 6 * var.function_timeout_secs + var.batching_window_secs
    error_message = "The visibility timeout must be at least six times the function's timeout plus the window."
  }

  assert {
    condition     = aws_sqs_queue.dead_letters.message_retention_seconds > aws_sqs_queue.events.message_retention_seconds
    error_message = "Dead letters must be kept longer than messages."
  }

  assert {
    condition = (
      jsondecode(aws_sqs_queue.events.redrive_policy).deadLetterTargetArn == aws_sqs_queue.dead_letters.arn &&
      jsondecode(aws_sqs_queue.events.redrive_policy).maxReceiveCount == 5
    )
    error_message = "The queue must give up to the dead-letter queue."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_allow_policy.dead_letters.redrive_allow_policy).sourceQueueArns == [aws_sqs_queue.events.arn]
    error_message = "No other queue may use this dead-letter queue."
  }
}

run "topic_delivers_raw_events_and_keeps_what_it_cannot_deliver" {
  module {
    source = "./modules/messaging"
  }

  assert {
    condition     = aws_sns_topic_subscription.queue.raw_message_delivery && aws_sns_topic_subscription.queue.filter_policy == null
    error_message = "Every event reaches the queue as it was published."
  }

  assert {
    condition     = jsondecode(aws_sns_topic_subscription.queue.redrive_policy).deadLetterTargetArn == aws_sqs_queue.dead_letters.arn
    error_message = "What SNS cannot deliver must be kept."
  }
}

run "only_the_topic_sends_to_the_queues_and_only_over_tls" {
  module {
    source = "./modules/messaging"
  }

  assert {
    condition = alltrue([
      for policy in [aws_sqs_queue_policy.events.policy, aws_sqs_queue_policy.dead_letters.policy] : alltrue([
        for statement in jsondecode(policy).Statement :
        statement.Condition.ArnEquals["aws:SourceArn"] == aws_sns_topic.events.arn && statement.Action == ["sqs:SendMessage"]
        if statement.Effect == "Allow"
      ])
    ])
    error_message = "Queue policies must allow the topic, and nothing else."
  }

  assert {
    condition = alltrue([
      for policy in [aws_sqs_queue_policy.events.policy, aws_sqs_queue_policy.dead_letters.policy, aws_sns_topic_policy.events.policy] :
      anytrue([for statement in jsondecode(policy).Statement : statement.Effect == "Deny" && try(statement.Condition.Bool["aws:SecureTransport"] == "false", false)])
    ])
    error_message = "Each policy must refuse calls without TLS."
  }

  assert {
    condition = alltrue([
      for policy in [aws_sqs_queue_policy.events.policy, aws_sqs_queue_policy.dead_letters.policy, aws_sns_topic_policy.events.policy] : alltrue([
        for statement in jsondecode(policy).Statement :
        !strcontains(jsonencode([statement.Action, statement.Resource, statement.Principal]), "*") if statement.Effect == "Allow"
      ])
    ])
    error_message = "No wildcard may be allowed."
  }
}

run "messages_are_encrypted_with_the_keys_of_aws" {
  module {
    source = "./modules/messaging"
  }

  assert {
    condition = (
      aws_sqs_queue.events.sqs_managed_sse_enabled && aws_sqs_queue.dead_letters.sqs_managed_sse_enabled &&
      aws_sns_topic.events.kms_master_key_id == "alias/aws/sns"
    )
    error_message = "Topic and queues must be encrypted. The queues must not use alias/aws/sqs, which SNS cannot use."
  }
}

run "messages_are_encrypted_with_a_key_of_ones_own" {
  module {
    source = "./modules/messaging"
  }

  variables {
    kms_key_arn    = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"
    publisher_arns = ["arn:aws:iam::444455556666:role/shop"]
  }

  assert {
    condition = alltrue([
      for key in [aws_sqs_queue.events.kms_master_key_id, aws_sqs_queue.dead_letters.kms_master_key_id, aws_sns_topic.events.kms_master_key_id] : key == var.kms_key_arn
    ])
    error_message = "Topic and queues must use the key."
  }

  assert {
    condition     = contains(jsondecode(aws_sns_topic_policy.events.policy).Statement[0].Principal.AWS, "arn:aws:iam::444455556666:role/shop")
    error_message = "The other account's role may publish."
  }
}

run "visibility_that_forgets_the_window_is_refused" {
  command = plan
  module {
    source = "./modules/messaging"
  }
  variables {
    visibility_timeout_secs = 360
  }
  expect_failures = [var.visibility_timeout_secs]
}

run "visibility_beyond_the_limit_is_refused" {
  command = plan
  module {
    source = "./modules/messaging"
  }
  variables {
    visibility_timeout_secs = 43201
  }
  expect_failures = [var.visibility_timeout_secs]
}

run "dead_letters_that_expire_with_the_queue_are_refused" {
  command = plan
  module {
    source = "./modules/messaging"
  }
  variables {
    queue_retention_secs       = 345600
    dead_letter_retention_secs = 345600
  }
  expect_failures = [var.dead_letter_retention_secs]
}

run "too_few_receives_are_refused" {
  command = plan
  module {
    source = "./modules/messaging"
  }
  variables {
    max_receive_count = 1
  }
  expect_failures = [var.max_receive_count]
}

run "key_that_sns_cannot_use_is_refused" {
  command = plan
  module {
    source = "./modules/messaging"
  }
  variables {
    kms_key_arn = "alias/aws/sqs"
  }
  expect_failures = [var.kms_key_arn]
}

run "other_account_without_a_key_of_ones_own_is_refused" {
  command = plan
  module {
    source = "./modules/messaging"
  }
  variables {
    publisher_arns = ["arn:aws:iam::444455556666:role/shop"]
  }
  expect_failures = [var.publisher_arns]
}

run "any_publisher_at_all_is_refused" {
  command = plan
  module {
    source = "./modules/messaging"
  }
  variables {
    kms_key_arn    = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"
    publisher_arns = ["*"]
  }
  expect_failures = [var.publisher_arns]
}

run "values_out_of_range_are_refused" {
  command = plan
  module {
    source = "./modules/messaging"
  }
  variables {
    name                 = "Events"
    queue_retention_secs = 60
  }
  expect_failures = [var.name, var.queue_retention_secs]
}
