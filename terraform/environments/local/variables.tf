variable "name" {
  description = "Prefix of every name."
  type        = string
  default     = "events"
}

variable "endpoint_url" {
  description = "Where the emulator listens."
  type        = string
  default     = "http://127.0.0.1:4566"
}

variable "database_url" {
  description = "PostgreSQL as the functions reach it: postgres://USER@HOST:PORT/DATABASE."
  type        = string
  sensitive   = true
}

variable "functions_folder" {
  description = "Folder with ingest.zip, api.zip and migrate.zip, seen from here."
  type        = string
  default     = "../../../target/functions"
}

variable "architecture" {
  description = "What the zip files were built for: the machine of the emulator."
  type        = string
  default     = "x86_64"
}
