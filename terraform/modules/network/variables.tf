variable "name" {
  description = "Prefix of every name, e.g. \"events-pilot\"."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 32 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "cidr_block" {
  description = "Address block of the VPC; each subnet has a sixteenth of it."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.cidr_block)) && can(regex("/(1[6-9]|2[0-4])$", var.cidr_block))
    error_message = "cidr_block must be an IPv4 block from /16 to /24, e.g. \"10.20.0.0/16\"."
  }
}

variable "availability_zones" {
  description = "Zones of the subnets, one public and one private subnet in each."
  type        = list(string)
  default     = ["us-east-1a", "us-east-1b"]

  validation {
    condition = (
      length(var.availability_zones) >= 2 &&
      length(var.availability_zones) <= 4 &&
      length(distinct(var.availability_zones)) == length(var.availability_zones)
    )
    error_message = "availability_zones must name two to four different zones: Aurora refuses a subnet group in one zone."
  }
}

variable "nat" {
  description = "NAT gateways: \"none\", \"one\" (its zone is a single point of failure) or \"one-per-zone\"."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "one", "one-per-zone"], var.nat)
    error_message = "nat must be \"none\", \"one\" or \"one-per-zone\"."
  }
}

variable "ipv6_egress_enabled" {
  description = "Whether the private subnets have IPv6 and an egress-only gateway: a way to AWS endpoints with IPv6, such as SQS, that costs nothing. Functions can then open HTTPS connections to any IPv6 address."
  type        = bool
  default     = false
}

variable "sqs_endpoint_enabled" {
  description = "Whether functions reach SQS through an interface endpoint, without the internet."
  type        = bool
  default     = false
}

variable "sqs_endpoint_queue_arns" {
  description = "Queues that the endpoint allows to send to; it allows nothing else."
  type        = list(string)
  default     = []

  validation {
    condition     = !var.sqs_endpoint_enabled || length(var.sqs_endpoint_queue_arns) > 0
    error_message = "sqs_endpoint_queue_arns must name the queues that the endpoint is for; an empty list would refuse everything."
  }
}

variable "flow_log_retention_days" {
  description = "Days that flow logs are kept; null disables them."
  type        = number
  default     = null

  validation {
    condition     = var.flow_log_retention_days == null || contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400], coalesce(var.flow_log_retention_days, 1))
    error_message = "flow_log_retention_days must be null or a number of days that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 or 400."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed key of the flow logs; null uses a key of AWS."
  type        = string
  default     = null
}

variable "permissions_boundary_arn" {
  description = "Policy that is the upper limit of the role of the flow logs; null for none."
  type        = string
  default     = null
}
