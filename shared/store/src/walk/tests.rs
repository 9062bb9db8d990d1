use std::collections::BTreeSet;

use devstack::TestDatabase;
use event::Record;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sqlx::PgPool;

use super::*;
use crate::lease::Source;
use crate::records::list_within;
use crate::span_condition::{at_positions, spans_of};
use crate::test_plans::{Work, filled, planned};
use crate::{PartitionPlan, PartitionWidth, keep_partitions, migrate, write_batch};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Every combination of filters, ranges, orders and positions.
fn queries() -> Vec<RecordQuery> {
    let texts = |values: &[&str]| -> Vec<Option<String>> {
        std::iter::once(None)
            .chain(values.iter().map(|value| Some((*value).to_owned())))
            .collect()
    };
    let range = (Some("2026-09-10T00:00:00Z"), Some("2026-09-20T06:00:00Z"));
    let middle = Some("2026-09-15T12:00:00Z");
    let mut queries = Vec::new();
    for order in [Order::Asc, Order::Desc] {
        for ((from, to), position) in [
            ((None, None), None),
            ((None, None), middle),
            (range, middle),
        ] {
            for source in texts(&["/source/1", "/rare"]) {
                for event_type in texts(&["type.1", "rare", "absent"]) {
                    for subject in texts(&["busy", "absent"]) {
                        queries.push(RecordQuery {
                            source: source.clone(),
                            event_type: event_type.clone(),
                            subject,
                            from: from.map(at),
                            to: to.map(at),
                            order,
                            cursor: position.map(|time| Position::start_of(at(time)).cursor(order)),
                            ..RecordQuery::default()
                        });
                    }
                }
            }
        }
    }
    queries
}

impl Walk<'_> {
    /// Prepares the statement of a span, and returns the command that executes it.
    async fn prepare(&self, connection: &mut PgConnection, span: Span) -> String {
        let quoted = |(_, value): &Wanted<'_>| format!("'{value}'");
        let position = |position: Position| {
            let time = match position.occurred_at {
                time if time < at("0001-01-01T00:00:00Z") => "-infinity".to_owned(),
                time if time > at("9999-01-01T00:00:00Z") => "infinity".to_owned(),
                time => time.to_rfc3339(),
            };
            format!("'{time}', '{}'", position.record_id)
        };
        let bounds = [self.after(span), self.before(span)];
        let arguments: Vec<String> = self
            .key
            .iter()
            .map(quoted)
            .chain(bounds.into_iter().flatten().map(position))
            .chain(self.rest.iter().map(quoted))
            .collect();
        let mut types = vec!["text"; usize::from(self.key.is_some())];
        for _ in bounds.iter().flatten() {
            types.extend(["timestamptz", "bigint"]);
        }
        types.extend(vec!["text"; self.rest.len()]);
        let parameters = |texts: &[&str]| match texts {
            [] => String::new(),
            texts => format!("({})", texts.join(", ")),
        };
        let prepare = format!(
            "prepare walk {} as {}",
            parameters(&types),
            self.statement(span)
        );
        sqlx::raw_sql(&prepare).execute(connection).await.unwrap();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        format!("execute walk {}", parameters(&arguments))
    }

    /// Explains every statement of the page, as planned with its values and without.
    async fn explain(mut self, connection: &mut PgConnection) -> Work {
        let mut work = Work::default();
        while let Some(span) = self.spans.next() {
            let execute = self.prepare(connection, span).await;
            let mut statement = Work::default();
            for mode in ["force_custom_plan", "force_generic_plan"] {
                let set = format!("set plan_cache_mode = {mode}");
                sqlx::raw_sql(&set).execute(&mut *connection).await.unwrap();
                statement.explain(connection, &execute).await;
            }
            sqlx::raw_sql("deallocate walk")
                .execute(&mut *connection)
                .await
                .unwrap();
            let unwanted = ["Seq Scan", "Bitmap Heap Scan", "Sort", "Incremental Sort"];
            assert!(
                !unwanted.iter().any(|node| statement.nodes.contains(*node)),
                "{span:?} {:?} {statement:?}",
                self.query
            );
            assert!(
                statement.relations.len() <= span.segments,
                "{span:?} {statement:?}"
            );
            work.removed += statement.removed;
            work.buffers += statement.buffers;
            let rows = self.read(span, connection).await.unwrap();
            if self.take(span, rows).unwrap() != Step::GoOn {
                break;
            }
        }
        work
    }
}

#[tokio::test]
async fn every_question_walks_an_index_and_its_work_is_bounded() {
    let limits = Limits {
        visited: 500,
        ..Limits::PAGE
    };
    let database = filled().await;
    let mut connection = database.pool().acquire().await.unwrap();
    // The statement that adds up the bytes, too.
    for (query, has_large) in queries().into_iter().flat_map(|query| {
        let is_every_tenth = query.source.is_none() && query.subject.is_none();
        std::iter::once((query.clone(), false)).chain(is_every_tenth.then_some((query, true)))
    }) {
        let layout = Layout::of(database.pool(), &mut connection).await.unwrap();
        let mut walk = Walk::new(&query, Columns::All, layout, limits);
        walk.has_large = has_large;
        let visited = if walk.rest.is_empty() {
            u64::from(query.limit) + 1
        } else {
            2 * u64::from(limits.visited)
        };
        let work = walk.explain(&mut connection).await;
        // Each statement is explained twice. An entry costs a page of the table and now and then one of
        // the index; a partition that has none costs the descent of its index.
        let probes = 4 * u64::try_from(limits.segments).unwrap();
        assert!(work.removed <= 2 * visited, "{query:?} {work:?}");
        assert!(
            work.buffers <= 2 * (2 * visited + probes),
            "{query:?} {work:?}"
        );
    }
}

#[derive(Clone, Debug)]
struct Case {
    /// Day, source, type and subject of each event: many of them equal, and with them their times.
    events: Vec<(i64, u8, u8, Option<u8>)>,
    limits: Limits,
    limit: u16,
    order: Order,
    source: Option<u8>,
    event_type: Option<u8>,
    subject: Option<u8>,
    id: Option<u8>,
    from: Option<i64>,
    to: Option<i64>,
}

fn case() -> impl Strategy<Value = Case> {
    let limits =
        (1_u32..8, 1_usize..5).prop_map(|(visited, segments)| Limits { visited, segments });
    let filters = (
        prop::option::of(0_u8..2),
        prop::option::of(0_u8..3),
        prop::option::of(0_u8..2),
        prop::option::weighted(0.1, 0_u8..4),
    );
    let event = (-4_i64..4, 0_u8..2, 0_u8..3, prop::option::of(0_u8..2));
    (
        prop::collection::vec(event, 0..40),
        limits,
        1_u16..12,
        prop::sample::select(vec![Order::Asc, Order::Desc]),
        filters,
        prop::option::of(-4_i64..0),
        prop::option::of(0_i64..4),
    )
        .prop_map(|(events, limits, limit, order, filters, from, to)| Case {
            events,
            limits,
            limit,
            order,
            source: filters.0,
            event_type: filters.1,
            subject: filters.2,
            id: filters.3,
            from,
            to,
        })
}

const NOON: &str = "2026-11-24T12:00:00Z";

fn noon(days: i64) -> DateTime<Utc> {
    at(NOON) + TimeDelta::days(days)
}

/// Four events each have the same id, and so must differ in their source.
fn identity(number: usize, source: u8) -> (String, String) {
    (
        format!("{}", number / 4),
        format!("/{source}/{}", number % 4),
    )
}

impl Case {
    fn query(&self) -> RecordQuery {
        RecordQuery {
            // The events' sources have a number of their own; see `identity`.
            source: self.source.map(|source| format!("/{source}/1")),
            id: self.id.map(|id| id.to_string()),
            event_type: self.event_type.map(|event_type| event_type.to_string()),
            subject: self.subject.map(|subject| subject.to_string()),
            from: self.from.map(noon),
            to: self.to.map(noon),
            order: self.order,
            limit: self.limit,
            cursor: None,
        }
    }

    /// The ids and sources of the events that the query selects.
    fn expected(&self) -> BTreeSet<(String, String)> {
        let query = self.query();
        let is = |wanted: &Option<String>, value: String| {
            wanted.as_ref().is_none_or(|wanted| *wanted == value)
        };
        self.events
            .iter()
            .enumerate()
            .filter(|(number, (day, source, event_type, subject))| {
                let (id, source) = identity(*number, *source);
                is(&query.id, id)
                    && is(&query.source, source)
                    && is(&query.event_type, event_type.to_string())
                    && (query.subject.is_none() || self.subject == *subject)
                    && self.from.is_none_or(|from| *day >= from)
                    && self.to.is_none_or(|to| *day < to)
            })
            .map(|(number, (_, source, _, _))| identity(number, *source))
            .collect()
    }

    async fn store(&self, pool: &PgPool) {
        sqlx::raw_sql("truncate records, event_identities")
            .execute(pool)
            .await
            .unwrap();
        let bodies: Vec<String> = self
            .events
            .iter()
            .enumerate()
            .map(|(number, (day, source, event_type, subject))| {
                let (id, source) = identity(number, *source);
                let subject = subject.map_or(String::new(), |subject| {
                    format!(r#""subject":"{subject}","#)
                });
                format!(
                    r#"{{"specversion":"1.0","id":"{id}","source":"{source}","type":"{event_type}",{subject}"time":"{}"}}"#,
                    noon(*day).to_rfc3339()
                )
            })
            .collect();
        let events: Vec<_> = bodies
            .iter()
            .map(|body| event::parse_event(body).unwrap())
            .collect();
        write_batch(pool, &events).await.unwrap();
    }

    async fn pages(&self, pool: &PgPool) -> Vec<Page<RecordRow>> {
        let mut query = self.query();
        let mut pages = Vec::new();
        while pages.len() < 1_000 {
            let page = list_within(Source::Pool(pool), &query, Columns::All, self.limits)
                .await
                .unwrap();
            query.cursor = page.next_cursor;
            pages.push(page);
            if query.cursor.is_none() {
                return pages;
            }
        }
        panic!("the list does not end");
    }
}

#[test]
fn pages_neither_skip_nor_repeat_whatever_the_filters_and_limits() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(TestDatabase::create()).unwrap();
    let pool = database.pool();
    // Some days have a partition, the others are in the default one.
    let plan = PartitionPlan {
        width: PartitionWidth::Day,
        ahead: 2,
        keep: None,
    };
    runtime.block_on(migrate(pool)).unwrap();
    runtime
        .block_on(keep_partitions(pool, &plan, noon(-1)))
        .unwrap();
    let mut runner = TestRunner::new(Config {
        cases: 200,
        failure_persistence: None,
        ..Config::default()
    });
    let short = std::cell::Cell::new(0);
    runner
        .run(&case(), |case| {
            let pages = runtime.block_on(async {
                case.store(pool).await;
                case.pages(pool).await
            });
            let items = pages.iter().flat_map(|page| &page.items);
            let found: Vec<Record> = items.map(|row| row.record().unwrap()).collect();
            let identities: BTreeSet<_> = found
                .iter()
                .map(|record| (record.id.clone(), record.source.clone()))
                .collect();
            prop_assert_eq!(identities.len(), found.len());
            prop_assert_eq!(identities, case.expected());
            for pair in found.windows(2) {
                let key = |record: &Record| (record.occurred_at, record.record_id);
                let is_ordered = match case.order {
                    Order::Asc => key(&pair[0]) < key(&pair[1]),
                    Order::Desc => key(&pair[0]) > key(&pair[1]),
                };
                prop_assert!(is_ordered, "{:?}", pair);
            }
            let is_short = |page: &Page<RecordRow>| {
                page.next_cursor.is_some() && page.items.len() < usize::from(case.limit)
            };
            short.set(short.get() + pages.iter().filter(|page| is_short(page)).count());
            Ok(())
        })
        .unwrap();
    assert!(short.get() > 0, "no page ended at a limit");
}

/// Plans a statement, and returns the partitions that the plan has.
async fn planned_at(connection: &mut PgConnection, sql: &str, positions: &[Position]) -> Work {
    let (times, ids): (Vec<String>, Vec<String>) = positions
        .iter()
        .map(|one| {
            (
                format!("\"{}\"", one.occurred_at),
                one.record_id.to_string(),
            )
        })
        .unzip();
    let arguments = format!("'{{{}}}', '{{{}}}'", times.join(","), ids.join(","));
    planned(connection, sql, "timestamptz[], bigint[]", &arguments).await
}

#[tokio::test]
async fn records_at_positions_are_planned_for_their_partitions_alone() {
    let database = filled().await;
    let mut connection = database.pool().acquire().await.unwrap();
    let layout = Layout::of(database.pool(), &mut connection).await.unwrap();
    let found: Vec<(DateTime<Utc>, i64)> = sqlx::query_as(
        "select occurred_at, record_id from records where record_id in (5, 60000, 60001, 119999, 200007)",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    let positions: Vec<Position> = found
        .into_iter()
        .map(|(occurred_at, record_id)| Position {
            occurred_at,
            record_id,
        })
        .collect();
    assert_eq!(positions.len(), 5);
    let spans = spans_of(&layout, positions.iter().map(|one| one.occurred_at));
    for sql in [
        crate::arrivals::chosen_statement(Columns::All, &spans),
        crate::arrivals::chosen_statement(Columns::WithoutPayload, &spans),
        crate::statistics::newest_statement(&spans),
        at_positions("select r.record_id, r.ingested_at", &spans),
    ] {
        let work = planned_at(&mut connection, &sql, &positions).await;
        // Three days, and the default partition for the late event.
        assert_eq!(work.relations.len(), 4, "{sql}: {work:?}");
        assert!(!work.nodes.contains("Seq Scan"), "{sql}: {work:?}");
        assert!(work.buffers <= 2 * 5 * 4 * 4, "{sql}: {work:?}");
    }
    // What is not written out is planned for all.
    let sql = at_positions("select r.record_id", &[]);
    let work = planned_at(&mut connection, &sql, &positions).await;
    assert_eq!(work.relations.len(), 101);
}

#[tokio::test]
async fn page_without_payload_does_not_read_what_is_stored_outside_of_its_rows() {
    let database = TestDatabase::create().await.unwrap();
    migrate(database.pool()).await.unwrap();
    let mut connection = database.pool().acquire().await.unwrap();
    for statement in [
        "alter table records_default alter column payload set storage external",
        "insert into records (record_id, source, id, type, occurred_at, payload)
         select n, 's', n::text, 't', timestamptz '2026-08-01 00:00+00' + n * interval '1 second',
             jsonb_build_object('text', repeat('x', 20000))
         from generate_series(1, 50) as n",
        "vacuum analyze records_default",
    ] {
        sqlx::raw_sql(statement)
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    for (event_type, source) in [(None, None), (Some("t"), None), (Some("t"), Some("s"))] {
        let query = RecordQuery {
            event_type: event_type.map(str::to_owned),
            source: source.map(str::to_owned),
            ..RecordQuery::default()
        };
        let mut buffers = Vec::new();
        for columns in [Columns::All, Columns::WithoutPayload] {
            let layout = Layout::of(database.pool(), &mut connection).await.unwrap();
            let walk = Walk::new(&query, columns, layout, Limits::PAGE);
            buffers.push(walk.explain(&mut connection).await.buffers);
            let page = list_within(Source::Pool(database.pool()), &query, columns, Limits::PAGE);
            let page = page.await.unwrap();
            assert_eq!(page.items.len(), 50);
            let has_payload = |row: &RecordRow| row.view().unwrap().payload.is_some();
            assert!(
                page.items
                    .iter()
                    .all(|row| has_payload(row) == (columns == Columns::All))
            );
        }
        // Each of the fifty payloads is some pages, and is explained twice.
        let [all, without] = buffers[..] else {
            panic!("{buffers:?}");
        };
        assert!(
            without < 300 && all > without + 500,
            "{all} {without} {query:?}"
        );
    }
}

#[tokio::test]
async fn page_of_small_and_large_payloads_has_all_of_them() {
    let database = TestDatabase::create().await.unwrap();
    migrate(database.pool()).await.unwrap();
    let bodies: Vec<String> = (0..20)
        .map(|number| {
            let text = "x".repeat(if number % 7 == 3 { 120_000 } else { 10 });
            format!(
                r#"{{"specversion":"1.0","id":"{number}","source":"s","type":"t","time":"2026-11-24T12:00:00Z","data":"{text}"}}"#
            )
        })
        .collect();
    let events: Vec<_> = bodies
        .iter()
        .map(|body| event::parse_event(body).unwrap())
        .collect();
    write_batch(database.pool(), &events).await.unwrap();
    let page = crate::list_records(database.pool(), &RecordQuery::default())
        .await
        .unwrap();
    assert_eq!(page.items.len(), 20);
    for record in &page.items {
        let number: u8 = record.id.parse().unwrap();
        let is_large = record.payload.get().len() > 100_000;
        assert_eq!(is_large, number % 7 == 3, "{number}");
    }
}
