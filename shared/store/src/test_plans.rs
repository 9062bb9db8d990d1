//! A database of a hundred partitions for the tests of plans, and what a plan did.

use std::collections::BTreeSet;

use devstack::TestDatabase;
use serde_json::Value;
use sqlx::{PgConnection, Row as _};

use crate::migrate;

/// A hundred daily partitions, of which the last four are empty, and late events in the default one. A
/// fifth of the events have the same subject; `/rare` and `rare` have many events and never meet.
const FILL: [&str; 5] = [
    "do $$ begin
        for number in 0..99 loop
            execute format(
                'create table records_%s partition of records for values from (%L) to (%L)',
                number, timestamptz '2026-08-01 00:00+00' + number * interval '1 day',
                timestamptz '2026-08-02 00:00+00' + number * interval '1 day');
        end loop;
    end $$",
    "insert into records (record_id, source, id, type, subject, occurred_at, payload)
     select n, case when n % 10 = 3 then '/rare' else '/source/' || n % 3 end, n::text,
         case when n % 10 = 7 then 'rare' else 'type.' || n % 4 end,
         case when n % 5 = 0 then 'busy' when n % 5 = 1 then 'order/' || n % 1000 end,
         timestamptz '2026-08-01 00:00+00' + n * interval '96 days' / 120000,
         jsonb_build_object('text', repeat('x', 100))
     from generate_series(0, 119999) as n",
    "insert into records (record_id, source, id, type, subject, occurred_at, payload)
     select 200000 + n, '/source/1', 'late-' || n, 'type.1', 'busy',
         timestamptz '2020-01-01 00:00+00' + n * interval '1 hour', '{}'
     from generate_series(0, 1999) as n",
    "insert into event_identities (identity, record_id, occurred_at)
     select event_identity(source, id), record_id, occurred_at from records",
    "vacuum analyze",
];

pub(crate) async fn filled() -> TestDatabase {
    let database = TestDatabase::create().await.unwrap();
    migrate(database.pool()).await.unwrap();
    for statement in FILL {
        sqlx::raw_sql(statement)
            .execute(database.pool())
            .await
            .unwrap();
    }
    database
}

/// What a plan did, all nodes together.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) nodes: BTreeSet<String>,
    pub(crate) relations: BTreeSet<String>,
    pub(crate) removed: u64,
    /// Partitions that were planned and left out when the plan was executed.
    pub(crate) pruned: u64,
    pub(crate) buffers: u64,
}

impl Work {
    fn add(&mut self, node: &Value) {
        let number = |name: &str| node[name].as_u64().unwrap_or_default();
        self.nodes
            .insert(node["Node Type"].as_str().unwrap().to_owned());
        if let Some(relation) = node["Relation Name"].as_str() {
            self.relations.insert(relation.to_owned());
        }
        self.removed += number("Rows Removed by Filter") * number("Actual Loops").max(1);
        self.pruned += number("Subplans Removed");
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.add(child);
        }
    }

    pub(crate) async fn explain(&mut self, connection: &mut PgConnection, sql: &str) {
        let sql = format!("explain (analyze, buffers, timing off, format json) {sql}");
        let plan: Value = sqlx::raw_sql(&sql)
            .fetch_one(connection)
            .await
            .unwrap()
            .get(0);
        self.add(&plan[0]["Plan"]);
        for kind in ["Shared Hit Blocks", "Shared Read Blocks"] {
            self.buffers += plan[0]["Plan"][kind].as_u64().unwrap();
        }
    }
}

/// Explains a statement with parameters of these types, as planned with their values and without.
pub(crate) async fn planned(
    connection: &mut PgConnection,
    sql: &str,
    types: &str,
    arguments: &str,
) -> Work {
    let prepare = format!("prepare read ({types}) as {sql}");
    sqlx::raw_sql(&prepare)
        .execute(&mut *connection)
        .await
        .unwrap();
    let execute = format!("execute read ({arguments})");
    let mut work = Work::default();
    for mode in ["force_custom_plan", "force_generic_plan"] {
        let set = format!("set plan_cache_mode = {mode}");
        sqlx::raw_sql(&set).execute(&mut *connection).await.unwrap();
        work.explain(connection, &execute).await;
    }
    sqlx::raw_sql("deallocate read")
        .execute(connection)
        .await
        .unwrap();
    work
}
