variable "name" {
  description = "Prefix of the alarms' names, and name of the dashboard."
  type        = string
}

variable "notification_emails" {
  description = "Who is written to when an alarm changes its state; each must confirm a mail from AWS once."
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
  description = "Topic that takes events."
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
  description = "Names of the functions by their part in the pipeline; the ingest is one of them."
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
  description = "Aurora cluster; null where the database is another one."
  type        = string
  default     = null
}

variable "oldest_message_secs_max" {
  description = "Age of the oldest waiting message beyond which the ingest is behind."
  type        = number
  default     = 900

  validation {
    condition     = var.oldest_message_secs_max >= 60
    error_message = "oldest_message_secs_max must be at least 60: the metric has one value a minute."
  }
}

variable "lag_ms_max" {
  description = "Time from publish to commit, the longest of a minute, beyond which an event came too late. The default leaves room for one attempt that failed: it is repeated after the queue's visibility timeout."
  type        = number
  default     = 900000

  validation {
    condition     = var.lag_ms_max >= 1000
    error_message = "lag_ms_max must be at least 1000: a batch may wait for its window and for a cold start."
  }
}

variable "api_latency_ms_max" {
  description = "Latency of the API, 95th percentile, beyond which it is slow."
  type        = number
  default     = 2000

  validation {
    condition     = var.api_latency_ms_max > 0 && var.api_latency_ms_max <= 30000
    error_message = "api_latency_ms_max must be from 1 to 30000, the limit of API Gateway."
  }
}

variable "database_utilization_percent_max" {
  description = "Used share of the database's largest capacity beyond which it is full."
  type        = number
  default     = 90

  validation {
    condition     = var.database_utilization_percent_max >= 10 && var.database_utilization_percent_max <= 100
    error_message = "database_utilization_percent_max must be from 10 to 100."
  }
}
