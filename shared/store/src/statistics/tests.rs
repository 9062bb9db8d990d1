use super::*;
use crate::fold_counts;
use crate::test_plans::{Work, filled, planned};

/// Explains a statement that is not prepared.
async fn explained(connection: &mut PgConnection, sql: &str) -> Work {
    let mut work = Work::default();
    work.explain(connection, sql).await;
    work
}

#[tokio::test]
async fn types_and_total_read_the_sums_and_one_record_of_each_type() {
    let database = filled().await;
    let pool = database.pool();
    // A deletion, and what arrived since, is not folded.
    let folded_to: DateTime<Utc> = "2026-11-01T00:00:00Z".parse().unwrap();
    fold_counts(pool, folded_to).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    for statement in [
        "delete from records where type = 'rare' and occurred_at >= timestamptz '2026-10-30 00:00+00'",
        "vacuum analyze",
    ] {
        sqlx::raw_sql(statement)
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    let rollup_pages: i64 = sqlx::query_scalar(
        "select pg_relation_size('event_counts') / current_setting('block_size')::int",
    )
    .fetch_one(&mut *connection)
    .await
    .unwrap();
    assert!(
        rollup_pages > 500,
        "a scan could not be told apart: {rollup_pages}"
    );

    let types = TYPE_COUNTS.replace("$1", "1000");
    let total = TOTAL.replace("$1", "200000");
    for sql in [&total, &types] {
        let work = explained(&mut connection, sql).await;
        let is_record = |name: &String| name.starts_with("records");
        assert!(!work.relations.iter().any(is_record), "{sql}: {work:?}");
        assert!(
            work.buffers < rollup_pages.unsigned_abs() / 2,
            "{sql}: {work:?}"
        );
    }

    let found: Vec<(String, i64, DateTime<Utc>)> = sqlx::query_as(&types)
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    assert_eq!(found.len(), 5, "{found:?}");
    let hours = found.iter().map(|(_, _, hour)| *hour);
    let layout = Layout::of(pool, &mut connection).await.unwrap();
    let spans = spans_of(&layout, hours.clone());
    let names: Vec<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
    let hours: Vec<String> = hours.map(|hour| hour.to_rfc3339()).collect();
    let arguments = format!("'{{{}}}', '{{{}}}'", names.join(","), hours.join(","));
    let sql = newest_of_types(&spans);
    let work = planned(&mut connection, &sql, "text[], timestamptz[]", &arguments).await;
    // The last days of the rare type and of the others.
    assert_eq!(work.relations.len(), 2, "{sql}: {work:?}");
    for unwanted in ["Seq Scan", "Bitmap Heap Scan"] {
        assert!(!work.nodes.contains(unwanted), "{sql}: {work:?}");
    }
    assert_eq!(work.removed, 0, "{sql}: {work:?}");
    assert!(work.buffers <= 2 * 5 * 4 * 2, "{sql}: {work:?}");

    let listed = crate::types(pool).await.unwrap();
    let raw: Vec<(String, i64, DateTime<Utc>)> = sqlx::query_as(
        "select type, count(*), max(occurred_at) from records group by 1 order by 2 desc, 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let listed: Vec<_> = listed
        .into_iter()
        .map(|one| (one.event_type, one.count, one.last_occurred_at))
        .collect();
    assert_eq!(listed, raw);
}
