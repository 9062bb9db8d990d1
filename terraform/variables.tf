variable "name" {
  description = "Prefix of every name; two deployments in one account need two."
  type        = string
  default     = "events"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be 3 to 32 lower-case letters, digits and single hyphens, and start with a letter."
  }
}

variable "network" {
  description = "The VPC: addresses, zones, the way to SQS (IPv6, free of charge; an endpoint; or NAT: \"none\", \"one\", \"one-per-zone\"), flow logs."
  type = object({
    cidr_block              = optional(string, "10.20.0.0/16")
    availability_zones      = optional(list(string), ["us-east-1a", "us-east-1b"])
    nat                     = optional(string, "none")
    ipv6_egress_enabled     = optional(bool, false)
    sqs_endpoint_enabled    = optional(bool, false)
    flow_log_retention_days = optional(number)
  })
  default = {}
}

variable "queue" {
  description = "Topic and queues. visibility_timeout_secs is by default six times the ingest's timeout plus the batching window."
  type = object({
    visibility_timeout_secs    = optional(number)
    queue_retention_secs       = optional(number, 345600)
    dead_letter_retention_secs = optional(number, 1209600)
    max_receive_count          = optional(number, 5)
    publisher_arns             = optional(list(string), [])
  })
  default = {}
}

variable "ingest" {
  description = "The function ingest, which stores events. Set maximum_concurrency or provisioned_pollers, not both. With immediate_dead_letters it sends permanent failures to the dead-letter queue itself, with their reason; otherwise they get there by the queue's retries, without one. With replacements_allowed, whoever may publish to the topic or send to the queue can replace stored records (`opsconsole replay --replace`); otherwise nobody can."
  type = object({
    memory_mib             = optional(number, 512)
    timeout_secs           = optional(number, 60)
    reserved_concurrency   = optional(number)
    batch_size             = optional(number, 1000)
    batching_window_secs   = optional(number, 1)
    maximum_concurrency    = optional(number)
    immediate_dead_letters = optional(bool, true)
    replacements_allowed   = optional(bool, false)
    provisioned_pollers = optional(object({
      minimum = number
      maximum = number
    }))
  })
  default = { maximum_concurrency = 5 }

  validation {
    condition     = !var.ingest.immediate_dead_letters || var.network.ipv6_egress_enabled || var.network.sqs_endpoint_enabled || var.network.nat != "none"
    error_message = "ingest.immediate_dead_letters needs a way from the VPC to SQS, or each call would hang until its timeout: set network.ipv6_egress_enabled (free of charge), or network.sqs_endpoint_enabled (about $7 a month and zone), or network.nat, or ingest.immediate_dead_letters = false (then permanent failures reach the dead-letter queue by retries, half an hour later and without their reason)."
  }

  validation {
    condition     = var.ingest.maximum_concurrency != null || var.ingest.provisioned_pollers != null
    error_message = "ingest needs maximum_concurrency or provisioned_pollers: without a limit, Lambda grows until the database has no connections left."
  }

  validation {
    condition     = var.database_url != null || var.database.min_capacity_acu > 0 || var.ingest.timeout_secs >= 60
    error_message = "ingest.timeout_secs must be at least 60 with database.min_capacity_acu = 0: a paused database needs 15 to 30 s to resume, and the first batch must outlast that."
  }
}

variable "api" {
  description = "The HTTP API and its function. With jwt = null, requests must be signed with IAM credentials. reserved_concurrency is also its limit; -1 reserves nothing, and the account's quota is the limit. detailed_metrics_enabled adds metrics by route, which are billed."
  type = object({
    memory_mib               = optional(number, 512)
    timeout_secs             = optional(number, 29)
    reserved_concurrency     = optional(number, 50)
    throttle_rate_per_sec    = optional(number, 50)
    throttle_burst           = optional(number, 100)
    detailed_metrics_enabled = optional(bool, false)
    jwt = optional(object({
      issuer    = string
      audiences = list(string)
    }))
  })
  default = {}

  validation {
    condition     = var.api.timeout_secs <= 29
    error_message = "api.timeout_secs must be at most 29: API Gateway gives up after 30 s, and the caller should get an error document before that."
  }

  validation {
    condition     = var.api.reserved_concurrency == -1 || var.api.reserved_concurrency >= 1
    error_message = "api.reserved_concurrency must be at least 1, or -1 to reserve nothing; 0 would stop the function."
  }
}

variable "database" {
  description = "Aurora PostgreSQL Serverless v2. min_capacity_acu = 0 lets it pause; change_stream is \"none\", \"logical\" or \"zero-etl\"; restore is what a new cluster begins with."
  type = object({
    name                        = optional(string, "pipeline")
    engine_version              = optional(string, "17")
    allow_major_version_upgrade = optional(bool, false)
    apply_immediately           = optional(bool, false)
    instance_count              = optional(number, 1)
    min_capacity_acu            = optional(number, 0.5)
    max_capacity_acu            = optional(number, 4)
    auto_pause_after_secs       = optional(number, 300)
    change_stream               = optional(string, "none")
    backup_retention_days       = optional(number, 7)
    deletion_protection         = optional(bool, true)
    final_snapshot_enabled      = optional(bool, true)
    monitoring_interval_secs    = optional(number, 0)
    restore = optional(object({
      cluster_arn  = optional(string)
      time         = optional(string)
      snapshot_arn = optional(string)
    }))
  })
  default = {}
}

variable "warehouse" {
  description = "What feeds a warehouse: a bucket for `opsconsole export` (export_bucket), the ARN of an existing Redshift namespace to which Aurora replicates the records (redshift_namespace_arn), and the name of a publication of the records for logical replication (publication). All are off by default."
  type = object({
    export_bucket = optional(object({
      name              = string
      expire_after_days = optional(number)
      force_destroy     = optional(bool, false)
    }))
    redshift_namespace_arn = optional(string)
    publication            = optional(string)
  })
  default = {}

  validation {
    condition     = var.warehouse.publication == null || var.database.change_stream == "logical" || var.database_url != null
    error_message = "warehouse.publication needs database.change_stream = \"logical\" (and, where the database exists, a reboot between the two, for its parameters), or the function migrate refuses it."
  }

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", coalesce(var.warehouse.publication, "warehouse")))
    error_message = "warehouse.publication must be a name of a-z, 0-9 and _, starting with a letter."
  }

  validation {
    condition     = var.warehouse.redshift_namespace_arn == null || var.database.change_stream == "zero-etl"
    error_message = "warehouse.redshift_namespace_arn needs database.change_stream = \"zero-etl\" (and a reboot of the database, for its parameters), or AWS refuses the integration."
  }

  validation {
    condition     = var.warehouse.redshift_namespace_arn == null || var.database_url == null
    error_message = "warehouse.redshift_namespace_arn needs Aurora: leave database_url null."
  }
}

variable "database_url" {
  description = "An existing PostgreSQL instead of Aurora: postgres://USER@HOST:PORT/DATABASE."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.database_url == null || can(regex("^postgres(ql)?://", coalesce(var.database_url, "-")))
    error_message = "database_url must begin with \"postgres://\"."
  }

  validation {
    condition     = var.database_url == null || var.emulator_endpoint_url != null
    error_message = "database_url is for a local stack and goes with emulator_endpoint_url: on AWS, leave it null, so that no password stands in a state file."
  }
}

variable "partitions" {
  description = "Partitions of the records: width (\"day\" or \"month\"), how many to create ahead, how many past ones to keep (null: all)."
  type = object({
    width = optional(string, "month")
    ahead = optional(number, 3)
    keep  = optional(number)
  })
  default = {}

  validation {
    condition     = contains(["day", "month"], var.partitions.width)
    error_message = "partitions.width must be \"day\" or \"month\"."
  }

  validation {
    condition     = var.partitions.ahead >= 1 && var.partitions.ahead <= 1000
    error_message = "partitions.ahead must be from 1 to 1000: with none ahead, records fall into the default partition."
  }

  validation {
    condition     = var.partitions.keep == null || try(var.partitions.keep >= 1 && var.partitions.keep <= 1000, false)
    error_message = "partitions.keep must be null (keep all) or from 1 to 1000; older partitions are dropped for good."
  }
}

variable "migrate_schedule" {
  description = "Schedule of the partition maintenance, as an EventBridge expression in UTC."
  type        = string
  default     = "cron(20 2 * * ? *)"

  validation {
    condition     = can(regex("^(cron|rate)[(].+[)]$", var.migrate_schedule))
    error_message = "migrate_schedule must be like \"cron(20 2 * * ? *)\" or \"rate(1 day)\"."
  }
}

variable "functions_folder" {
  description = "Folder with ingest.zip, api.zip and migrate.zip, relative to where Terraform runs."
  type        = string
  default     = "../../../target/functions"
}

variable "architecture" {
  description = "Architecture of the zip files: \"arm64\" or \"x86_64\"."
  type        = string
  default     = "arm64"
}

variable "functions_release" {
  description = "What the zip files in functions_folder must be, from functions.tfvars.json of a release; null takes whatever was built there."
  type = object({
    version      = string
    architecture = string
    migrations   = string
    sha256       = map(string)
  })
  default = null

  validation {
    condition = var.functions_release == null || alltrue([
      for function in ["api", "ingest", "migrate"] :
      try(filesha256("${var.functions_folder}/${function}.zip") == var.functions_release.sha256[function], false)
    ])
    error_message = "A zip file in functions_folder (${var.functions_folder}) is not that of release ${try(var.functions_release.version, "")}: download and unpack it again, and check it against SHA256SUMS."
  }

  validation {
    condition     = var.functions_release == null || try(var.functions_release.architecture == var.architecture, false)
    error_message = "The release is for ${try(var.functions_release.architecture, "")} and architecture is ${var.architecture}: they must agree."
  }

  validation {
    condition     = var.functions_release == null || try(var.functions_release.migrations == local.migrations_hash, false)
    error_message = "The functions of release ${try(var.functions_release.version, "")} have other migrations than this checkout: check out the tag v${try(var.functions_release.version, "")}."
  }
}

variable "customer_managed_key_enabled" {
  description = "Whether a customer-managed key of this configuration encrypts topic, queues, logs, variables and database ($1 a month, and its requests). It goes with the pipeline; kms_key_arn names one that stays."
  type        = bool
  default     = false

  validation {
    condition     = !var.customer_managed_key_enabled || var.kms_key_arn == null
    error_message = "customer_managed_key_enabled and kms_key_arn exclude each other: there is one key."
  }

  validation {
    condition     = !var.customer_managed_key_enabled || local.aurora_count == 0 || !var.database.final_snapshot_enabled
    error_message = "customer_managed_key_enabled goes against database.final_snapshot_enabled: the key would be deleted 30 days after the pipeline, and the final snapshot would be unreadable from then on. Set kms_key_arn to a key that outlives it, such as the output key_arns of terraform/bootstrap."
  }
}

variable "kms_key_arn" {
  description = "An existing customer-managed key of this name, whose policy and alias are those of modules/key; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", coalesce(var.kms_key_arn, "-")))
    error_message = "kms_key_arn must be the ARN of a key of yours (arn:aws:kms:…:key/…), not an alias."
  }
}

variable "tracing_enabled" {
  description = "Whether X-Ray traces the functions."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30
}

variable "notification_emails" {
  description = "E-mail addresses to notify when an alarm changes its state."
  type        = set(string)
  default     = []
}

variable "is_production" {
  description = "Whether the console asks for the environment's name before each change. Requires protection and redundancy of the database."
  type        = bool
  default     = false

  validation {
    condition     = !var.is_production || (var.database.deletion_protection && var.database.final_snapshot_enabled)
    error_message = "is_production needs database.deletion_protection and database.final_snapshot_enabled."
  }

  validation {
    condition     = !var.is_production || var.database.instance_count >= 2
    error_message = "is_production needs database.instance_count of at least 2, so that a reader in another zone can take over."
  }

  validation {
    condition     = !var.is_production || var.database.min_capacity_acu > 0
    error_message = "is_production needs database.min_capacity_acu of at least 0.5: a database that pauses makes the first caller wait 15 to 30 s."
  }

  validation {
    condition     = !var.is_production || var.network.nat != "one"
    error_message = "is_production needs network.nat \"none\" or \"one-per-zone\": with one NAT gateway, its zone takes the others down with it."
  }
}

variable "emulator_endpoint_url" {
  description = "URL of an AWS emulator; null on AWS."
  type        = string
  default     = null

  validation {
    condition     = var.emulator_endpoint_url == null || can(regex("^https?://[^/]+$", coalesce(var.emulator_endpoint_url, "-")))
    error_message = "emulator_endpoint_url must be like \"http://127.0.0.1:4566\", without a path."
  }
}

variable "permissions_boundary_arn" {
  description = "Policy that is the upper limit of all roles, from the output permissions_boundary_arns of terraform/bootstrap; null for none."
  type        = string
  default     = null
}

variable "runbooks_url" {
  description = "Where people find OPERATIONS.md; the description of each alarm links its section there."
  type        = string
  default     = "terraform/OPERATIONS.md"
}

variable "slo" {
  description = "Alarms of the objectives. alarms_enabled is by default what is_production is; events_min is the traffic in the long window of an alarm below which it is not raised."
  type = object({
    alarms_enabled = optional(bool)
    events_min     = optional(number, 100)
  })
  default = {}
}

variable "monthly_budget_usd" {
  description = "What the pipeline may cost in a month, by the tag Pipeline; notification_emails are notified. Null for no budget."
  type        = number
  default     = null
}
