variable "name" {
  description = "Name of the pipeline, as in its variable `name`: the key is for its topic alone."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be 3 to 32 lower-case letters, digits and single hyphens, and start with a letter."
  }
}

variable "publisher_arns" {
  description = "Principals of other accounts that may publish to the pipeline, and so must use the key."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.publisher_arns : can(regex("^arn:[^:]+:iam::[0-9]{12}:[^*]+$", arn))])
    error_message = "publisher_arns must be ARNs of accounts, users or roles without wildcards, e.g. \"arn:aws:iam::111122223333:role/shop\"."
  }
}
