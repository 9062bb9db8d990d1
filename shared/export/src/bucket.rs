//! A bucket of S3.
//!
//! Invariant: an object is put as a whole, or completed from its parts: S3 shows nothing before
//! (Amazon S3 User Guide, "Amazon S3 data consistency model"). The checkpoint is replaced only if it is the one
//! that this run has read or written ("Conditional writes"), so of two exports at once one is refused.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use futures::StreamExt as _;
use object_store::aws::{AmazonS3Builder, AwsCredential};
use object_store::buffered::BufWriter;
use object_store::path::Path as Key;
use object_store::{
    ClientOptions, CredentialProvider, ObjectStore, ObjectStoreExt as _, PutMode, RetryConfig,
    UpdateVersion,
};
use pipeline::Pipeline;
use tokio::io::AsyncWriteExt as _;

use crate::checkpoint::CHECKPOINT;
use crate::chunk::{DAY_PREFIX, Staged};
use crate::error::ExportError;
use crate::staging::Staging;

/// Time limit of one request, a part of an upload included.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Time limit of a request and its retries.
const RETRY_LIMIT: Duration = Duration::from_secs(120);
const RETRIES_MAX: usize = 5;

pub(crate) struct Bucket {
    store: Arc<dyn ObjectStore>,
    url: String,
    prefix: Key,
    staging: Staging,
    /// The checkpoint as this run knows it; `None` where there is none.
    checkpoint: Option<UpdateVersion>,
}

impl Bucket {
    pub(crate) async fn open(
        pipeline: &Pipeline,
        bucket: &str,
        prefix: &str,
    ) -> Result<Self, ExportError> {
        let url = format!("s3://{bucket}");
        let failed = |cause: io::Error| ExportError::write("open", url.clone(), cause);
        let prefix =
            Key::parse(prefix).map_err(|error| failed(io::Error::other(error.to_string())))?;
        let environment = pipeline.environment();
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(&environment.region)
            .with_client_options(
                ClientOptions::new()
                    .with_timeout(REQUEST_LIMIT)
                    .with_connect_timeout(CONNECT_LIMIT),
            )
            .with_retry(RetryConfig {
                max_retries: RETRIES_MAX,
                retry_timeout: RETRY_LIMIT,
                ..RetryConfig::default()
            });
        if let Some(endpoint) = &environment.endpoint_url {
            builder = builder
                .with_endpoint(endpoint)
                .with_allow_http(environment.is_loopback());
        }
        if let Some(credentials) = pipeline.credentials_provider().await {
            builder = builder.with_credentials(Arc::new(PipelineCredentials(credentials)));
        }
        let store = builder.build().map_err(|error| failed(error.into()))?;
        Ok(Self {
            store: Arc::new(store),
            staging: Staging::create().map_err(failed)?,
            url,
            prefix,
            checkpoint: None,
        })
    }

    pub(crate) fn staging(&self) -> &Path {
        self.staging.path()
    }

    fn key(&self, name: &str) -> Key {
        name.split('/')
            .fold(self.prefix.clone(), |key, part| key.join(part))
    }

    fn failed(
        &self,
        operation: &'static str,
        key: &Key,
        cause: impl Into<io::Error>,
    ) -> ExportError {
        ExportError::write(operation, format!("{}/{key}", self.url), cause)
    }

    pub(crate) async fn read_checkpoint(&mut self) -> Result<Option<Vec<u8>>, ExportError> {
        let found = self.find_checkpoint().await?;
        let (content, version) = found.unzip();
        self.checkpoint = version;
        Ok(content)
    }

    async fn find_checkpoint(&self) -> Result<Option<(Vec<u8>, UpdateVersion)>, ExportError> {
        let key = self.key(CHECKPOINT);
        let object = match self.store.get(&key).await {
            Ok(object) => object,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.failed("read", &key, error)),
        };
        let version = UpdateVersion {
            e_tag: object.meta.e_tag.clone(),
            version: object.meta.version.clone(),
        };
        let bytes = object.bytes().await;
        let bytes = bytes.map_err(|error| self.failed("read", &key, error))?;
        Ok(Some((bytes.to_vec(), version)))
    }

    pub(crate) async fn write_checkpoint(&mut self, content: Vec<u8>) -> Result<(), ExportError> {
        let key = self.key(CHECKPOINT);
        let mode = self
            .checkpoint
            .clone()
            .map_or(PutMode::Create, PutMode::Update);
        let put = self
            .store
            .put_opts(&key, content.clone().into(), mode.into());
        match put.await {
            Ok(written) => {
                self.checkpoint = Some(written.into());
                Ok(())
            }
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => {
                match self.find_checkpoint().await? {
                    // The answer to a first attempt was lost: no other run writes these bytes.
                    Some((found, version)) if found == content => {
                        self.checkpoint = Some(version);
                        Ok(())
                    }
                    Some(_) | None => {
                        let target = format!("{}/{}", self.url, self.prefix);
                        Err(ExportError::InUse(target.trim_end_matches('/').to_owned()))
                    }
                }
            }
            Err(error) => Err(self.failed("write", &key, error)),
        }
    }

    pub(crate) async fn publish(&self, staged: &Staged) -> Result<(), ExportError> {
        let key = self.key(&staged.name);
        let upload = async {
            let mut file = tokio::fs::File::open(&staged.path).await?;
            let mut writer = BufWriter::new(Arc::clone(&self.store), key.clone());
            let copied = tokio::io::copy(&mut file, &mut writer).await;
            match copied {
                Ok(_) => writer.shutdown().await,
                Err(error) => {
                    // Parts of an upload that is not completed are billed until they are removed.
                    let _ = writer.abort().await;
                    Err(error)
                }
            }
        };
        upload
            .await
            .map_err(|cause: io::Error| self.failed("write", &key, cause))?;
        tokio::fs::remove_file(&staged.path)
            .await
            .map_err(|cause| ExportError::write("remove", staged.path.display().to_string(), cause))
    }

    pub(crate) async fn remove(&self, name: &str) -> Result<(), ExportError> {
        let key = self.key(name);
        match self.store.delete(&key).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("remove", &key, error)),
        }
    }
}

impl Bucket {
    /// Asks for the first page of the objects.
    pub(crate) async fn try_list(&self) -> Result<(), object_store::Error> {
        let mut objects = self.store.list(Some(&self.prefix));
        objects.next().await.transpose().map(|_| ())
    }

    /// Asks for the checkpoint. That there is none is an answer as well.
    pub(crate) async fn try_read(&self) -> Result<(), object_store::Error> {
        match self.store.get(&self.key(CHECKPOINT)).await {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The objects in the folders of the days.
    pub(crate) async fn list(&self) -> Result<Vec<String>, ExportError> {
        let failed = |error| self.failed("list", &self.prefix, error);
        let top = self.store.list_with_delimiter(Some(&self.prefix)).await;
        let mut names = Vec::new();
        for day in top.map_err(failed)?.common_prefixes {
            let folder = day.filename().unwrap_or_default();
            if !folder.starts_with(DAY_PREFIX) {
                continue;
            }
            let files = self.store.list_with_delimiter(Some(&day)).await;
            for file in files.map_err(failed)?.objects {
                let name = file.location.filename().unwrap_or_default();
                names.push(format!("{folder}/{name}"));
            }
        }
        Ok(names)
    }

    /// Copies an object into the staging folder.
    pub(crate) async fn fetch(&self, name: &str) -> Result<PathBuf, ExportError> {
        let key = self.key(name);
        let path = self.staging().join("fetched");
        let copy = async {
            let object = self.store.get(&key).await?;
            let mut file = tokio::fs::File::create(&path).await?;
            let mut pieces = object.into_stream();
            while let Some(piece) = pieces.next().await {
                file.write_all(&piece?).await?;
            }
            file.flush().await
        };
        copy.await
            .map_err(|cause: io::Error| self.failed("read", &key, cause))?;
        Ok(path)
    }
}

/// The credentials of the pipeline's AWS clients.
#[derive(Debug)]
struct PipelineCredentials(SharedCredentialsProvider);

#[async_trait]
impl CredentialProvider for PipelineCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let credentials =
            self.0
                .provide_credentials()
                .await
                .map_err(|source| object_store::Error::Generic {
                    store: "S3",
                    source: Box::new(source),
                })?;
        Ok(Arc::new(AwsCredential {
            key_id: credentials.access_key_id().to_owned(),
            secret_key: credentials.secret_access_key().to_owned(),
            token: credentials.session_token().map(ToOwned::to_owned),
        }))
    }
}
