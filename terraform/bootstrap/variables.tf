variable "region" {
  description = "AWS region of the bucket and the keys; that of the environments."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of an AWS region, e.g. \"us-east-1\"."
  }
}

variable "repository" {
  description = "The repository on GitHub whose workflows may deploy: OWNER/NAME, as GitHub writes it."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository must be like \"owner/name\", without wildcards: it is who may change your account."
  }
}

variable "state_bucket" {
  description = "Name of the bucket for the states; it must be unique in the world."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.state_bucket))
    error_message = "state_bucket must be 3 to 63 lower-case letters, digits and hyphens."
  }
}

variable "oidc_provider_arn" {
  description = "ARN of an existing OIDC provider for token.actions.githubusercontent.com: an account can have one. null creates it."
  type        = string
  default     = null

  validation {
    condition     = var.oidc_provider_arn == null || can(regex("^arn:[^:]+:iam::[0-9]{12}:oidc-provider/token[.]actions[.]githubusercontent[.]com$", coalesce(var.oidc_provider_arn, "-")))
    error_message = "oidc_provider_arn must be like \"arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com\"."
  }
}

variable "environments" {
  description = "The environments, by the names of their folders and GitHub environments: the `name` of the pipeline, whether it has a key of its own, who else may publish (and so use the key), its bucket for exports, the resource id of its database (cluster-…) and the id of its API once there are some (the policies then name them), and whether the roles of people have the boundary of the output operators_boundary_arns (the role to apply may then change their policies)."
  type = map(object({
    name              = string
    key_enabled       = optional(bool, false)
    publisher_arns    = optional(list(string), [])
    export_bucket     = optional(string)
    database_id       = optional(string)
    api_id            = optional(string)
    operators_bounded = optional(bool, false)
  }))
  default = {
    pilot      = { name = "events-pilot" }
    production = { name = "events-production", key_enabled = true }
  }

  validation {
    condition     = length(var.environments) > 0 && alltrue([for environment in keys(var.environments) : can(regex("^[a-z][a-z0-9-]{1,20}$", environment))])
    error_message = "environments must be named with 2 to 21 lower-case letters, digits and hyphens, e.g. \"pilot\"."
  }

  validation {
    condition     = alltrue([for settings in values(var.environments) : can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", settings.name)) && !startswith(settings.name, "opsconsole-")])
    error_message = "environments: name must be 3 to 32 lower-case letters, digits and hyphens, and not begin with \"opsconsole-\", as the roles do that deploy: a pipeline's role could change them."
  }

  validation {
    condition     = alltrue([for settings in values(var.environments) : can(regex("^cluster-[A-Z0-9]+$", coalesce(settings.database_id, "cluster-A")))])
    error_message = "environments: database_id must be the resource id of a cluster (DbClusterResourceId of `aws rds describe-db-clusters`), like \"cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ\"."
  }

  validation {
    condition     = alltrue([for settings in values(var.environments) : can(regex("^[a-z0-9]{6,32}$", coalesce(settings.api_id, "abcdefghij")))])
    error_message = "environments: api_id must be the id of an HTTP API, the first part of the host of the output api_url, like \"abcdefghij\"."
  }

  # events and events-pilot: the first would own what the second consists of.
  validation {
    condition = alltrue(flatten([
      for one in values(var.environments) : [
        for other in values(var.environments) : !startswith(other.name, "${one.name}-")
      ]
    ])) && length(distinct(values(var.environments)[*].name)) == length(var.environments)
    error_message = "environments: no name may be the beginning of another, up to a hyphen, because a role owns every name that begins like its own."
  }
}
