variable "name" {
  description = "Name of the integration."
  type        = string
}

variable "export_bucket" {
  description = "A bucket for `opsconsole export`; null for none. expire_after_days null keeps the files."
  type = object({
    name              = string
    expire_after_days = optional(number)
    force_destroy     = optional(bool, false)
  })
  default = null

  validation {
    condition     = var.export_bucket == null || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.export_bucket.name))
    error_message = "export_bucket.name must be 3 to 63 lower-case letters, digits and hyphens; it must be unique in the world."
  }

  validation {
    condition     = try(var.export_bucket.expire_after_days, null) == null || try(var.export_bucket.expire_after_days >= 1 && floor(var.export_bucket.expire_after_days) == var.export_bucket.expire_after_days, false)
    error_message = "export_bucket.expire_after_days must be null (keep all) or a whole number from 1."
  }
}

variable "redshift" {
  description = "Zero-ETL integration with an existing namespace of Redshift (Serverless) or cluster; null for none."
  type = object({
    namespace_arn = string
    source_arn    = string
    database_name = string
    account_id    = string
  })
  default = null

  validation {
    condition     = var.redshift == null || can(regex("^arn:[a-z-]+:redshift(-serverless)?:", var.redshift.namespace_arn))
    error_message = "redshift.namespace_arn must be the ARN of a namespace, e.g. \"arn:aws:redshift-serverless:us-east-1:111122223333:namespace/ID\"."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed key of bucket and integration; null uses keys of AWS."
  type        = string
  default     = null
}
