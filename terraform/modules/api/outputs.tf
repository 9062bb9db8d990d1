output "id" {
  description = "Id of the API."
  value       = aws_apigatewayv2_api.this.id
}

output "url" {
  description = "Base URL, without a slash at the end."
  value       = aws_apigatewayv2_api.this.api_endpoint
}

output "execution_arn" {
  description = "Prefix of \"/STAGE/METHOD/PATH\" in the resource of execute-api:Invoke."
  value       = aws_apigatewayv2_api.this.execution_arn
}
