# The database user of each function. On AWS the password is an IAM token that the function signs itself,
# over verified TLS; a local stack uses the URL unchanged.

locals {
  aurora_count = nonsensitive(var.database_url == null) ? 1 : 0

  aurora = one(module.database)

  # The users of the functions, the one of people, and the one of the console where it reaches the database.
  database_users = ["ingest", "api", "migrate", "analyst", "operator"]

  # All to the writer, the api too: the order of /v1/feed rests on locks of writes that are not over, and a
  # reader does not know them.
  aurora_urls = {
    for user in local.database_users : user =>
    "postgres://${user}@${local.aurora.host}:${local.aurora.port}/${local.aurora.name}?sslmode=verify-full"
    if local.aurora != null
  }

  database_variables = {
    for user in local.database_users : user => {
      DATABASE_URL      = try(local.aurora_urls[user], var.database_url)
      DATABASE_IAM_AUTH = tostring(local.aurora != null)
    }
  }

  log_in_statements = {
    for user in local.database_users : user => local.aurora == null ? [] : [{
      sid       = "LogInToDatabase"
      actions   = ["rds-db:connect"]
      resources = ["${local.aurora.user_arn_prefix}/${user}"]
    }]
  }

  vpc = {
    subnet_ids         = module.network.private_subnet_ids
    security_group_ids = [module.network.functions_security_group_id]
  }
}
