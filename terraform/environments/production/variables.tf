variable "name" {
  description = "Prefix of every name; two deployments in one account need two."
  type        = string
  default     = "events-production"
}

variable "region" {
  description = "AWS region; the subnets are in its zones a and b."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of an AWS region, e.g. \"us-east-1\"."
  }
}

variable "functions_folder" {
  description = "Folder with ingest.zip, api.zip and migrate.zip, relative to this folder."
  type        = string
  default     = "../../../target/functions"
}

variable "architecture" {
  description = "Architecture of the zip files: \"arm64\" or \"x86_64\"."
  type        = string
  default     = "arm64"
}

variable "notification_emails" {
  description = "E-mail addresses to notify when an alarm changes its state."
  type        = set(string)
  default     = []
}

variable "monthly_budget_usd" {
  description = "What the pipeline may cost in a month, by the tag Pipeline; notification_emails are notified. Null for no budget."
  type        = number
  default     = null
}

variable "functions_release" {
  description = "What the zip files must be, from functions.tfvars.json of a release; null takes whatever was built there."
  type = object({
    version      = string
    architecture = string
    migrations   = string
    sha256       = map(string)
  })
  default = null
}

variable "tags" {
  description = "Tags of every resource, e.g. for the division of costs."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.tags), ["Pipeline", "Environment", "ManagedBy"])) == 0
    error_message = "tags must not set Pipeline, Environment or ManagedBy: those are set already."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed key, from the output key_arns of terraform/bootstrap: it outlives the pipeline, and so its final snapshot can be read."
  type        = string

  validation {
    condition     = var.kms_key_arn != ""
    error_message = "kms_key_arn is empty: terraform -chdir=terraform/bootstrap output key_arns"
  }
}

variable "permissions_boundary_arn" {
  description = "Policy that is the upper limit of all roles, from the output permissions_boundary_arns of terraform/bootstrap; null for none."
  type        = string
  default     = null
}
