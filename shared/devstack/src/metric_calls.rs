//! Calls of `PutMetricData` that are sent again until the emulator answered.
//!
//! Invariant: what was measured counts once. CloudWatch adds what a call has, so a call whose answer did not come
//! would count twice when it is sent again; each has a token, and the emulator takes each token once.

use std::collections::VecDeque;
use std::future::Future;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::MetricDatum;
use uuid::Uuid;

use crate::DevstackError;

/// Known to `emulator.py`.
const TOKEN_HEADER: &str = "x-opsconsole-publication";

/// One call, the same each time that it is sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MetricCall {
    token: String,
    namespace: String,
    data: Vec<MetricDatum>,
}

impl MetricCall {
    pub(crate) fn new(namespace: impl Into<String>, data: Vec<MetricDatum>) -> Self {
        Self {
            token: Uuid::new_v4().to_string(),
            namespace: namespace.into(),
            data,
        }
    }

    async fn send(self, client: &Client) -> Result<(), DevstackError> {
        let operation = format!("publish metrics of {}", self.namespace);
        let token = self.token;
        let outcome = client
            .put_metric_data()
            .namespace(self.namespace)
            .set_metric_data(Some(self.data))
            .customize()
            .mutate_request(move |request| {
                request.headers_mut().insert(TOKEN_HEADER, token.clone());
            })
            .send()
            .await;
        DevstackError::aws(&operation, outcome)?;
        Ok(())
    }
}

/// Calls that have no answer yet, oldest first.
#[derive(Debug, Default)]
pub(crate) struct MetricCalls(VecDeque<MetricCall>);

impl MetricCalls {
    pub(crate) fn add(&mut self, call: MetricCall) {
        if !call.data.is_empty() {
            self.0.push_back(call);
        }
    }

    /// Sends them; what has no answer, also where this future is dropped, is kept as it is.
    pub(crate) async fn send(&mut self, client: &Client) -> Result<(), DevstackError> {
        self.send_by(|call| call.send(client)).await
    }

    async fn send_by<F>(&mut self, send: impl Fn(MetricCall) -> F) -> Result<(), DevstackError>
    where
        F: Future<Output = Result<(), DevstackError>>,
    {
        while let Some(call) = self.0.front() {
            send(call.clone()).await?;
            self.0.pop_front();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn calls(names: &[&str]) -> MetricCalls {
        let mut calls = MetricCalls::default();
        for name in names {
            let datum = MetricDatum::builder().metric_name(*name).value(1.0).build();
            calls.add(MetricCall::new("N", vec![datum]));
        }
        calls
    }

    #[tokio::test]
    async fn call_without_an_answer_is_sent_again_as_it_was() {
        let mut calls = calls(&["first", "second"]);
        let sent = RefCell::new(Vec::new());
        let silent = calls.send_by(|call| {
            sent.borrow_mut().push(call);
            std::future::pending()
        });
        // Its time ends after it was sent.
        tokio::select! {
            biased;
            _ = silent => unreachable!("nobody answers"),
            () = std::future::ready(()) => {}
        }
        let refusing = calls.send_by(|call| {
            sent.borrow_mut().push(call);
            let detail = String::new();
            let operation = detail.clone();
            std::future::ready(Err(DevstackError::Aws { operation, detail }))
        });
        refusing.await.unwrap_err();
        let answering = calls.send_by(|call| {
            sent.borrow_mut().push(call);
            std::future::ready(Ok(()))
        });
        answering.await.unwrap();
        let sent = sent.into_inner();
        assert_eq!(sent.len(), 4);
        assert_eq!((&sent[0], &sent[1]), (&sent[2], &sent[2]));
        assert_ne!(sent[2].token, sent[3].token);
        assert!(calls.0.is_empty());
    }
}
