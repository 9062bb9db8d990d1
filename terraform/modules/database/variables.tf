variable "name" {
  description = "Name of the cluster and prefix of related names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,46}[a-z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be 3 to 48 lower-case letters, digits and single hyphens, and start with a letter."
  }
}

variable "database_name" {
  description = "Name of the database in the cluster."
  type        = string
  default     = "pipeline"

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.database_name))
    error_message = "database_name must be lower-case letters, digits and underscores, and start with a letter."
  }
}

variable "engine_version" {
  description = "Version of Aurora PostgreSQL: a major one, with automatic minor upgrades, or major.minor."
  type        = string
  default     = "17"

  validation {
    condition     = can(regex("^[0-9]+([.][0-9]+)?$", var.engine_version)) && try(tonumber(split(".", var.engine_version)[0]) >= 16, false)
    error_message = "engine_version must be 16 or newer, e.g. \"17\": auto-pause, the Data API and zero-ETL all want that."
  }

  # "16" alone is the newest minor version of AWS's choice.
  validation {
    condition     = var.min_capacity_acu > 0 || !can(regex("^16[.][0-2]$", var.engine_version))
    error_message = "engine_version must be at least 16.3 with min_capacity_acu 0: older ones cannot pause. Set \"16.3\", \"17\", or min_capacity_acu of at least 0.5."
  }
}

variable "allow_major_version_upgrade" {
  description = "Whether a change of engine_version to another major version is allowed. Set it for that one apply."
  type        = bool
  default     = false
}

variable "apply_immediately" {
  description = "Whether changes that restart the database are made at once, instead of in the maintenance window on Sunday from 4:00 to 4:30 UTC."
  type        = bool
  default     = false
}

variable "restore" {
  description = "What a new cluster begins with: another cluster at a time (cluster_arn and time, RFC 3339; without time the latest), or a snapshot (snapshot_arn). Read when the cluster is created, and without effect later."
  type = object({
    cluster_arn  = optional(string)
    time         = optional(string)
    snapshot_arn = optional(string)
  })
  default = null

  validation {
    condition     = var.restore == null || length(compact([try(var.restore.cluster_arn, null), try(var.restore.snapshot_arn, null)])) == 1
    error_message = "restore must name one source: cluster_arn or snapshot_arn."
  }

  validation {
    condition     = try(var.restore.time, null) == null || (can(formatdate("YYYY", var.restore.time)) && try(var.restore.cluster_arn, null) != null)
    error_message = "restore.time must be like \"2026-11-27T08:30:00Z\", and goes with cluster_arn: a snapshot has its own time."
  }
}

variable "subnet_ids" {
  description = "Private subnets in at least two zones."
  type        = list(string)

  validation {
    condition     = length(distinct(var.subnet_ids)) >= 2
    error_message = "subnet_ids must be at least two subnets, each in a zone of its own: Aurora keeps its storage across zones."
  }
}

variable "security_group_id" {
  description = "Security group of the database."
  type        = string
}

variable "instance_count" {
  description = "Instances: one writer, the others readers in other zones that take over when it fails."
  type        = number
  default     = 1

  validation {
    condition     = var.instance_count >= 1 && var.instance_count <= 15
    error_message = "instance_count must be from 1 to 15."
  }
}

variable "min_capacity_acu" {
  description = "Smallest capacity in Aurora capacity units (2 GiB of memory each); 0 lets the cluster pause."
  type        = number
  default     = 0.5

  validation {
    condition     = var.min_capacity_acu >= 0 && var.min_capacity_acu <= 256 && floor(var.min_capacity_acu * 2) == var.min_capacity_acu * 2
    error_message = "min_capacity_acu must be from 0 to 256 in steps of 0.5."
  }

  validation {
    condition     = var.min_capacity_acu > 0 || var.change_stream == "none"
    error_message = "min_capacity_acu 0 (auto-pause) excludes change_stream \"${var.change_stream}\": a cluster that streams its changes never pauses. Set at least 0.5, or change_stream to \"none\"."
  }
}

variable "max_capacity_acu" {
  description = "Largest capacity in Aurora capacity units."
  type        = number
  default     = 4

  validation {
    condition     = var.max_capacity_acu >= 1 && var.max_capacity_acu >= var.min_capacity_acu && var.max_capacity_acu <= 256 && floor(var.max_capacity_acu * 2) == var.max_capacity_acu * 2
    error_message = "max_capacity_acu must be from 1 to 256 in steps of 0.5, and not below min_capacity_acu."
  }
}

variable "auto_pause_after_secs" {
  description = "Seconds without a connection after which the cluster pauses, where min_capacity_acu is 0."
  type        = number
  default     = 300

  validation {
    condition     = var.auto_pause_after_secs >= 300 && var.auto_pause_after_secs <= 86400
    error_message = "auto_pause_after_secs must be from 300 to 86400."
  }
}

variable "change_stream" {
  description = "Consumer of the change stream: \"none\", \"logical\" (logical replication, e.g. to BigQuery or Snowflake) or \"zero-etl\" (to Redshift)."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "logical", "zero-etl"], var.change_stream)
    error_message = "change_stream must be \"none\", \"logical\" or \"zero-etl\"."
  }
}

variable "backup_retention_days" {
  description = "Days of point-in-time recovery."
  type        = number
  default     = 7

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35
    error_message = "backup_retention_days must be from 1 to 35."
  }
}

variable "deletion_protection" {
  description = "Whether the cluster is protected against deletion."
  type        = bool
  default     = true
}

variable "final_snapshot_enabled" {
  description = "Whether deleting the cluster leaves a snapshot."
  type        = bool
  default     = true

  validation {
    condition     = var.final_snapshot_enabled || !var.deletion_protection
    error_message = "final_snapshot_enabled = false throws the data away, which deletion_protection = true forbids: switch one of them."
  }
}

variable "performance_insights_enabled" {
  description = "Whether the last seven days of load by statement are kept (free of charge)."
  type        = bool
  default     = true
}

variable "monitoring_interval_secs" {
  description = "Interval of enhanced monitoring in seconds; 0 disables it."
  type        = number
  default     = 0

  validation {
    condition     = contains([0, 1, 5, 10, 15, 30, 60], var.monitoring_interval_secs)
    error_message = "monitoring_interval_secs must be 0, 1, 5, 10, 15, 30 or 60."
  }
}

variable "log_retention_days" {
  description = "Days that the PostgreSQL log is kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "log_retention_days must be a number of days that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731. 0 would keep and bill them for ever."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed key of storage, master secret and logs; null uses AWS-managed keys. Changing it replaces the cluster."
  type        = string
  default     = null
}

variable "permissions_boundary_arn" {
  description = "Policy that is the upper limit of the role of enhanced monitoring; null for none."
  type        = string
  default     = null
}
