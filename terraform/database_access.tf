# The database user of each function. On AWS the password is an IAM token that the function signs itself,
# over verified TLS; a local stack uses the URL unchanged.

locals {
  aurora_count = nonsensitive(var.database_url == null) ? 1 : 0

  aurora = one(module.database)

  # Functions with many instances use the proxy, where there is one. The others do not: their session
  # locks and settings would pin a connection of its pool each.
  proxy_users = ["ingest", "api"]
  # The users of the functions, and the one of people and the console.
  database_users = concat(local.proxy_users, ["migrate", "analyst"])

  log_ins = {
    for user in local.database_users : user => {
      host       = contains(local.proxy_users, user) ? local.aurora.host : local.aurora.writer_host
      arn_prefix = contains(local.proxy_users, user) ? local.aurora.user_arn_prefix : local.aurora.writer_user_arn_prefix
    }
    if local.aurora != null
  }

  aurora_urls = {
    for user, log_in in local.log_ins : user =>
    "postgres://${user}@${log_in.host}:${local.aurora.port}/${local.aurora.name}?sslmode=verify-full"
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
      resources = ["${local.log_ins[user].arn_prefix}/${user}"]
    }]
  }

  vpc = {
    subnet_ids         = module.network.private_subnet_ids
    security_group_ids = [module.network.functions_security_group_id]
  }
}
