variable "name" {
  description = "Name of the topic and prefix of the queues' names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 32 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "visibility_timeout_secs" {
  description = "Seconds that a received message stays hidden; at least 6 × function_timeout_secs + batching_window_secs."
  type        = number

  validation {
    condition     = var.visibility_timeout_secs >= 6 * var.function_timeout_secs + var.batching_window_secs
    error_message = "visibility_timeout_secs (${var.visibility_timeout_secs}) must be at least 6 × function_timeout_secs + batching_window_secs = ${6 * var.function_timeout_secs + var.batching_window_secs}: raise it, or lower the function's timeout. Below that, messages are delivered again while they are still being processed."
  }

  validation {
    condition     = var.visibility_timeout_secs <= 43200
    error_message = "visibility_timeout_secs must be at most 43200 (12 hours), which is the limit of SQS."
  }
}

variable "function_timeout_secs" {
  description = "Timeout of the function that reads the queue."
  type        = number
}

variable "batching_window_secs" {
  description = "Batching window of the event source mapping, in seconds."
  type        = number
}

variable "queue_retention_secs" {
  description = "Seconds that a message waits in the queue before SQS deletes it."
  type        = number
  default     = 345600

  validation {
    condition     = var.queue_retention_secs >= 3600 && var.queue_retention_secs <= 1209600
    error_message = "queue_retention_secs must be from 3600 (an hour) to 1209600 (14 days, the limit of SQS)."
  }
}

variable "dead_letter_retention_secs" {
  description = "Seconds that a dead letter is kept, counted from when it was first sent; longer than queue_retention_secs."
  type        = number
  default     = 1209600

  validation {
    condition     = var.dead_letter_retention_secs > var.queue_retention_secs && var.dead_letter_retention_secs <= 1209600
    error_message = "dead_letter_retention_secs must be greater than queue_retention_secs (${var.queue_retention_secs}) and at most 1209600 (14 days): a dead letter keeps its first time of sending, so with less it expires on arrival."
  }
}

variable "max_receive_count" {
  description = "Times that a message is received before SQS moves it to the dead-letter queue."
  type        = number
  default     = 5

  validation {
    condition     = var.max_receive_count >= 3 && var.max_receive_count <= 1000
    error_message = "max_receive_count must be from 3 to 1000: with less, one throttled batch or one database restart kills good messages."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed key of topic and queues, whose policy lets sns.amazonaws.com use it; null uses AWS-managed keys."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", coalesce(var.kms_key_arn, "-")))
    error_message = "kms_key_arn must be the ARN of a key of yours (arn:aws:kms:…:key/…), not an alias: the policy of alias/aws/sqs cannot let SNS in, and every delivery would fail."
  }
}

variable "publisher_arns" {
  description = "Principals of other accounts that may publish. Those of this account need only a policy of their own."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.publisher_arns) == 0 || var.kms_key_arn != null
    error_message = "publisher_arns needs kms_key_arn: another account cannot use the key alias/aws/sns, so turn the customer-managed key on."
  }

  validation {
    condition     = alltrue([for arn in var.publisher_arns : can(regex("^arn:[^:]+:iam::[0-9]{12}:[^*]+$", arn))])
    error_message = "publisher_arns must be ARNs of accounts, users or roles without wildcards, e.g. \"arn:aws:iam::111122223333:role/shop\"."
  }
}

variable "tls_required" {
  description = "Whether calls without TLS are refused; false only for an emulator, which has none."
  type        = bool
  default     = true
}
