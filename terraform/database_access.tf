# Who logs in to the database as whom. On AWS the password is an IAM token that the function makes
# for itself, over verified TLS; a local stack takes the URL as it is given.

locals {
  aurora_count = nonsensitive(var.database_url == null) ? 1 : 0

  # The functions' users, and the one for people and the console.
  database_users = ["ingest", "api", "migrate", "analyst"]

  aurora = one(module.database)

  aurora_urls = {
    for user in local.database_users : user =>
    "postgres://${user}@${local.aurora.host}:${local.aurora.port}/${local.aurora.name}?sslmode=verify-full"
    if local.aurora != null
  }

  database_variables = {
    for user in local.database_users : user => {
      DATABASE_URL      = local.aurora == null ? var.database_url : local.aurora_urls[user]
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
