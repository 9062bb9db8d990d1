variable "name" {
  description = "Prefix of every name."
  type        = string
  default     = "events"
}

variable "endpoint_url" {
  description = "URL of the emulator."
  type        = string
  default     = "http://127.0.0.1:4566"
}

variable "database_url" {
  description = "URL of PostgreSQL for the functions: postgres://USER@HOST:PORT/DATABASE."
  type        = string
  sensitive   = true
}

variable "functions_folder" {
  description = "Folder with ingest.zip, api.zip and migrate.zip, relative to this folder."
  type        = string
  default     = "../../../target/functions"
}

variable "architecture" {
  description = "Architecture of the zip files: that of the emulator's machine."
  type        = string
  default     = "x86_64"
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
