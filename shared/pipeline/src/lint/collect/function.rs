//! The ingest function, its event source mappings and its log group.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::function_name;
use crate::aws_call::{AwsCall, Form};
use crate::lint::facts::{FunctionFacts, LogGroupFacts, MappingFacts};
use crate::{Attempt, Pipeline, PipelineError};

const LAMBDA: &str = "lambda";
/// Most pollers where the provisioned mode does not name a number (AWS Lambda API reference,
/// "ProvisionedPollerConfig").
const POLLERS_DEFAULT: u64 = 200;
/// Prefix of the target of CloudWatch Logs.
const LOGS_TARGET: &str = "Logs_20140328";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    timeout: Option<u64>,
    runtime: Option<String>,
    #[serde(default)]
    architectures: Vec<String>,
    state: Option<String>,
    state_reason: Option<String>,
    last_update_status: Option<String>,
    last_update_status_reason: Option<String>,
    environment: Option<Variables>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Variables {
    variables: Option<Settings>,
}

/// The one variable that is kept: others may be secret.
#[derive(Deserialize)]
struct Settings {
    #[serde(rename = "REPLACEMENTS_ALLOWED")]
    replacements_allowed: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Concurrency {
    reserved_concurrent_executions: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mappings {
    #[serde(default)]
    event_source_mappings: Vec<Mapping>,
}

#[derive(Deserialize)]
struct Mapping {
    #[serde(rename = "UUID")]
    uuid: String,
    #[serde(rename = "State")]
    state: Option<String>,
    #[serde(rename = "MaximumBatchingWindowInSeconds")]
    window_secs: Option<u64>,
    #[serde(rename = "FunctionResponseTypes")]
    response_types: Option<Vec<String>>,
    #[serde(rename = "ScalingConfig")]
    scaling: Option<Scaling>,
    #[serde(rename = "ProvisionedPollerConfig")]
    pollers: Option<Pollers>,
    #[serde(rename = "FilterCriteria")]
    filter: Option<Filter>,
}

/// Present where the provisioned mode is on.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pollers {
    maximum_pollers: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Scaling {
    maximum_concurrency: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    filters: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogGroups {
    #[serde(default)]
    log_groups: Vec<LogGroup>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogGroup {
    log_group_name: String,
    retention_in_days: Option<u64>,
}

impl Pipeline {
    pub(super) async fn function_facts(&self) -> Result<FunctionFacts, PipelineError> {
        let name = escaped(function_name(self.environment())?);
        let call = AwsCall {
            service: LAMBDA,
            operation: "GetFunctionConfiguration",
        };
        let path = format!("/2015-03-31/functions/{name}/configuration");
        let read: Configuration = self.json_call(call, Form::Path(path)).await?;
        let variables = read
            .environment
            .and_then(|environment| environment.variables);
        Ok(FunctionFacts {
            timeout_secs: read.timeout.unwrap_or_default(),
            runtime: read.runtime.unwrap_or_default(),
            architecture: read.architectures.into_iter().next().unwrap_or_default(),
            state: read.state,
            state_reason: read.state_reason,
            last_update: read.last_update_status,
            last_update_reason: read.last_update_status_reason,
            replacements_allowed: variables
                .and_then(|settings| settings.replacements_allowed)
                .is_some_and(|value| value == "true"),
        })
    }

    /// The reserved concurrency of the ingest, if there is one.
    pub(super) async fn concurrency_fact(&self) -> Result<Option<u64>, PipelineError> {
        let name = escaped(function_name(self.environment())?);
        let call = AwsCall {
            service: LAMBDA,
            operation: "GetFunctionConcurrency",
        };
        let path = format!("/2019-09-30/functions/{name}/concurrency");
        let read: Concurrency = self.json_call(call, Form::Path(path)).await?;
        Ok(read.reserved_concurrent_executions)
    }

    /// The mappings from the queue with this ARN to the ingest.
    pub(super) async fn mapping_facts(
        &self,
        queue_arn: &str,
    ) -> Result<Vec<MappingFacts>, PipelineError> {
        let name = escaped(function_name(self.environment())?);
        let call = AwsCall {
            service: LAMBDA,
            operation: "ListEventSourceMappings",
        };
        let queue = escaped(queue_arn);
        let path = format!(
            "/2015-03-31/event-source-mappings/?EventSourceArn={queue}&FunctionName={name}"
        );
        let read: Mappings = self.json_call(call, Form::Path(path)).await?;
        Ok(read
            .event_source_mappings
            .into_iter()
            .map(mapping)
            .collect())
    }

    pub(super) async fn log_group_facts(&self) -> Result<LogGroupFacts, PipelineError> {
        let function = function_name(self.environment())?;
        let name = format!("/aws/lambda/{function}");
        let call = AwsCall {
            service: "logs",
            operation: "DescribeLogGroups",
        };
        let body = json!({"logGroupNamePrefix": name});
        let read: LogGroups = self.json_call(call, Form::Json(LOGS_TARGET, body)).await?;
        let mut groups = read.log_groups.into_iter();
        let group = groups.find(|group| group.log_group_name == name);
        let group = group.ok_or_else(|| {
            PipelineError::not_configured(
                "read the log group",
                format!("there is no log group {name} yet"),
                "the function creates it with its first line",
            )
        })?;
        Ok(LogGroupFacts {
            name,
            retention_days: group.retention_in_days,
        })
    }

    async fn json_call<T: DeserializeOwned>(
        &self,
        call: AwsCall,
        form: Form,
    ) -> Result<T, PipelineError> {
        let text = self.aws_call(call, form).await?;
        serde_json::from_str(&text).map_err(|error| {
            let operation = format!("read the answer to {}", call.operation);
            Attempt::start(operation, self.aws_address(call.service)).refused(error.to_string())
        })
    }
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn mapping(read: Mapping) -> MappingFacts {
    let types = read.response_types.unwrap_or_default();
    let filters = read.filter.and_then(|filter| filter.filters);
    MappingFacts {
        uuid: read.uuid,
        state: read.state.unwrap_or_default(),
        window_secs: read.window_secs.unwrap_or_default(),
        reports_failures: types.iter().any(|kind| kind == "ReportBatchItemFailures"),
        maximum_concurrency: read.scaling.and_then(|scaling| scaling.maximum_concurrency),
        maximum_pollers: read
            .pollers
            .map(|pollers| pollers.maximum_pollers.unwrap_or(POLLERS_DEFAULT)),
        has_filter: filters.is_some_and(|filters| !filters.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_variables_one_setting_is_kept() {
        let text = r#"{"Timeout":60,"Environment":{"Variables":{
            "DATABASE_URL":"postgres://u:secret@h/d","REPLACEMENTS_ALLOWED":"true"}}}"#;
        let read: Configuration = serde_json::from_str(text).unwrap();
        let settings = read.environment.unwrap().variables.unwrap();
        assert_eq!(settings.replacements_allowed.as_deref(), Some("true"));
        // Variables that Lambda could not decrypt are absent, with an error in their place.
        let denied = r#"{"Environment":{"Error":{"ErrorCode":"AccessDenied"}}}"#;
        let read: Configuration = serde_json::from_str(denied).unwrap();
        assert!(read.environment.unwrap().variables.is_none());
    }

    #[test]
    fn provisioned_mode_is_known_by_its_pollers() {
        for (pollers, expected) in [
            ("null", None),
            (r#"{"MinimumPollers":2,"MaximumPollers":20}"#, Some(20)),
            (r#"{"MinimumPollers":2}"#, Some(200)),
        ] {
            let text = format!(r#"{{"UUID":"u","ProvisionedPollerConfig":{pollers}}}"#);
            let read: Mapping = serde_json::from_str(&text).unwrap();
            assert_eq!(mapping(read).maximum_pollers, expected, "{pollers}");
        }
    }

    #[test]
    fn empty_filters_exclude_nothing() {
        for (filter, expected) in [
            ("null", false),
            (r#"{"Filters":[]}"#, false),
            (r#"{"Filters":[{"Pattern":"{}"}]}"#, true),
        ] {
            let text = format!(r#"{{"UUID":"u","FilterCriteria":{filter}}}"#);
            let read: Mapping = serde_json::from_str(&text).unwrap();
            assert_eq!(mapping(read).has_filter, expected, "{filter}");
        }
    }
}
