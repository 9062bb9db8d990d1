mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                   = "events-test"
  topic_name             = "events-test"
  queue_name             = "events-test-queue"
  dead_letter_queue_name = "events-test-dead-letters"
  api_id                 = "abcdefghij"
  cluster_identifier     = "events-test-database"
  functions              = { ingest = "events-test-ingest", api = "events-test-api" }
}

run "everything_that_breaks_has_an_alarm_that_notifies" {
  module {
    source = "./modules/observability"
  }

  assert {
    condition = toset(keys(aws_cloudwatch_metric_alarm.this)) == toset([
      "dead-letters", "oldest-message", "ingest-lag", "undelivered", "discarded",
      "api-5xx", "api-latency",
      "ingest-errors", "ingest-throttles", "api-errors", "api-throttles",
      "database-capacity", "database-connections",
    ])
    error_message = "An alarm is missing, or one too many."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset([aws_sns_topic.notifications.arn]) && alarm.ok_actions == alarm.alarm_actions])
    error_message = "Each alarm must notify when it begins and when it ends."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["dead-letters"].threshold == 0 && aws_cloudwatch_metric_alarm.this["dead-letters"].dimensions.QueueName == "events-test-dead-letters"
    error_message = "One dead letter is enough."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["discarded"].metric_name == "NumberOfNotificationsFailedToRedriveToDlq" &&
      aws_cloudwatch_metric_alarm.this["discarded"].dimensions.TopicName == "events-test" &&
      aws_cloudwatch_metric_alarm.this["discarded"].threshold == 0
    )
    error_message = "What neither queue takes is lost, so one event is enough."
  }
}

run "each_alarm_links_its_section_of_the_runbook_and_no_section_is_left_over" {
  module {
    source = "./modules/observability"
  }

  variables {
    functions    = { ingest = "events-test-ingest", api = "events-test-api", migrate = "events-test-migrate" }
    runbooks_url = "https://example.com/OPERATIONS.md"
  }

  assert {
    condition = alltrue([
      for key, alarm in aws_cloudwatch_metric_alarm.this :
      endswith(alarm.alarm_description, " What to do: https://example.com/OPERATIONS.md#${key}")
    ])
    error_message = "Whoever gets the mail must find what to do."
  }

  assert {
    condition     = toset([for heading in regexall("\n### ([a-z0-9-]+)\n", file("OPERATIONS.md")) : heading[0]]) == toset(keys(aws_cloudwatch_metric_alarm.this))
    error_message = "OPERATIONS.md must have a section for each alarm: ${jsonencode(setsubtract(keys(aws_cloudwatch_metric_alarm.this), [for heading in regexall("\n### ([a-z0-9-]+)\n", file("OPERATIONS.md")) : heading[0]]))}"
  }
}

run "connections_alarm_before_they_are_used_up" {
  module {
    source = "./modules/observability"
  }

  variables {
    database_connections_max = 399
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["database-connections"].threshold == 319
    error_message = "80 % of 399: ${aws_cloudwatch_metric_alarm.this["database-connections"].threshold}"
  }
}

run "address_with_a_section_is_refused" {
  command = plan
  module {
    source = "./modules/observability"
  }
  variables {
    runbooks_url             = "https://example.com/OPERATIONS.md#alarms"
    database_connections_max = 10
  }
  expect_failures = [var.runbooks_url, var.database_connections_max]
}

run "only_alarms_of_this_account_notify" {
  module {
    source = "./modules/observability"
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_sns_topic_policy.notifications.policy).Statement : statement.Condition.StringEquals["aws:SourceAccount"] == "111122223333" && !strcontains(jsonencode(statement), "*")])
    error_message = "The topic must be closed to others."
  }
}

run "dashboard_shows_each_hop_and_no_widget_covers_another" {
  module {
    source = "./modules/observability"
  }

  assert {
    condition = (
      length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 12 &&
      length(distinct([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : "${widget.x} ${widget.y}"])) == 12
    )
    error_message = "There must be twelve widgets, each in its own place."
  }
}

run "other_database_has_no_alarm" {
  module {
    source = "./modules/observability"
  }

  variables {
    cluster_identifier = null
  }

  assert {
    condition     = !contains(keys(aws_cloudwatch_metric_alarm.this), "database-capacity") && length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 11
    error_message = "There is no cluster to watch."
  }
}

run "wrong_mail_address_is_refused" {
  command = plan
  module {
    source = "./modules/observability"
  }
  variables {
    notification_emails = ["nobody"]
  }
  expect_failures = [var.notification_emails]
}

run "age_below_the_metric_s_period_is_refused" {
  command = plan
  module {
    source = "./modules/observability"
  }
  variables {
    oldest_message_secs_max = 30
  }
  expect_failures = [var.oldest_message_secs_max]
}

run "latency_beyond_the_gateway_s_limit_is_refused" {
  command = plan
  module {
    source = "./modules/observability"
  }
  variables {
    api_latency_ms_max = 31000
  }
  expect_failures = [var.api_latency_ms_max]
}

run "utilization_beyond_everything_is_refused" {
  command = plan
  module {
    source = "./modules/observability"
  }
  variables {
    database_utilization_percent_max = 101
  }
  expect_failures = [var.database_utilization_percent_max]
}

run "lag_below_a_cold_start_is_refused" {
  command = plan
  module {
    source = "./modules/observability"
  }
  variables {
    lag_ms_max = 500
  }
  expect_failures = [var.lag_ms_max]
}

run "pipeline_without_an_ingest_is_refused" {
  command = plan
  module {
    source = "./modules/observability"
  }
  variables {
    functions = { api = "events-test-api" }
  }
  expect_failures = [var.functions]
}
