# Who logs in to the database as whom. On AWS the password is an IAM token that the function makes
# for itself, over verified TLS; a local stack takes the URL as it is given.

locals {
  aurora_count = nonsensitive(var.database_url == null) ? 1 : 0

  # The functions' users, and the one for people and the console.
  database_users = ["ingest", "api", "migrate", "analyst"]

  aurora = one(module.database)

  database_variables = {
    for user in local.database_users : user => local.aurora == null ? {
      DATABASE_URL      = var.database_url
      DATABASE_IAM_AUTH = "false"
      } : {
      DATABASE_URL      = "postgres://${user}@${local.aurora.host}:${local.aurora.port}/${local.aurora.name}?sslmode=verify-full"
      DATABASE_IAM_AUTH = "true"
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
