mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                = "events-test-api"
  function_name       = "events-test-api"
  function_invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111122223333:function:events-test-api/invocations"
}

run "every_route_wants_a_signature" {
  module {
    source = "./modules/api"
  }

  assert {
    condition     = length(aws_apigatewayv2_route.this) == 21 && alltrue([for route in aws_apigatewayv2_route.this : route.authorization_type == "AWS_IAM"])
    error_message = "HTTP APIs have no resource policy: each route must be authorized."
  }

  assert {
    condition     = alltrue([for key in keys(aws_apigatewayv2_route.this) : startswith(key, "GET /") || startswith(key, "HEAD /") || key == "POST /v1/records/lookup"])
    error_message = "The API reads, and nothing else."
  }
}

run "every_route_wants_a_token" {
  module {
    source = "./modules/api"
  }

  variables {
    jwt = {
      issuer    = "https://issuer.example.com"
      audiences = ["partners"]
    }
  }

  assert {
    condition     = alltrue([for route in aws_apigatewayv2_route.this : route.authorization_type == "JWT" && route.authorizer_id == aws_apigatewayv2_authorizer.jwt[0].id])
    error_message = "Each route must want a token of the issuer."
  }
}

run "calls_are_throttled_and_logged_without_their_query" {
  module {
    source = "./modules/api"
  }

  assert {
    condition     = aws_apigatewayv2_stage.default.default_route_settings[0].throttling_rate_limit == 50 && aws_apigatewayv2_stage.default.default_route_settings[0].throttling_burst_limit == 100
    error_message = "The stage must be throttled."
  }

  assert {
    condition = (
      aws_cloudwatch_log_group.access.retention_in_days == 30 &&
      !strcontains(aws_apigatewayv2_stage.default.access_log_settings[0].format, "queryString") &&
      !strcontains(aws_apigatewayv2_stage.default.access_log_settings[0].format, "context.path")
    )
    error_message = "The access log must expire, and never contain the query string."
  }
}

run "metrics_by_route_are_off_because_they_are_billed" {
  module {
    source = "./modules/api"
  }

  assert {
    condition     = !aws_apigatewayv2_stage.default.default_route_settings[0].detailed_metrics_enabled
    error_message = "Metrics by route cost by the metric and month."
  }
}

run "metrics_by_route_can_be_had" {
  module {
    source = "./modules/api"
  }

  variables {
    detailed_metrics_enabled = true
  }

  assert {
    condition     = aws_apigatewayv2_stage.default.default_route_settings[0].detailed_metrics_enabled
    error_message = "The variable must switch them on."
  }
}

run "only_this_api_calls_the_function" {
  module {
    source = "./modules/api"
  }

  assert {
    condition     = startswith(aws_lambda_permission.api.source_arn, "${aws_apigatewayv2_api.this.execution_arn}/") && aws_lambda_permission.api.principal == "apigateway.amazonaws.com"
    error_message = "The permission must name the API."
  }
}

run "issuer_without_tls_is_refused" {
  command = plan
  module {
    source = "./modules/api"
  }
  variables {
    jwt = {
      issuer    = "http://issuer.example.com"
      audiences = ["partners"]
    }
  }
  expect_failures = [var.jwt]
}

run "tokens_for_anybody_are_refused" {
  command = plan
  module {
    source = "./modules/api"
  }
  variables {
    jwt = {
      issuer    = "https://issuer.example.com"
      audiences = []
    }
  }
  expect_failures = [var.jwt]
}

run "no_throttling_is_refused" {
  command = plan
  module {
    source = "./modules/api"
  }
  variables {
    throttle_rate_per_sec = 0
    throttle_burst        = 0
  }
  expect_failures = [var.throttle_rate_per_sec, var.throttle_burst]
}

run "logs_kept_for_ever_are_refused" {
  command = plan
  module {
    source = "./modules/api"
  }
  variables {
    log_retention_days = 0
  }
  expect_failures = [var.log_retention_days]
}
