//! `lint` on a pipeline that is sound, and on the same one with its faults, on the emulator and in PostgreSQL.
//!
//! Invariant: topic, queues, mapping and database are the test's own; what it changes of the ingest is changed back.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StateValue};
use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use devstack::{TestDatabase, services};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::alarms::{above_zero, set_state};
use crate::pipeline::{Turn, deployed};
use crate::support::configuration::{self, NOBODY, environment_at};
use crate::support::program::Program;

const FUNCTION: &str = "events-ingest";
const LOG_GROUP: &str = "/aws/lambda/events-ingest";
const CLUSTER: &str = "lint-cluster";
const BAD_CLUSTER: &str = "lint-bad";
/// Of the function of the stack, in seconds.
const TIMEOUT: u64 = 10;
const OPEN: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;

/// A pipeline of this test alone around the function of the stack.
struct Sound {
    turn: Turn,
    sns: aws_sdk_sns::Client,
    cloudwatch: aws_sdk_cloudwatch::Client,
    database: TestDatabase,
    topic_arn: String,
    subscription_arn: String,
    queue_url: String,
    dead_url: String,
    dead_arn: String,
    mapping: String,
    program: Program,
}

impl Sound {
    fn start() -> Self {
        let turn = deployed();
        let config = devstack::sdk_config(&turn.endpoints.endpoint_url);
        let sns = aws_sdk_sns::Client::new(&config);
        let cloudwatch = aws_sdk_cloudwatch::Client::new(&config);
        let (database, made) = turn.runtime.block_on(async {
            let database = TestDatabase::create().await.unwrap();
            store::migrate(database.pool()).await.unwrap();
            let plan = store::PartitionPlan {
                width: store::PartitionWidth::Month,
                ahead: 3,
                keep: None,
            };
            let now = chrono::Utc::now();
            store::create_partitions(database.pool(), &plan, now)
                .await
                .unwrap();
            (database, make(&turn, &sns).await)
        });
        let program = Program::new();
        let queues = [made.queue_url.as_str(), &made.dead_url];
        let more = format!(
            "database_url = {:?}\ningest_function = {FUNCTION:?}\nfunction_timeout_secs = {TIMEOUT}\n\
             database_cluster = {CLUSTER:?}\n",
            database.url()
        );
        let text = configuration::environment("sound", &turn.endpoints.endpoint_url, queues, &more)
            .replace(NOBODY, &turn.endpoints.api_url)
            .replace("arn:aws:sns:us-east-1:000000000000:events", &made.topic_arn);
        program.configure(&text);
        Self {
            sns,
            cloudwatch,
            database,
            program,
            turn,
            topic_arn: made.topic_arn,
            subscription_arn: made.subscription_arn,
            queue_url: made.queue_url,
            dead_url: made.dead_url,
            dead_arn: made.dead_arn,
            mapping: made.mapping,
        }
    }

    fn endpoint_url(&self) -> &str {
        &self.turn.endpoints.endpoint_url
    }

    async fn set(&self, url: &str, attributes: &[(Attribute, String)]) {
        let mut request = self.turn.queues.sqs.set_queue_attributes().queue_url(url);
        for (name, value) in attributes {
            request = request.attributes(name.clone(), value);
        }
        request.send().await.unwrap();
    }

    async fn set_subscription(&self, name: &str, value: &str) {
        let request = self.sns.set_subscription_attributes();
        let request = request.subscription_arn(&self.subscription_arn);
        let request = request.attribute_name(name).attribute_value(value);
        request.send().await.unwrap();
    }

    async fn lambda(&self, method: &str, path: &str, body: Value) -> Value {
        let sent = services::lambda(self.endpoint_url(), method, path, &body);
        sent.await.unwrap()
    }

    async fn update_mapping(&self, change: Value) {
        let path = format!("/2015-03-31/event-source-mappings/{}", self.mapping);
        self.lambda("PUT", &path, change).await;
    }

    async fn reserve(&self, executions: Option<u64>) {
        let path = format!("/2017-10-31/functions/{FUNCTION}/concurrency");
        match executions {
            Some(number) => {
                let body = json!({"ReservedConcurrentExecutions": number});
                self.lambda("PUT", &path, body).await
            }
            None => self.lambda("DELETE", &path, Value::Null).await,
        };
    }

    async fn log_retention(&self, days: Option<u64>) {
        let (operation, body) = match days {
            Some(days) => (
                "PutRetentionPolicy",
                json!({"logGroupName": LOG_GROUP, "retentionInDays": days}),
            ),
            None => ("DeleteRetentionPolicy", json!({"logGroupName": LOG_GROUP})),
        };
        let sent = services::logs(self.endpoint_url(), operation, &body);
        sent.await.unwrap();
    }

    async fn alarm(&self, name: &str, (metric, queue): (&str, &str), action: Option<&str>) {
        let dimension = Dimension::builder().name("QueueName").value(queue).build();
        let alarm = above_zero(&self.cloudwatch, name, ("AWS/SQS", metric), action);
        alarm.dimensions(dimension).send().await.unwrap();
    }

    async fn composite_alarm(&self, name: &str, child: &str) {
        let request = self.cloudwatch.put_composite_alarm().alarm_name(name);
        let request = request.alarm_rule(format!("ALARM(\"{child}\") AND TRUE"));
        let request = request.alarm_actions(&self.topic_arn);
        request.send().await.unwrap();
    }

    async fn alarm_state(&self, name: &str, state: StateValue) {
        set_state(&self.cloudwatch, name, state, "the test says so").await;
    }

    async fn sql(&self, statements: &[&str]) {
        for statement in statements {
            let done = sqlx::query(statement).execute(self.database.pool()).await;
            done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    async fn cluster(&self, name: &str, [yes, days, capacity]: [&str; 3]) {
        let parameters = [
            ("Action", "CreateDBCluster"),
            ("DBClusterIdentifier", name),
            ("Engine", "aurora-postgresql"),
            // One that cannot pause.
            ("EngineVersion", "13.9"),
            ("MasterUsername", "someone"),
            ("MasterUserPassword", "not-a-secret-1"),
            ("StorageEncrypted", yes),
            ("DeletionProtection", yes),
            ("BackupRetentionPeriod", days),
            ("ServerlessV2ScalingConfiguration.MinCapacity", capacity),
            ("ServerlessV2ScalingConfiguration.MaxCapacity", "4"),
        ];
        let sent = services::rds(self.endpoint_url(), &parameters);
        sent.await.unwrap();
    }

    /// The exit code, the ids of the findings and the report of a run with these options.
    fn found(&self, options: &[&str]) -> (i32, BTreeSet<String>, Value) {
        let (code, report) = self.program.json(&[&["lint"], options].concat());
        let findings = report["findings"].as_array().unwrap().iter();
        let ids = findings.map(|finding| finding["id"].as_str().unwrap().to_owned());
        (code, ids.collect(), report)
    }
}

/// What [`make`] made.
struct Made {
    topic_arn: String,
    subscription_arn: String,
    queue_url: String,
    dead_url: String,
    dead_arn: String,
    mapping: String,
}

async fn make(turn: &Turn, sns: &aws_sdk_sns::Client) -> Made {
    let sqs = &turn.queues.sqs;
    let create = async |name: &str, attributes: &[(Attribute, String)]| {
        let mut request = sqs.create_queue().queue_name(name);
        for (name, value) in attributes {
            request = request.attributes(name.clone(), value);
        }
        let url = request.send().await.unwrap().queue_url.unwrap();
        (url, format!("arn:aws:sqs:us-east-1:000000000000:{name}"))
    };
    let both = |visibility: u64, retention: u64| {
        vec![
            (Attribute::VisibilityTimeout, visibility.to_string()),
            (Attribute::MessageRetentionPeriod, retention.to_string()),
            (Attribute::ReceiveMessageWaitTimeSeconds, "20".to_owned()),
            (Attribute::SqsManagedSseEnabled, "true".to_owned()),
        ]
    };
    let (dead_url, dead_arn) = create("lint-dead-letters", &both(30, 1_209_600)).await;
    let (queue_url, queue_arn) = create("lint-queue", &both(6 * TIMEOUT + 1, 345_600)).await;
    let redrive = redrive_policy(&dead_arn, 5);
    let allow = json!({"redrivePermission": "byQueue", "sourceQueueArns": [queue_arn]});
    for (url, name, value) in [
        (&queue_url, Attribute::RedrivePolicy, redrive),
        (&dead_url, Attribute::RedriveAllowPolicy, allow.to_string()),
    ] {
        let request = sqs.set_queue_attributes().queue_url(url);
        request.attributes(name, value).send().await.unwrap();
    }
    let topic = sns.create_topic().name("lint").send().await.unwrap();
    let topic_arn = topic.topic_arn.unwrap();
    let undelivered = json!({"deadLetterTargetArn": dead_arn}).to_string();
    let subscribe = sns.subscribe().topic_arn(&topic_arn).protocol("sqs");
    let subscribe = subscribe.endpoint(&queue_arn);
    let subscribe = subscribe.attributes("RawMessageDelivery", "true");
    let subscribe = subscribe.attributes("RedrivePolicy", undelivered);
    let subscription = subscribe.send().await.unwrap();
    let mapping = json!({
        "EventSourceArn": queue_arn,
        "FunctionName": FUNCTION,
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 1,
        "ScalingConfig": {"MaximumConcurrency": 2},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    });
    let path = "/2015-03-31/event-source-mappings";
    let created = services::lambda(&turn.endpoints.endpoint_url, "POST", path, &mapping);
    let created = created.await.unwrap();
    Made {
        subscription_arn: subscription.subscription_arn.unwrap(),
        mapping: created["UUID"].as_str().unwrap().to_owned(),
        topic_arn,
        queue_url,
        dead_url,
        dead_arn,
    }
}

fn redrive_policy(dead_arn: &str, receives: u64) -> String {
    json!({"deadLetterTargetArn": dead_arn, "maxReceiveCount": receives}).to_string()
}

/// Everything that can be wrong at once.
async fn spoil(sound: &Sound) {
    let open = sound.sns.set_topic_attributes().topic_arn(&sound.topic_arn);
    let open = open.attribute_name("Policy").attribute_value(OPEN);
    open.send().await.unwrap();
    let filter = r#"{"kind":["a"]}"#;
    for (name, value) in [
        ("FilterPolicy", filter),
        ("RawMessageDelivery", "false"),
        ("RedrivePolicy", ""),
    ] {
        sound.set_subscription(name, value).await;
    }
    let of_queue = [
        (Attribute::VisibilityTimeout, "60".to_owned()),
        (Attribute::MessageRetentionPeriod, "1209600".to_owned()),
        (Attribute::MaximumMessageSize, "65536".to_owned()),
        (Attribute::ReceiveMessageWaitTimeSeconds, "0".to_owned()),
        (Attribute::SqsManagedSseEnabled, "false".to_owned()),
        (Attribute::Policy, OPEN.to_owned()),
        (Attribute::RedrivePolicy, redrive_policy(&sound.dead_arn, 2)),
    ];
    sound.set(&sound.queue_url, &of_queue).await;
    let of_dead = [(Attribute::RedriveAllowPolicy, String::new())];
    sound.set(&sound.dead_url, &of_dead).await;
    let pattern = json!({"Filters": [{"Pattern": "{\"body\":{\"a\":[1]}}"}]});
    let mapping = json!({
        "Enabled": false, "FunctionResponseTypes": [], "FilterCriteria": pattern,
    });
    sound.update_mapping(mapping).await;
    sound.reserve(Some(1)).await;
    sound.log_retention(None).await;
    sound
        .cloudwatch
        .delete_alarms()
        .alarm_names("lint-dead")
        .send()
        .await
        .unwrap();
    // A metric without values: the emulator judges an alarm by those of every queue.
    let receives = ("NumberOfEmptyReceives", "lint-queue");
    sound.alarm("lint-silent", receives, None).await;
    sound
        .alarm_state("lint-silent", StateValue::InsufficientData)
        .await;
    sound
        .alarm("lint-raised", receives, Some(&sound.topic_arn))
        .await;
    sound.alarm_state("lint-raised", StateValue::Alarm).await;
    sound
        .sql(&[
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             values (29990101000000, 'of tomorrow', true, '', 0)",
            "delete from _sqlx_migrations where version = 20261128000010",
            // In a younger database no daily run was due.
            "update _sqlx_migrations set installed_on = installed_on - interval '9 days'",
            "update retention set horizon = now() - interval '1 day'",
            "insert into event_counts (hour, type, source, slot, events)
             select date_trunc('hour', now()) - number * interval '1 hour', 't', 's', 1, 1
             from generate_series(1, 80) as number",
            "insert into records (occurred_at, record_id, source, id, type, payload)
             values ('2001-01-01', 1, 's', 'i', 't', '{}')",
            "analyze records_default",
            "do $$ declare name text; begin
                 for name in select child.oid::regclass::text from pg_inherits
                     join pg_class as child on child.oid = inhrelid
                     where inhparent = 'records'::regclass and child.relname <> 'records_default'
                 loop execute 'drop table ' || name; end loop;
             end $$",
        ])
        .await;
    dead_letter_that_expires(sound).await;
    sound.cluster(BAD_CLUSTER, ["false", "1", "0"]).await;
}

/// A dead letter by its depth, and its age by the metric.
async fn dead_letter_that_expires(sound: &Sound) {
    let sqs = &sound.turn.queues.sqs;
    let send = sqs.send_message().queue_url(&sound.dead_url);
    send.message_body("{}").send().await.unwrap();
    let dimension = Dimension::builder();
    let dimension = dimension
        .name("QueueName")
        .value("lint-dead-letters")
        .build();
    let datum = MetricDatum::builder()
        .metric_name("ApproximateAgeOfOldestMessage")
        .dimensions(dimension)
        .timestamp(SystemTime::now().into())
        .value(13.0 * 86_400.0)
        .build();
    let put = sound.cloudwatch.put_metric_data().namespace("AWS/SQS");
    put.metric_data(datum).send().await.unwrap();
}

/// What belongs to the stack, as it was.
async fn restore(sound: &Sound) {
    sound.reserve(None).await;
    sound.log_retention(Some(30)).await;
    // CloudWatch deletes one composite alarm at a time, before its children.
    for names in [
        &["lint-objective"][..],
        &["lint-dead", "lint-window", "lint-silent", "lint-raised"],
    ] {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let delete = sound.cloudwatch.delete_alarms();
        delete.set_alarm_names(Some(names)).send().await.unwrap();
    }
}

const SPOILED: [&str; 34] = [
    "alarm-insufficient-data",
    "alarm-raised",
    "alarm-without-actions",
    "cluster-backups-short",
    "cluster-cannot-pause",
    "cluster-deletion-protection-off",
    "cluster-not-encrypted",
    "concurrency-below-pollers",
    "dead-letter-retention-short",
    "dead-letters-expire-soon",
    "dead-letters-without-alarm",
    "function-timeout-differs",
    "log-group-without-retention",
    "long-polling-off",
    "mapping-disabled",
    "mapping-filter",
    "max-receive-count-small",
    "message-size-limit",
    "partial-batch-failures-off",
    "partitions-run-out",
    "queue-not-encrypted",
    "queue-open",
    "raw-delivery-off",
    "redrive-allow-policy-missing",
    "replacements-allowed",
    "retention-shorter-than-queues",
    "rows-in-default-partition",
    "schema-ahead",
    "schema-behind",
    "subscription-filter",
    "subscription-without-dead-letters",
    "topic-open",
    "upkeep-behind",
    "visibility-timeout-short",
];

#[test]
fn sound_pipeline_has_no_finding_and_the_same_with_faults_has_each() {
    let sound = Sound::start();
    sound.turn.runtime.block_on(async {
        sound.cluster(CLUSTER, ["true", "7", "0.5"]).await;
        let dead = ("ApproximateNumberOfMessagesVisible", "lint-dead-letters");
        sound.alarm("lint-dead", dead, Some(&sound.topic_arn)).await;
        sound.alarm_state("lint-dead", StateValue::Ok).await;
        let window = ("ApproximateNumberOfMessagesVisible", "lint-queue");
        sound.alarm("lint-window", window, None).await;
        sound.alarm_state("lint-window", StateValue::Ok).await;
        sound.composite_alarm("lint-objective", "lint-window").await;
    });
    let (code, ids, report) = sound.found(&[]);
    let text = sound.program.run(&["lint"]);
    // The key of the topic is none of a local stack.
    assert_eq!(
        ids,
        BTreeSet::from(["topic-not-encrypted".to_owned()]),
        "{report:#}"
    );
    assert_eq!(code, 0, "{report:#}");
    assert!(text.stdout.contains("1 note; "), "{text:?}");

    sound.turn.runtime.block_on(spoil(&sound));
    sound.program.configure(&spoiled_entry(&sound));
    let (code, ids, report) = sound.found(&["--fail-on", "error"]);
    let missing: Vec<&str> = SPOILED
        .into_iter()
        .filter(|id| !ids.contains(*id))
        .collect();
    sound.turn.runtime.block_on(restore(&sound));
    assert!(missing.is_empty(), "{missing:?} of {report:#}");
    assert_eq!(code, 1);
    let findings = report["findings"].as_array().unwrap();
    let silent = findings
        .iter()
        .find(|finding| finding["id"] == "alarm-without-actions");
    let silent = silent.unwrap()["seen"].as_str().unwrap();
    assert!(silent.contains("lint-silent"), "{silent}");
    assert!(!silent.contains("lint-window"), "{silent}");

    sound.turn.runtime.block_on(async {
        let nothing = [(Attribute::RedrivePolicy, String::new())];
        sound.set(&sound.queue_url, &nothing).await;
        let unsubscribe = sound.sns.unsubscribe();
        unsubscribe
            .subscription_arn(&sound.subscription_arn)
            .send()
            .await
            .unwrap();
        let path = format!("/2015-03-31/event-source-mappings/{}", sound.mapping);
        sound.lambda("DELETE", &path, Value::Null).await;
    });
    let (_, ids, report) = sound.found(&[]);
    for id in [
        "queue-without-redrive-policy",
        "queue-not-subscribed",
        "mapping-missing",
    ] {
        assert!(ids.contains(id), "{id}: {report:#}");
    }
    sound.turn.runtime.block_on(async {
        let elsewhere = redrive_policy(&sound.turn.endpoints.dead_letter_queue_arn, 200);
        let elsewhere = [(Attribute::RedrivePolicy, elsewhere)];
        sound.set(&sound.queue_url, &elsewhere).await;
    });
    let (_, ids, report) = sound.found(&[]);
    for id in ["redrive-policy-elsewhere", "max-receive-count-large"] {
        assert!(ids.contains(id), "{id}: {report:#}");
    }
}

/// The entry of a production environment, whose function has another timeout than the entry says.
fn spoiled_entry(sound: &Sound) -> String {
    let path = sound.program.home().join("config/opsconsole/config.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let timeout = format!("function_timeout_secs = {TIMEOUT}");
    text.replace(&timeout, "function_timeout_secs = 30\nproduction = true")
        .replace(CLUSTER, BAD_CLUSTER)
}

#[test]
fn pipeline_that_cannot_be_reached_exits_with_3_and_nothing_has_passed() {
    let program = Program::new();
    let more = "database_url = \"postgres://nobody@127.0.0.1:1/events\"\ningest_function = \"f\"\n";
    program.configure(&environment_at("away", NOBODY, more));
    let (code, report) = program.json(&["lint"]);
    assert_eq!(code, 3, "{report:#}");
    assert_eq!(report["passed"], json!([]), "{report:#}");
    assert_eq!(report["findings"], json!([]));
    let unchecked = report["not_checked"].as_array().unwrap();
    let of = |id: &str| unchecked.iter().find(|check| check["id"] == id).unwrap();
    let queue = of("visibility-timeout-short");
    assert!(
        queue["reason"]
            .as_str()
            .unwrap()
            .contains("connection refused"),
        "{queue}"
    );
    assert_eq!(queue["is_failure"], true);
    let cluster = of("cluster-not-encrypted");
    assert_eq!(cluster["is_failure"], false, "{cluster}");
}

/// An API that first answers as one whose database resumes, to each question.
#[derive(Clone, Default)]
struct Resuming(Arc<Mutex<BTreeSet<String>>>);

async fn resume(State(Resuming(asked)): State<Resuming>, uri: Uri) -> Response {
    let is_first = asked.lock().unwrap().insert(uri.path().to_owned());
    if is_first {
        let problem = json!({"detail": "the database is resuming"});
        return (StatusCode::SERVICE_UNAVAILABLE, Json(problem)).into_response();
    }
    let newest = store::MIGRATOR.iter().map(|one| one.version).max();
    let answer = match uri.path() {
        "/v1/records/lookup" => json!({"items": [], "retention_horizon": null}),
        _ => json!({
            "total": 0, "total_is_estimate": false, "last_ingested_at": null,
            "database_now": chrono::Utc::now(), "schema_version": newest, "partitions_total": 1,
            "partitions": [{
                "name": "records_all", "bounds": "FOR VALUES FROM (MINVALUE) TO (MAXVALUE)",
                "records_estimate": 0, "bytes": 0,
            }],
        }),
    };
    Json(answer).into_response()
}

#[test]
fn database_that_pauses_is_given_time_and_its_schema_is_read_by_the_api() {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(resume);
    let router = router.with_state(Resuming::default());
    runtime.spawn(async move { axum::serve(listener, router).await });
    let program = Program::new();
    let text = environment_at("pilot", NOBODY, "database_pauses = true\n");
    let nobody = format!("api_url = \"{NOBODY}\"");
    program.configure(&text.replace(&nobody, &format!("api_url = \"{url}\"")));
    let (_, report) = program.json(&["lint"]);
    let passed = report["passed"].as_array().unwrap();
    for id in [
        "schema-behind",
        "schema-ahead",
        "partitions-run-out",
        "rows-in-default-partition",
        "clock-apart-from-database",
    ] {
        assert!(passed.contains(&json!(id)), "{id}: {report:#}");
    }
    let unchecked = report["not_checked"].as_array().unwrap();
    let upkeep = unchecked
        .iter()
        .find(|check| check["id"] == "upkeep-behind");
    let upkeep = upkeep.unwrap();
    assert_eq!(upkeep["is_failure"], true, "{upkeep}");
    assert!(upkeep["reason"].as_str().unwrap().contains("database_url"));
}
