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
      "dead-letters", "oldest-message", "ingest-lag", "undelivered", "lost",
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
      aws_cloudwatch_metric_alarm.this["lost"].metric_name == "NumberOfNotificationsFailedToRedriveToDlq" &&
      aws_cloudwatch_metric_alarm.this["lost"].dimensions.TopicName == "events-test" &&
      aws_cloudwatch_metric_alarm.this["lost"].threshold == 0
    )
    error_message = "What SNS can put nowhere is discarded, at once."
  }
}

run "each_alarm_links_its_section_of_the_runbook_and_no_section_is_left_over" {
  module {
    source = "./modules/observability"
  }

  variables {
    functions          = { ingest = "events-test-ingest", api = "events-test-api", migrate = "events-test-migrate" }
    runbooks_url       = "https://example.com/OPERATIONS.md"
    slo_alarms_enabled = true
  }

  assert {
    condition = alltrue([
      for key, alarm in aws_cloudwatch_metric_alarm.this :
      endswith(alarm.alarm_description, " What to do: https://example.com/OPERATIONS.md#${key}")
    ])
    error_message = "Whoever gets the mail must find what to do."
  }

  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.slo_window), values(aws_cloudwatch_composite_alarm.slo), aws_cloudwatch_metric_alarm.planned_pause) :
      can(regex(" What to do: https://example.com/OPERATIONS.md#(slo-[a-z-]+|planned-pause)$", alarm.alarm_description))
    ])
    error_message = "The alarms of an objective share its section."
  }

  assert {
    condition = toset([for heading in regexall("\n### ([a-z0-9-]+)\n", file("OPERATIONS.md")) : heading[0]]) == setunion(
      keys(aws_cloudwatch_metric_alarm.this), ["planned-pause"], [for name in keys(local.slos) : "slo-${name}"],
    )
    error_message = "OPERATIONS.md must have a section for each alarm, and no other: ${jsonencode([for heading in regexall("\n### ([a-z0-9-]+)\n", file("OPERATIONS.md")) : heading[0]])}"
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
      length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 15 &&
      length(distinct([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : "${widget.x} ${widget.y}"])) == 15
    )
    error_message = "There must be fifteen widgets, each in its own place."
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
    condition     = !contains(keys(aws_cloudwatch_metric_alarm.this), "database-capacity") && length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 14
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

run "objectives_have_no_alarms_unless_that_is_asked_for" {
  module {
    source = "./modules/observability"
  }

  assert {
    condition = (
      length(aws_cloudwatch_metric_alarm.slo_window) == 0 && length(aws_cloudwatch_composite_alarm.slo) == 0 &&
      length(aws_cloudwatch_metric_alarm.planned_pause) == 0 && length(aws_budgets_budget.monthly) == 0
    )
    error_message = "Alarms cost by the metric: a pilot does without."
  }

  assert {
    condition = toset([for widget in slice(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets, 0, 3) : widget.y]) == toset([0]) && alltrue([
      for widget in slice(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets, 0, 3) :
      startswith(widget.properties.title, "Objective") && widget.properties.period == 3600 &&
      [for line in widget.properties.annotations.horizontal : line.value] == [3, 14.4, 6] &&
      anytrue([for line in widget.properties.metrics : can(line[0].expression)])
    ])
    error_message = "The first row shows how fast the error budgets are spent."
  }
}

run "objectives_are_watched_in_two_windows_at_each_burn_rate" {
  module {
    source = "./modules/observability"
  }

  variables {
    slo_alarms_enabled = true
  }

  assert {
    condition = (
      length(aws_cloudwatch_metric_alarm.slo_window) == 22 && length(aws_cloudwatch_composite_alarm.slo) == 8 &&
      toset(keys(local.slos)) == toset(["freshness", "durability", "api-availability", "api-latency"])
    )
    error_message = "Four objectives, three burn rates (the durability two), two windows; and one that pages and one that can wait."
  }

  # 14.4 times 1 %, 6 times 0.1 %, 3 times 1 %, 14.4 times 0.1 %.
  assert {
    condition = alltrue([
      for key, threshold in {
        "slo-freshness-1h-long"    = 0.144, "slo-freshness-1h-short" = 0.144, "slo-durability-6h-long" = 0.006
        "slo-api-latency-1d-short" = 0.03, "slo-api-availability-1h-long" = 0.0144
      } :
      abs(aws_cloudwatch_metric_alarm.slo_window[key].threshold - threshold) < 0.0000001
    ])
    error_message = "A threshold is the burn rate times what the objective leaves."
  }

  assert {
    condition = alltrue([
      for key, secs in {
        "slo-freshness-1h-long"  = 3600, "slo-freshness-1h-short" = 300, "slo-freshness-6h-long" = 21600
        "slo-freshness-6h-short" = 1800, "slo-freshness-1d-long" = 86400, "slo-freshness-1d-short" = 7200
        "slo-durability-6h-long" = 21600, "slo-durability-6h-short" = 600, "slo-durability-1d-short" = 2400
        } : alltrue([
          for query in aws_cloudwatch_metric_alarm.slo_window[key].metric_query :
          query.id == "error_ratio" ? query.return_data : query.metric[0].period == secs
      ])
    ])
    error_message = "Every metric of a window has its length, or that of its part."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.slo_window :
      length(coalesce(alarm.alarm_actions, [])) == 0 && alarm.treat_missing_data == "notBreaching" &&
      alarm.comparison_operator == "GreaterThanThreshold" && length(alarm.metric_query) <= 11
    ])
    error_message = "A window notifies nobody, and CloudWatch takes ten metrics in an alarm."
  }

  # SNS's metrics and those of the log are minutes apart: what was just published is in the last part alone.
  assert {
    condition = alltrue([
      for key, alarm in aws_cloudwatch_metric_alarm.slo_window :
      [alarm.datapoints_to_alarm, alarm.evaluation_periods] ==
      (contains(["slo-durability-6h-short", "slo-durability-1d-short"], key) ? [2, 3] : [1, 1])
    ])
    error_message = "A loss is in two of three parts of a short window, or it is none."
  }

  assert {
    condition     = !strcontains(aws_cloudwatch_composite_alarm.slo["slo-durability-fast"].alarm_rule, "-1h-")
    error_message = "Five minutes are no longer than the lag of the metrics."
  }

  assert {
    condition = alltrue([
      for key, alarm in aws_cloudwatch_composite_alarm.slo :
      alarm.alarm_actions == toset([aws_sns_topic.notifications.arn]) && alarm.ok_actions == alarm.alarm_actions &&
      alarm.actions_suppressor[0].alarm == "events-test-planned-pause" &&
      alarm.actions_suppressor[0].wait_period == 60 &&
      alarm.actions_suppressor[0].extension_period == (endswith(key, "-fast") ? 1800 : 7200)
    ])
    error_message = "A composite alarm notifies after a minute, but not in a planned pause and while a window still sees that."
  }

  assert {
    condition = aws_cloudwatch_composite_alarm.slo["slo-freshness-fast"].alarm_rule == join(" OR ", [
      "(ALARM(\"events-test-slo-freshness-1h-long\") AND ALARM(\"events-test-slo-freshness-1h-short\"))",
      "(ALARM(\"events-test-slo-freshness-6h-long\") AND ALARM(\"events-test-slo-freshness-6h-short\"))",
    ])
    error_message = "Both windows of a pair: ${aws_cloudwatch_composite_alarm.slo["slo-freshness-fast"].alarm_rule}"
  }

  # Each name in a rule is an alarm of ours.
  assert {
    condition = alltrue(flatten([
      for alarm in aws_cloudwatch_composite_alarm.slo : [
        for name in regexall("ALARM\\(\"([^\"]+)\"\\)", alarm.alarm_rule) :
        contains(values(aws_cloudwatch_metric_alarm.slo_window)[*].alarm_name, name[0])
      ]
    ]))
    error_message = "AWS refuses a rule with an alarm that is not there."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.planned_pause[0].dimensions.Pipeline == "events-test" &&
      aws_cloudwatch_metric_alarm.planned_pause[0].period == 60 &&
      aws_cloudwatch_metric_alarm.planned_pause[0].evaluation_periods == 60 &&
      aws_cloudwatch_metric_alarm.planned_pause[0].datapoints_to_alarm == 1 &&
      aws_cloudwatch_metric_alarm.planned_pause[0].treat_missing_data == "notBreaching"
    )
    error_message = "A pause ends an hour after it was announced: of a longer period CloudWatch judges the last value for hours."
  }
}

run "objectives_with_little_traffic_are_not_judged" {
  module {
    source = "./modules/observability"
  }

  variables {
    slo_alarms_enabled = true
    slo_events_min     = 50
  }

  assert {
    condition = alltrue([
      for key, start in {
        "slo-freshness-1h-long"        = "IF(stored >= 50, "
        "slo-freshness-1h-short"       = "IF(stored >= 5, "
        "slo-durability-1d-long"       = "IF(published >= 50, "
        "slo-durability-1d-short"      = "IF(published >= 2, "
        "slo-api-availability-6h-long" = "IF(requests >= 50, "
        "slo-api-latency-1d-short"     = "IF(answers >= 5, "
      } :
      alltrue([
        for query in aws_cloudwatch_metric_alarm.slo_window[key].metric_query :
        startswith(query.expression, start) && endswith(query.expression, ", 0)")
        if query.id == "error_ratio"
      ])
    ])
    error_message = "Below slo_events_min nothing is spent; a short window needs its share of them."
  }
}

run "no_events_are_too_few" {
  command = plan
  module {
    source = "./modules/observability"
  }
  variables {
    slo_events_min = 0
  }
  expect_failures = [var.slo_events_min]
}

run "budget_is_of_the_pipeline_s_share" {
  module {
    source = "./modules/observability"
  }

  variables {
    monthly_budget_usd  = 150
    notification_emails = ["ops@example.com"]
  }

  assert {
    condition = (
      aws_budgets_budget.monthly[0].limit_amount == "150" && aws_budgets_budget.monthly[0].limit_unit == "USD" &&
      one(aws_budgets_budget.monthly[0].cost_filter).values == tolist(["user:Pipeline$events-test"])
    )
    error_message = "By the tag of the pipeline: ${jsonencode(aws_budgets_budget.monthly[0].cost_filter)}"
  }

  assert {
    condition = {
      for notification in aws_budgets_budget.monthly[0].notification :
      notification.notification_type => notification.threshold
      if notification.subscriber_email_addresses == toset(["ops@example.com"])
    } == { ACTUAL = 80, FORECASTED = 100 }
    error_message = "At 80 %, and when the forecast is above all of it."
  }
}

run "budget_that_notifies_nobody_is_refused" {
  command = plan
  module {
    source = "./modules/observability"
  }
  variables {
    monthly_budget_usd = 150
  }
  expect_failures = [var.monthly_budget_usd]
}

run "budget_of_nothing_is_refused" {
  command = plan
  module {
    source = "./modules/observability"
  }
  variables {
    monthly_budget_usd  = 0
    notification_emails = ["ops@example.com"]
  }
  expect_failures = [var.monthly_budget_usd]
}
