//! The PostgreSQL server of all subjects.
//!
//! Invariant: commits are durable, and every measurement gets its own database, migrated and empty,
//! right after a checkpoint.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use devstack::{Postgres, PostgresOptions};
use sqlx::{Connection as _, PgConnection};
use store::{ConnectSettings, PartitionPlan, PartitionWidth, connect, create_partitions, migrate};

use crate::events::{DAYS, FIRST_TIME};

const TEMPLATE: &str = "template";

pub(crate) struct Server {
    postgres: Postgres,
    /// Parent of all processes of the server.
    pub(crate) process: u32,
    databases: u32,
}

/// An empty database.
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) url: String,
}

impl Server {
    /// Starts it with further settings, each `name=value`.
    pub(crate) async fn start(settings: Vec<String>) -> Self {
        let options = PostgresOptions {
            settings,
            ..PostgresOptions::default()
        };
        let postgres = Postgres::start(options).await.unwrap();
        postgres.create_database(TEMPLATE).await.unwrap();
        let url = postgres.url(TEMPLATE);
        let pool = connect(&ConnectSettings::new(url, "bench")).await.unwrap();
        migrate(&pool).await.unwrap();
        let now: DateTime<Utc> = FIRST_TIME.parse().unwrap();
        let plan = PartitionPlan {
            width: PartitionWidth::Day,
            ahead: DAYS,
            keep: None,
        };
        create_partitions(&pool, &plan, now).await.unwrap();
        pool.close().await;
        let file = postgres.folder().join("data/postmaster.pid");
        let text = std::fs::read_to_string(file).unwrap();
        let process = text.lines().next().unwrap().parse().unwrap();
        Self {
            postgres,
            process,
            databases: 0,
        }
    }

    pub(crate) async fn database(&mut self) -> Database {
        self.database_like(TEMPLATE).await
    }

    /// A copy of a database that nobody is connected to.
    pub(crate) async fn database_like(&mut self, template: &str) -> Database {
        self.databases += 1;
        let name = format!("bench_{}", self.databases);
        self.execute(format!("create database {name} template {template}"))
            .await;
        self.checkpoint().await;
        let url = self.postgres.url(&name);
        Database { name, url }
    }

    /// The socket that it listens on.
    pub(crate) fn socket(&self) -> PathBuf {
        self.postgres.folder().join(".s.PGSQL.5432")
    }

    /// Removes a database, so that the next one does not pay for its pages.
    pub(crate) async fn drop(&self, database: Database) {
        self.execute(format!("drop database {} with (force)", database.name))
            .await;
    }

    /// Whether the first change of a page after a checkpoint writes the whole page to the WAL, as PostgreSQL does
    /// by default and Aurora never.
    pub(crate) async fn write_page_images(&self, is_on: bool) {
        let value = if is_on { "on" } else { "off" };
        self.execute(format!("alter system set full_page_writes = {value}"))
            .await;
        self.execute("select pg_reload_conf()".to_owned()).await;
        // The checkpointer applies the setting before its next checkpoint.
        self.checkpoint().await;
    }

    pub(crate) async fn checkpoint(&self) {
        self.execute("checkpoint".to_owned()).await;
    }

    async fn execute(&self, statement: String) {
        let mut connection = PgConnection::connect(&self.postgres.url("postgres"))
            .await
            .unwrap();
        sqlx::raw_sql(&statement)
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    }
}

impl Database {
    /// Turns the rollup off.
    pub(crate) async fn stop_counting(&self) {
        self.execute("alter table records disable trigger user")
            .await;
    }

    pub(crate) async fn execute(&self, statement: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(statement)
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    }

    /// Adds a rule that only the database has, for events that the validator accepts.
    pub(crate) async fn refuse_poison(&self) {
        self.execute("alter table records add constraint no_poison check (id not like 'poison%')")
            .await;
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// Records, and entries of the ledger.
    pub(crate) async fn counts(&self) -> (usize, usize) {
        let mut connection = self.connect().await;
        let (records, keys): (i64, i64) = sqlx::query_as(
            "select (select count(*) from records), (select count(*) from event_identities)",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
        connection.close().await.unwrap();
        let count = |number| usize::try_from(number).unwrap();
        (count(records), count(keys))
    }
}
