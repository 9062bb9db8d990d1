# An HTTP API in front of one function. HTTP APIs have no resource policy, so each route is authorized
# separately, and there is no route without authorization.

locals {
  # The paths of the function's OpenAPI document; a test of the function compares them.
  reads = [
    "/v1/records",
    "/v1/records/{record_id}",
    "/v1/feed",
    "/v1/stats",
    "/v1/summary",
    "/v1/types",
    "/health",
    "/openapi.json",
    "/docs",
    "/docs/viewer.js",
  ]
  lookups = [
    "/v1/records/lookup",
  ]
  routes = toset(concat(
    [for path in local.reads : "GET ${path}"],
    [for path in local.reads : "HEAD ${path}"],
    [for path in local.lookups : "POST ${path}"],
  ))
}

resource "aws_apigatewayv2_api" "this" {
  name          = var.name
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_integration" "function" {
  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "AWS_PROXY"
  integration_uri        = var.function_invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_authorizer" "jwt" {
  count = var.jwt == null ? 0 : 1

  api_id           = aws_apigatewayv2_api.this.id
  name             = "jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.jwt.issuer
    audience = var.jwt.audiences
  }
}

resource "aws_apigatewayv2_route" "this" {
  for_each = local.routes

  api_id             = aws_apigatewayv2_api.this.id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.function.id}"
  authorization_type = var.jwt == null ? "AWS_IAM" : "JWT"
  authorizer_id      = one(aws_apigatewayv2_authorizer.jwt[*].id)
}

# "vendedlogs": log groups below that name share one resource policy, which has a limit.
resource "aws_cloudwatch_log_group" "access" {
  # checkov:skip=CKV_AWS_338:How long is a variable; logs hold no events, and a year of them costs more than the pilot
  name              = "/aws/vendedlogs/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    # Never the query string: it may contain personal data.
    format = jsonencode({
      request_id        = "$context.requestId"
      requested_at      = "$context.requestTimeEpoch"
      source_ip         = "$context.identity.sourceIp"
      caller            = "$context.identity.userArn"
      route             = "$context.routeKey"
      status            = "$context.status"
      response_bytes    = "$context.responseLength"
      latency_ms        = "$context.responseLatency"
      integration_error = "$context.integrationErrorMessage"
      authorizer_error  = "$context.authorizer.error"
    })
  }

  default_route_settings {
    detailed_metrics_enabled = var.detailed_metrics_enabled
    throttling_rate_limit    = var.throttle_rate_per_sec
    throttling_burst_limit   = var.throttle_burst
  }
}

# Any route of this one API.
resource "aws_lambda_permission" "api" {
  statement_id  = "http-api"
  action        = "lambda:InvokeFunction"
  function_name = var.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/*"
}
