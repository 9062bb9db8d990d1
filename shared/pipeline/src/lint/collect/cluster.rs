//! The Aurora cluster, by the API of RDS.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::aws_call::{AwsCall, Form};
use crate::lint::facts::ClusterFacts;
use crate::{Attempt, Pipeline, PipelineError};

const VERSION: &str = "Version=2014-10-31";

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "DescribeDBClustersResult")]
    result: Listed,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "DBClusters")]
    clusters: Clusters,
}

#[derive(Deserialize)]
struct Clusters {
    #[serde(rename = "DBCluster", default)]
    clusters: Vec<Cluster>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Cluster {
    engine_version: Option<String>,
    storage_encrypted: Option<String>,
    deletion_protection: Option<String>,
    backup_retention_period: Option<u64>,
    #[serde(rename = "ServerlessV2ScalingConfiguration")]
    scaling: Option<Scaling>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Scaling {
    min_capacity: Option<f64>,
}

impl Pipeline {
    pub(super) async fn cluster_facts(&self) -> Result<ClusterFacts, PipelineError> {
        let Some(name) = self.environment().database_cluster.as_deref() else {
            return Err(PipelineError::not_configured(
                "read the cluster",
                "the environment's entry names no cluster".to_owned(),
                "add database_cluster where the database is Aurora",
            ));
        };
        let call = AwsCall {
            service: "rds",
            operation: "DescribeDBClusters",
        };
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
        let form = Form::Query(format!("{VERSION}&DBClusterIdentifier={name}"));
        let text = self.aws_call(call, form).await?;
        let attempt = Attempt::start("read the cluster", self.aws_address("rds"));
        cluster(&text).map_err(|cause| attempt.refused(cause))
    }
}

fn cluster(text: &str) -> Result<ClusterFacts, String> {
    let answer: Answer = quick_xml::de::from_str(text).map_err(|error| error.to_string())?;
    let mut clusters = answer.result.clusters.clusters.into_iter();
    let read = clusters.next().ok_or("there is no such cluster")?;
    let is = |value: Option<String>| value.as_deref() == Some("true");
    Ok(ClusterFacts {
        engine_version: read.engine_version.unwrap_or_default(),
        is_encrypted: is(read.storage_encrypted),
        deletion_protection: is(read.deletion_protection),
        backup_days: read.backup_retention_period.unwrap_or_default(),
        min_capacity_acu: read.scaling.and_then(|scaling| scaling.min_capacity),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_of_rds_is_read() {
        let text = r#"<DescribeDBClustersResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/">
            <DescribeDBClustersResult><DBClusters><DBCluster>
            <DBClusterMembers><DBClusterMember><IsClusterWriter>true</IsClusterWriter></DBClusterMember>
            </DBClusterMembers><EngineVersion>16.2</EngineVersion><StorageEncrypted>true</StorageEncrypted>
            <DeletionProtection>false</DeletionProtection><BackupRetentionPeriod>7</BackupRetentionPeriod>
            <ServerlessV2ScalingConfiguration><MinCapacity>0</MinCapacity><MaxCapacity>4.0</MaxCapacity>
            </ServerlessV2ScalingConfiguration></DBCluster></DBClusters></DescribeDBClustersResult>
            </DescribeDBClustersResponse>"#;
        let expected = ClusterFacts {
            engine_version: "16.2".to_owned(),
            is_encrypted: true,
            deletion_protection: false,
            backup_days: 7,
            min_capacity_acu: Some(0.0),
        };
        assert_eq!(cluster(text), Ok(expected));
    }
}
