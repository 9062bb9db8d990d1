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
