variable "name" {
  description = "Name of the API."
  type        = string
}

variable "function_name" {
  description = "Function that serves the requests."
  type        = string
}

variable "function_invoke_arn" {
  description = "ARN by which API Gateway calls the function."
  type        = string
}

variable "jwt" {
  description = "Issuer and audiences of accepted tokens; with null, requests must be signed with IAM credentials. There is no access without authorization."
  type = object({
    issuer    = string
    audiences = list(string)
  })
  default = null

  validation {
    condition     = var.jwt == null || try(startswith(var.jwt.issuer, "https://"), false)
    error_message = "jwt.issuer must be the https:// URL of an OpenID provider, e.g. \"https://cognito-idp.us-east-1.amazonaws.com/POOL\"."
  }

  validation {
    condition     = var.jwt == null || try(length(var.jwt.audiences) > 0, false)
    error_message = "jwt.audiences must name at least one audience: without one, tokens made for any other service would pass."
  }
}

variable "throttle_rate_per_sec" {
  description = "Requests per second above which the API answers 429."
  type        = number
  default     = 50

  validation {
    condition     = var.throttle_rate_per_sec >= 1 && var.throttle_rate_per_sec <= 10000
    error_message = "throttle_rate_per_sec must be from 1 to 10000."
  }
}

variable "throttle_burst" {
  description = "Burst of requests that is allowed at once."
  type        = number
  default     = 100

  validation {
    condition     = var.throttle_burst >= 1 && var.throttle_burst <= 5000
    error_message = "throttle_burst must be from 1 to 5000."
  }
}

variable "detailed_metrics_enabled" {
  description = "Whether CloudWatch gets metrics by route: up to 84 more, at 0.30 dollars a month each. The alarms and the dashboard use those of the whole API, which are free."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "Days that the access log is kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "log_retention_days must be a number of days that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731. 0 would keep and bill them for ever."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed key of the access log; null uses a key of AWS."
  type        = string
  default     = null
}
