# The policies of the programs, with everything on and with nothing on, and the boundaries of their pipeline.
# console/tests/deploy reads them from the state of these runs and compares them with what the programs call, and
# with each other.

mock_provider "aws" {
  source = "./tests/mocks"
}

# Two queues that a policy can tell apart.
override_resource {
  target = module.messaging.aws_sqs_queue.events
  values = {
    id  = "https://sqs.us-east-1.amazonaws.com/111122223333/events-test-queue"
    arn = "arn:aws:sqs:us-east-1:111122223333:events-test-queue"
  }
}

override_resource {
  target = module.messaging.aws_sqs_queue.dead_letters
  values = {
    id  = "https://sqs.us-east-1.amazonaws.com/111122223333/events-test-dead-letters"
    arn = "arn:aws:sqs:us-east-1:111122223333:events-test-dead-letters"
  }
}

variables {
  name             = "events-test"
  functions_folder = "tests/functions"
}

run "everything_on" {
  variables {
    network                      = { sqs_endpoint_enabled = true, flow_log_retention_days = 30 }
    warehouse                    = { export_bucket = { name = "events-test-exports" } }
    customer_managed_key_enabled = true
    database                     = { deletion_protection = false, final_snapshot_enabled = false }
    tracing_enabled              = true
    slo                          = { alarms_enabled = true }
  }

  assert {
    condition     = module.messaging.queue_arn != module.messaging.dead_letter_queue_arn
    error_message = "The comparison must tell the two queues apart."
  }
}

run "nothing_on" {
  variables {
    ingest = { maximum_concurrency = 2, immediate_dead_letters = false }
  }

  assert {
    condition     = !strcontains(aws_iam_policy.console.policy, "kms:") && !strcontains(aws_iam_policy.console.policy, "s3:")
    error_message = "Without a key and a bucket the console needs no right to them."
  }
}

run "boundaries" {
  module {
    source = "./bootstrap"
  }

  variables {
    repository   = "acme/events"
    state_bucket = "acme-terraform"
    environments = {
      test = {
        name          = "events-test"
        export_bucket = "events-test-exports"
        database_id   = "cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        api_id        = "abcdefghij"
      }
    }
  }

  assert {
    condition     = length(aws_iam_policy.boundary) == 1 && length(aws_iam_policy.operators) == 1
    error_message = "One for the roles and one for people."
  }
}
