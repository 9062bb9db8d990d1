//! Calls to services of AWS that have no client here: Lambda, CloudWatch Logs and RDS. Their SDK crates would take the
//! longest of all to compile, for six reads.
//!
//! Invariant: requests are signed as by the SDK (SigV4); at most so many bytes of an answer are kept as its caller says. A
//! call names its service and its operation, by which `console/tests/deploy` compares it with the operator's policy.

use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Request, StatusCode, Url};
use serde::Deserialize;

use super::connection::OPERATION_LIMIT;
use super::{Attempt, Pipeline, PipelineError, PipelineErrorKind};

/// Most bytes of an answer that says how something is set up.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const ERROR_TYPE: &str = "x-amzn-errortype";

/// One read of a service.
#[derive(Clone, Copy, Debug)]
pub(super) struct AwsCall {
    /// Name of the service, in its address and in signatures.
    pub(super) service: &'static str,
    /// Name of the operation.
    pub(super) operation: &'static str,
}

/// How a call is written.
#[derive(Debug)]
pub(super) enum Form {
    /// A path with its query (REST).
    Path(String),
    /// JSON, with the operation in a header that begins so (JSON 1.1).
    Json(&'static str, serde_json::Value),
    /// A form; the answer is XML (query protocol).
    Query(String),
}

#[derive(Deserialize)]
struct JsonError {
    #[serde(rename = "__type")]
    kind: Option<String>,
    #[serde(alias = "Message")]
    message: Option<String>,
}

#[derive(Deserialize)]
struct XmlError {
    #[serde(rename = "Error")]
    error: XmlCause,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct XmlCause {
    code: Option<String>,
    message: Option<String>,
}

impl Pipeline {
    /// Sends a call, and returns the text of its answer.
    pub(super) async fn aws_call(
        &self,
        call: AwsCall,
        form: Form,
    ) -> Result<String, PipelineError> {
        self.aws_call_up_to(call, form, ANSWER_BYTES_MAX).await
    }

    /// The same for an answer of at most so many bytes.
    pub(super) async fn aws_call_up_to(
        &self,
        call: AwsCall,
        form: Form,
        bytes_max: usize,
    ) -> Result<String, PipelineError> {
        let address = self.aws_address(call.service);
        let attempt = Attempt::start(
            format!("ask {} for {}", call.service, call.operation),
            address.as_str(),
        );
        let mut request =
            request_of(call, form, &address).map_err(|cause| attempt.refused(cause))?;
        *request.timeout_mut() = Some(OPERATION_LIMIT);
        let request = self.signed_for(request, call.service, &attempt).await?;
        let response = self.http(&attempt)?.execute(request).await;
        let mut response = response.map_err(|error| attempt.http(&error))?;
        let status = response.status();
        let named = response.headers().get(ERROR_TYPE);
        let named = named.and_then(|value| value.to_str().ok()).map(code_of);
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| attempt.http(&error))?
        {
            if body.len() + chunk.len() > bytes_max {
                return Err(attempt.refused("the answer is too large"));
            }
            body.extend_from_slice(&chunk);
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        if status.is_success() {
            return Ok(text);
        }
        let (code, message) = cause_of(&text);
        let code = named.or(code);
        let error = if status.is_server_error() && code.is_none() {
            let cause = format!("status {}", status.as_u16());
            attempt.failed(PipelineErrorKind::Unreachable, cause)
        } else {
            attempt.service_answer(code.as_deref(), message.as_deref())
        };
        Err(if is_passing(status, code.as_deref()) {
            error.passing()
        } else {
            error
        })
    }

    /// The time that a service of AWS says in the header of an answer, whatever the answer is.
    pub(super) async fn aws_date(&self) -> Result<String, PipelineError> {
        let address = self.aws_address("sqs");
        let attempt = Attempt::start("read the clock of AWS", address.as_str());
        let url = Url::parse(&address).map_err(|error| attempt.refused(error.to_string()))?;
        let mut request = Request::new(Method::GET, url);
        *request.timeout_mut() = Some(OPERATION_LIMIT);
        let response = self.http(&attempt)?.execute(request).await;
        let response = response.map_err(|error| attempt.http(&error))?;
        let date = response.headers().get(reqwest::header::DATE);
        date.and_then(|date| date.to_str().ok())
            .map(str::to_owned)
            .ok_or_else(|| attempt.refused("the answer has no header Date"))
    }
}

fn request_of(call: AwsCall, form: Form, address: &str) -> Result<Request, String> {
    let parse = |text: &str| Url::parse(text).map_err(|error| error.to_string());
    let post = |kind: &'static str, body: String| {
        let mut request = Request::new(Method::POST, parse(address)?);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        *request.body_mut() = Some(body.into());
        Ok::<Request, String>(request)
    };
    match form {
        Form::Path(path) => Ok(Request::new(
            Method::GET,
            parse(&format!("{address}{path}"))?,
        )),
        Form::Json(prefix, body) => {
            let mut request = post("application/x-amz-json-1.1", body.to_string())?;
            let target = format!("{prefix}.{}", call.operation);
            let target = HeaderValue::try_from(target).map_err(|error| error.to_string())?;
            request.headers_mut().insert(TARGET, target);
            Ok(request)
        }
        Form::Query(parameters) => post(
            "application/x-www-form-urlencoded",
            format!("Action={}&{parameters}", call.operation),
        ),
    }
}

/// Whether another call may have an answer, by the codes of the SDK.
fn is_passing(status: StatusCode, code: Option<&str>) -> bool {
    let is_one = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || is_one(THROTTLING_ERRORS)
        || is_one(TRANSIENT_ERRORS)
}

/// `AccessDeniedException:http://…`
fn code_of(value: &str) -> String {
    value.split(':').next().unwrap_or(value).to_owned()
}

/// Code and message of an answer that is an error, in JSON or XML.
fn cause_of(text: &str) -> (Option<String>, Option<String>) {
    if let Ok(error) = serde_json::from_str::<JsonError>(text) {
        return (error.kind, error.message);
    }
    match quick_xml::de::from_str::<XmlError>(text) {
        Ok(XmlError { error }) => (error.code, error.message),
        Err(_) => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_each_protocol_have_their_code_and_message() {
        let json = r#"{"__type":"ResourceNotFoundException","Message":"no function"}"#;
        let xml = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                   <Message>not authorized</Message></Error></ErrorResponse>";
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            cause_of(json),
            (text("ResourceNotFoundException"), text("no function"))
        );
        assert_eq!(
            cause_of(xml),
            (text("AccessDenied"), text("not authorized"))
        );
        assert_eq!(cause_of("oops"), (None, None));
        assert_eq!(
            code_of("AccessDeniedException:http://x"),
            "AccessDeniedException"
        );
    }

    #[test]
    fn throttling_and_failures_of_the_service_pass_and_refusals_do_not() {
        let of = |status: u16, code| is_passing(StatusCode::from_u16(status).unwrap(), code);
        assert!(of(400, Some("ThrottlingException")) && of(429, None));
        assert!(of(503, Some("ServiceUnavailableException")) && of(500, None));
        assert!(!of(400, Some("InvalidParameterException")) && !of(403, None));
    }

    #[test]
    fn call_is_written_as_its_protocol_wants_it() {
        let call = AwsCall {
            service: "logs",
            operation: "DescribeLogGroups",
        };
        let address = "https://logs.us-east-1.amazonaws.com";
        let request = request_of(call, Form::Json("Logs_1", serde_json::json!({})), address);
        let request = request.unwrap();
        assert_eq!(request.headers()[TARGET], "Logs_1.DescribeLogGroups");
        let request = request_of(call, Form::Query("A=1".to_owned()), address).unwrap();
        let body = request.body().and_then(reqwest::Body::as_bytes).unwrap();
        assert_eq!(body, b"Action=DescribeLogGroups&A=1");
        let request = request_of(call, Form::Path("/a?b=c".to_owned()), address).unwrap();
        assert_eq!(request.url().path(), "/a");
    }
}
