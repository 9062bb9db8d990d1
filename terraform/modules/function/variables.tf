variable "name" {
  description = "Name of the function."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,46}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 48 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "package_path" {
  description = "Zip file with the binary \"bootstrap\"."
  type        = string
}

variable "architecture" {
  description = "Architecture of the binary: \"arm64\" or \"x86_64\"."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be \"arm64\" or \"x86_64\", and the one that the zip files were built for."
  }
}

variable "memory_mib" {
  description = "Memory; processor time grows with it, one whole core at 1769."
  type        = number
  default     = 512

  validation {
    condition     = var.memory_mib >= 128 && var.memory_mib <= 10240
    error_message = "memory_mib must be from 128 to 10240."
  }
}

variable "timeout_secs" {
  description = "Seconds after which Lambda ends an invocation."
  type        = number

  validation {
    condition     = var.timeout_secs >= 1 && var.timeout_secs <= 900
    error_message = "timeout_secs must be from 1 to 900."
  }
}

variable "reserved_concurrency" {
  description = "Concurrent invocations reserved for this function, which are also its limit; null shares the account's."
  type        = number
  default     = null

  validation {
    condition     = coalesce(var.reserved_concurrency, 1) >= 1
    error_message = "reserved_concurrency must be null or at least 1; 0 would stop the function."
  }
}

variable "variables" {
  description = "Environment variables; no secrets."
  type        = map(string)
  default     = {}
}

variable "statements" {
  description = "Permissions of the function beyond logging, its queue and its VPC."
  type = list(object({
    sid       = string
    actions   = list(string)
    resources = list(string)
  }))
  default = []

  validation {
    condition     = alltrue(flatten([for statement in var.statements : [for action in statement.actions : !strcontains(action, "*")]]))
    error_message = "statements must name each action in full: no wildcard."
  }

  validation {
    condition     = alltrue(flatten([for statement in var.statements : [for resource in statement.resources : startswith(resource, "arn:")]]))
    error_message = "statements must name each resource by its ARN: \"*\" is not one."
  }
}

variable "vpc" {
  description = "Private subnets and security groups; null runs the function outside of a VPC. ipv6_egress_enabled needs IPv6 in all of the subnets."
  type = object({
    subnet_ids          = list(string)
    security_group_ids  = list(string)
    ipv6_egress_enabled = optional(bool, false)
  })
  default = null

  validation {
    condition     = var.vpc == null || try(length(var.vpc.subnet_ids) >= 2 && length(var.vpc.security_group_ids) >= 1, false)
    error_message = "vpc needs subnets in at least two zones and a security group."
  }
}

variable "queue_trigger" {
  description = "The queue of the function: its ARN and visibility timeout, and the settings of the mapping. Set maximum_concurrency or provisioned_pollers, not both."
  type = object({
    queue_arn               = string
    visibility_timeout_secs = number
    batch_size              = optional(number, 1000)
    batching_window_secs    = optional(number, 1)
    maximum_concurrency     = optional(number)
    provisioned_pollers = optional(object({
      minimum = number
      maximum = number
    }))
  })
  default = null

  validation {
    condition     = var.queue_trigger == null || try(var.queue_trigger.visibility_timeout_secs >= 6 * var.timeout_secs + var.queue_trigger.batching_window_secs, false)
    error_message = "queue_trigger.visibility_timeout_secs must be at least 6 × timeout_secs + batching_window_secs: raise the queue's visibility timeout, or lower timeout_secs."
  }

  validation {
    condition     = var.queue_trigger == null || try(var.queue_trigger.batch_size >= 1 && var.queue_trigger.batch_size <= 10000, false)
    error_message = "queue_trigger.batch_size must be from 1 to 10000."
  }

  validation {
    condition     = var.queue_trigger == null || try(var.queue_trigger.batching_window_secs >= 0 && var.queue_trigger.batching_window_secs <= 300, false)
    error_message = "queue_trigger.batching_window_secs must be from 0 to 300."
  }

  validation {
    condition     = var.queue_trigger == null || try(var.queue_trigger.batch_size <= 10 || var.queue_trigger.batching_window_secs >= 1, false)
    error_message = "queue_trigger.batching_window_secs must be at least 1 when batch_size is above 10: AWS refuses the mapping otherwise."
  }

  validation {
    condition = (
      var.queue_trigger == null || var.reserved_concurrency == null ||
      try(var.queue_trigger.maximum_concurrency, null) != null ||
      try(var.queue_trigger.provisioned_pollers, null) != null
    )
    error_message = "reserved_concurrency alone throttles the pollers of the queue, and throttled messages count as received: set queue_trigger.maximum_concurrency to at most reserved_concurrency."
  }

  validation {
    condition     = try(var.queue_trigger.maximum_concurrency, null) == null || try(var.queue_trigger.provisioned_pollers, null) == null
    error_message = "queue_trigger.maximum_concurrency and provisioned_pollers exclude each other: set one of them to null."
  }

  validation {
    condition     = try(var.queue_trigger.maximum_concurrency, null) == null || try(var.queue_trigger.maximum_concurrency >= 2 && var.queue_trigger.maximum_concurrency <= 1000, false)
    error_message = "queue_trigger.maximum_concurrency must be from 2 to 1000."
  }

  validation {
    condition = (
      try(var.queue_trigger.maximum_concurrency, null) == null || var.reserved_concurrency == null ||
      try(var.queue_trigger.maximum_concurrency <= var.reserved_concurrency, false)
    )
    error_message = "queue_trigger.maximum_concurrency must not exceed reserved_concurrency: the pollers would be throttled, and throttled messages count as received. Lower the one or raise the other."
  }

  validation {
    condition = try(var.queue_trigger.provisioned_pollers, null) == null || try(
      var.queue_trigger.provisioned_pollers.minimum >= 2 &&
      var.queue_trigger.provisioned_pollers.minimum <= 200 &&
      var.queue_trigger.provisioned_pollers.maximum >= var.queue_trigger.provisioned_pollers.minimum &&
      var.queue_trigger.provisioned_pollers.maximum <= 2000, false
    )
    error_message = "queue_trigger.provisioned_pollers needs 2 ≤ minimum ≤ 200 and minimum ≤ maximum ≤ 2000, which are Lambda's limits."
  }

  validation {
    condition = (
      try(var.queue_trigger.provisioned_pollers, null) == null || var.reserved_concurrency == null ||
      try(10 * var.queue_trigger.provisioned_pollers.maximum <= var.reserved_concurrency, false)
    )
    error_message = "reserved_concurrency must be at least 10 × queue_trigger.provisioned_pollers.maximum, since each poller makes up to ten invocations at once: raise it, or lower the maximum."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed key of log group, environment variables and queue; null uses keys of AWS."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "log_retention_days must be a number of days that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731. 0 would keep and bill them for ever."
  }
}

variable "tracing_enabled" {
  description = "Whether X-Ray traces invocations."
  type        = bool
  default     = false
}

variable "permissions_boundary_arn" {
  description = "Policy that is the upper limit of the function's role; null for none."
  type        = string
  default     = null
}
