variable "name" {
  description = "Prefix of the alarms' names, and name of the dashboard."
  type        = string
}

variable "notification_emails" {
  description = "E-mail addresses to notify when an alarm changes its state; each must confirm a mail from AWS once."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.notification_emails : can(regex("^[^@\\s]+@[^@\\s]+[.][^@\\s]+$", address))])
    error_message = "notification_emails must be mail addresses."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed key of the notification topic, whose policy lets cloudwatch.amazonaws.com use it; null leaves the topic unencrypted, since CloudWatch cannot use alias/aws/sns."
  type        = string
  default     = null
}

variable "topic_name" {
  description = "Name of the topic for events."
  type        = string
}

variable "queue_name" {
  description = "Queue that the ingest reads."
  type        = string
}

variable "dead_letter_queue_name" {
  description = "Dead-letter queue."
  type        = string
}

variable "functions" {
  description = "Names of the functions by their role in the pipeline; `ingest` is required."
  type        = map(string)

  validation {
    condition     = contains(keys(var.functions), "ingest")
    error_message = "functions must name the ingest: its metrics are on the dashboard."
  }
}

variable "api_id" {
  description = "Id of the HTTP API."
  type        = string
}

variable "cluster_identifier" {
  description = "Identifier of the Aurora cluster; null where the database is not Aurora."
  type        = string
  default     = null
}

variable "oldest_message_secs_max" {
  description = "Age of the oldest waiting message, in seconds, above which the ingest is too slow."
  type        = number
  default     = 900

  validation {
    condition     = var.oldest_message_secs_max >= 60
    error_message = "oldest_message_secs_max must be at least 60: the metric has one value a minute."
  }
}

variable "lag_ms_max" {
  description = "Longest time from publish to commit of a minute, in milliseconds, above which events are stored too late. The default allows one failed attempt, which SQS repeats after the visibility timeout."
  type        = number
  default     = 900000

  validation {
    condition     = var.lag_ms_max >= 1000
    error_message = "lag_ms_max must be at least 1000: a batch may wait for its window and for a cold start."
  }
}

variable "api_latency_ms_max" {
  description = "Latency of the API, 95th percentile in milliseconds, above which it is too slow."
  type        = number
  default     = 2000

  validation {
    condition     = var.api_latency_ms_max > 0 && var.api_latency_ms_max <= 30000
    error_message = "api_latency_ms_max must be from 1 to 30000, the limit of API Gateway."
  }
}

variable "database_utilization_percent_max" {
  description = "Used share of the database's largest capacity, in percent, above which it is almost full."
  type        = number
  default     = 90

  validation {
    condition     = var.database_utilization_percent_max >= 10 && var.database_utilization_percent_max <= 100
    error_message = "database_utilization_percent_max must be from 10 to 100."
  }
}

variable "database_connections_max" {
  description = "Connections that the database takes (max_connections); of these 80 % are many."
  type        = number
  default     = 821

  validation {
    condition     = var.database_connections_max >= 100
    error_message = "database_connections_max must be at least 100; Aurora takes 189 at 1 ACU."
  }
}

variable "runbooks_url" {
  description = "Where people find OPERATIONS.md; the description of each alarm links its section there."
  type        = string
  default     = "terraform/OPERATIONS.md"

  validation {
    condition     = !strcontains(var.runbooks_url, "#") && length(var.runbooks_url) <= 300
    error_message = "runbooks_url must be an address of at most 300 characters without \"#\": the section is added."
  }
}

variable "slo_alarms_enabled" {
  description = "Whether the objectives have alarms: 22 windows, 8 composite alarms and the planned pause, about $12 a month. The dashboard shows the objectives either way."
  type        = bool
  default     = false
}

variable "slo_events_min" {
  description = "Events that the long window of an objective must have before its alarm is raised, and their share in the short window."
  type        = number
  default     = 100

  validation {
    condition     = var.slo_events_min >= 1 && floor(var.slo_events_min) == var.slo_events_min
    error_message = "slo_events_min must be a whole number of at least 1: of no events there is no share."
  }
}

variable "monthly_budget_usd" {
  description = "What the pipeline may cost in a month; at 80 % of it, and when more than all of it is forecast, notification_emails are notified. Null for no budget."
  type        = number
  default     = null

  validation {
    condition     = try(var.monthly_budget_usd > 0, var.monthly_budget_usd == null)
    error_message = "monthly_budget_usd must be above 0, or null for no budget."
  }

  validation {
    condition     = var.monthly_budget_usd == null || length(var.notification_emails) > 0
    error_message = "monthly_budget_usd needs notification_emails: it would notify nobody."
  }
}
