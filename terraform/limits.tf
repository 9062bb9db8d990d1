# How many instances of the functions there can be, and how many connections they can open. Each function has a
# limit of its own, so the sum has one too, and the database is never asked for more than it has.

locals {
  # Of one instance; constants of the code (CONNECTIONS_MAX), which a test compares.
  connections_per_instance = {
    ingest  = 2
    api     = 8
    migrate = 1
  }

  # -1 as in aws_lambda_function: nothing is reserved.
  api_reserved_concurrency = var.api.reserved_concurrency == -1 ? null : var.api.reserved_concurrency

  account_concurrency = one(data.aws_servicequotas_service_quota.concurrency[*].value)
  # Each poller makes up to ten invocations at once.
  ingest_instances = coalesce(var.ingest.maximum_concurrency, try(10 * var.ingest.provisioned_pollers.maximum, 0))
  api_instances    = coalesce(local.api_reserved_concurrency, local.account_concurrency, 0)

  connections_of_functions = {
    ingest = local.ingest_instances * local.connections_per_instance.ingest
    api    = local.api_instances * local.connections_per_instance.api
    # Two runs of migrate, RDS's own and its reserve for superusers, and people.
    others = 2 * local.connections_per_instance.migrate + 28
  }
  # At four fifths of what the database takes there is an alarm (modules/observability), which the functions alone must
  # not raise.
  connections_least = max(
    sum(values(local.connections_of_functions)),
    ceil((sum(values(local.connections_of_functions)) - 28) * 5 / 4),
  )
  connections = merge(local.connections_of_functions, {
    needed       = sum(values(local.connections_of_functions))
    of_functions = sum(values(local.connections_of_functions)) - 28
    # What the database must take, and the smallest max_capacity_acu with which it does, in steps of 0.5.
    least        = local.connections_least
    capacity_acu = ceil(2 * (local.connections_least + 23) / 211) / 2
    # Aurora sets max_connections by the largest capacity, whatever the present one is: 189 at 1 ACU, 823 at 4,
    # 1,669 at 8, 3,360 at 16, which is this line, and at most 5,000; at most 2,000 where the smallest capacity is
    # 0 or 0.5 (Aurora User Guide, "Maximum connections for Aurora Serverless v2").
    maximum = min(floor(211 * var.database.max_capacity_acu) - 23, var.database.min_capacity_acu <= 0.5 ? 2000 : 5000)
  })

  reserved_concurrency = sum([coalesce(var.ingest.reserved_concurrency, 0), coalesce(local.api_reserved_concurrency, 0)])
}

# "Concurrent executions" of Lambda. An emulator has no quotas.
data "aws_servicequotas_service_quota" "concurrency" {
  count = var.emulator_endpoint_url == null ? 1 : 0

  service_code = "lambda"
  quota_code   = "L-B99A9384"

  lifecycle {
    # AWS keeps 100 free for functions that reserve nothing.
    postcondition {
      condition     = local.reserved_concurrency == 0 || local.reserved_concurrency + 100 <= self.value
      error_message = "This account may run ${self.value} Lambda functions at once, of which AWS keeps 100 unreserved, and this configuration reserves ${local.reserved_concurrency} (ingest.reserved_concurrency and api.reserved_concurrency). Ask for more in Service Quotas (Lambda, \"Concurrent executions\", L-B99A9384), or reserve nothing for the api: api.reserved_concurrency = -1."
    }
  }
}

# Not validations of variables: each would depend on the others.
resource "terraform_data" "connections" {
  count = local.aurora_count

  input = local.connections

  lifecycle {
    precondition {
      condition     = var.database.max_capacity_acu >= local.connections.capacity_acu
      error_message = "database.max_capacity_acu must be at least ${local.connections.capacity_acu}: the functions can open ${local.connections.needed} connections (ingest ${local.connections.ingest}, api ${local.connections.api}, and ${local.connections.others} for migrations, people and RDS), and without people at most four fifths of what the database takes, where there is an alarm. Or lower ingest.maximum_concurrency (or provisioned_pollers.maximum) or api.reserved_concurrency."
    }

    precondition {
      condition     = local.connections.least <= (var.database.min_capacity_acu <= 0.5 ? 2000 : 5000)
      error_message = "The functions can open ${local.connections.of_functions} connections, which needs a database that takes ${local.connections.least}, and Aurora takes 2,000 while database.min_capacity_acu is 0 or 0.5, else 5,000: set it to 1, or lower ingest.maximum_concurrency (or provisioned_pollers.maximum) or api.reserved_concurrency."
    }
  }
}
