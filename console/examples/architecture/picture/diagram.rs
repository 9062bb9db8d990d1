//! The part of the picture inside and around the AWS Cloud: groups and services.

use super::arrows;
use super::geometry::{Point, Rect, at, rect};
use super::inventory::Component;
use super::lettering::{self, Weight};
use super::marks::Mark;
use super::model::{Model, Presence, Zone};
use super::palette::Ink;
use super::places::{
    BEFORE, BEHIND, CLOUD, DATABASE, DATABASE_GROUP, DEAD_LETTERS, ENDPOINT, ENDPOINTS, EXPORTS,
    FUNCTIONS, FUNCTIONS_GROUP, GATEWAY, GATEWAYS, HALF, HALF_ROUND, LEFT, MIDDLE, NAT, OPERATION,
    PUBLISHERS, READERS, REGION, RIGHT, SCHEDULE, TOPIC, VPC, WATCH, ZONES,
};
use super::scene::{Group, Node, SIZE, Scene, Shape, Side, pill_width};

/// Draws everything but the legend.
pub(crate) fn draw(scene: &mut Scene, model: &Model) {
    groups(scene, model);
    messaging(scene, model);
    network(scene, model);
    functions(scene);
    database(scene, model);
    readers(scene, model);
    operation(scene, model);
    arrows::draw(scene, model);
}

fn groups(scene: &mut Scene, model: &Model) {
    let region = format!("Region {}", model.region);
    group(
        scene,
        CLOUD,
        "AWS Cloud",
        (Ink::Text, None, None),
        Some(Mark::Cloud),
    );
    group(
        scene,
        REGION,
        &region,
        (Ink::Teal, Some("2 4"), None),
        Some(Mark::Flag),
    );
    let vpc = format!("VPC {}", model.vpc_cidr);
    group(
        scene,
        VPC,
        &vpc,
        (Ink::Network, None, None),
        Some(Mark::Cloud),
    );
    scene.drawn.extend([
        Component::Vpc,
        Component::PublicSubnets,
        Component::PrivateSubnets,
        Component::FunctionsGroup,
        Component::DatabaseGroup,
    ]);
    for (zone, frame) in model.zones.iter().zip(ZONES) {
        self::zone(scene, zone, frame);
    }
    for (frame, name) in [
        (FUNCTIONS_GROUP, "Security group: functions"),
        (DATABASE_GROUP, "Security group: database"),
    ] {
        scene.groups.push(Group {
            frame,
            border: Ink::Security,
            dash: None,
            fill: Some(Ink::Panel),
            mark: None,
        });
        let width = lettering::width(name, SIZE, Weight::Regular).unwrap_or_default();
        let place = (frame.right - 10.0 - width, frame.top + 18.0);
        scene.text(place, name, (Weight::Regular, Ink::Security), frame);
    }
}

fn zone(scene: &mut Scene, zone: &Zone, frame: Rect) {
    scene.groups.push(Group {
        frame,
        border: Ink::Teal,
        dash: Some("6 4"),
        fill: None,
        mark: None,
    });
    let middle = (frame.left + frame.right) / 2.0;
    let name = format!("Availability Zone {}", zone.name);
    scene.centred(
        (middle, frame.top + 18.0),
        &name,
        (Weight::Regular, Ink::Teal),
        frame,
    );
    let (left, right) = (frame.left + 10.0, frame.right - 10.0);
    let public = rect(left, 272.0, right, 344.0);
    let private = rect(left, 356.0, right, 802.0);
    let name = format!("Public subnet {}", zone.public_cidr);
    let look = (Ink::Green, None, Some(Ink::GreenGround));
    group(scene, public, &name, look, Some(Mark::OpenLock));
    let name = format!("Private subnet {}", zone.private_cidr);
    let look = (Ink::Teal, None, Some(Ink::TealGround));
    group(scene, private, &name, look, Some(Mark::ClosedLock));
}

type Look = (Ink, Option<&'static str>, Option<Ink>);

fn group(scene: &mut Scene, frame: Rect, name: &str, look: Look, mark: Option<Mark>) {
    let (border, dash, fill) = look;
    scene.groups.push(Group {
        frame,
        border,
        dash,
        fill,
        mark,
    });
    let place = (frame.left + 32.0, frame.top + 17.0);
    scene.text(place, name, (Weight::Regular, border), frame);
}

fn messaging(scene: &mut Scene, model: &Model) {
    let lane = 136.0;
    service(
        scene,
        (Component::Topic, Mark::Topic, Ink::Integration),
        at(BEFORE, TOPIC),
        lane,
        ("SNS topic", "raw delivery"),
    );
    let note = format!("{} days", model.queue_days);
    service(
        scene,
        (Component::Queue, Mark::Queue, Ink::Integration),
        at(BEFORE, FUNCTIONS),
        lane,
        ("SQS queue", &note),
    );
    let note = format!("{} days", model.dead_letter_days);
    service(
        scene,
        (
            Component::DeadLetterQueue,
            Mark::DeadLetterQueue,
            Ink::Integration,
        ),
        at(BEFORE, DEAD_LETTERS),
        lane,
        ("Dead-letter queue", &note),
    );
    outside(
        scene,
        Mark::Application,
        at(PUBLISHERS, TOPIC),
        ("Publishers", "CloudEvents"),
    );
}

fn network(scene: &mut Scene, model: &Model) {
    let gateway = Node {
        component: Some(Component::InternetGateway),
        centre: at(GATEWAYS, NAT),
        half: HALF_ROUND,
        mark: Mark::Globe,
        shape: Shape::Round,
        ink: Ink::Network,
        presence: Presence::Both,
        side: Side::Above,
        room: 92.0,
        label: lines(&["Internet", "gateway"]),
        notes: Vec::new(),
    };
    scene.node(gateway);
    scene.node(Node {
        component: Some(Component::EgressOnlyGateway),
        centre: at(GATEWAYS, GATEWAY),
        half: HALF_ROUND,
        mark: Mark::EgressOnly,
        shape: Shape::Round,
        ink: Ink::Network,
        presence: model.presence(|environment| environment.has_ipv6_egress),
        side: Side::Above,
        room: 92.0,
        label: lines(&["Egress-only", "internet", "gateway"]),
        notes: Vec::new(),
    });
    for (x, zone) in ENDPOINT.into_iter().zip(ZONES) {
        scene.node(Node {
            component: Some(Component::SqsEndpoints),
            centre: at(x, ENDPOINTS),
            half: HALF_ROUND,
            mark: Mark::Endpoint,
            shape: Shape::Round,
            ink: Ink::Network,
            presence: model.presence(|environment| environment.has_sqs_endpoint),
            side: Side::Below,
            room: 120.0,
            label: lines(&["VPC endpoint"]),
            notes: lines(&["SQS"]),
        });
        scene.node(Node {
            component: Some(Component::NatGateways),
            centre: at(zone.left + 44.0, NAT),
            half: 18.0,
            mark: Mark::Translate,
            shape: Shape::Round,
            ink: Ink::Network,
            presence: model.presence(|environment| environment.has_nat),
            side: Side::Right,
            room: 170.0,
            label: Vec::new(),
            notes: lines(&["NAT gateway"]),
        });
    }
    scene.drawn.insert(Component::FlowLog);
    let presence = model.presence(|environment| environment.flow_log_days.is_some());
    let name = "Flow logs";
    let width = lettering::width(name, SIZE, Weight::Regular).unwrap_or_default();
    let left = VPC.right - 12.0 - pill_width(presence);
    scene.pill((left, VPC.top + 17.0), presence);
    let place = (left - 6.0 - width, VPC.top + 22.0);
    scene.text(place, name, (Weight::Regular, Ink::Muted), VPC);
}

fn functions(scene: &mut Scene) {
    let room = 96.0;
    for (component, x, name, note) in [
        (Component::Ingest, LEFT, "ingest", "validates"),
        (Component::Migrate, MIDDLE, "migrate", "schema"),
        (Component::ApiFunction, RIGHT, "api", "reads"),
    ] {
        service(
            scene,
            (component, Mark::Function, Ink::Compute),
            at(x, FUNCTIONS),
            room,
            (name, note),
        );
    }
    scene.node(Node {
        component: Some(Component::Roles),
        centre: at(BEHIND, DATABASE),
        half: HALF,
        mark: Mark::Function,
        shape: Shape::Square,
        ink: Ink::Compute,
        presence: Presence::Both,
        side: Side::Below,
        room: 128.0,
        label: lines(&["roles"]),
        notes: lines(&["database users,", "by the Data API"]),
    });
    scene.node(Node {
        component: Some(Component::Schedule),
        centre: at(MIDDLE, SCHEDULE),
        half: HALF_ROUND,
        mark: Mark::Clock,
        shape: Shape::Square,
        ink: Ink::Integration,
        presence: Presence::Both,
        side: Side::Right,
        room: 200.0,
        label: lines(&["EventBridge Scheduler"]),
        notes: lines(&["daily, for partitions"]),
    });
}

fn database(scene: &mut Scene, model: &Model) {
    let name = format!("Aurora PostgreSQL {}", model.engine_version);
    scene.node(Node {
        component: Some(Component::Database),
        centre: at(LEFT, DATABASE),
        half: HALF,
        mark: Mark::Database,
        shape: Shape::Square,
        ink: Ink::Database,
        presence: Presence::Both,
        side: Side::Below,
        room: 190.0,
        label: vec![name.clone()],
        notes: lines(&["writer, Serverless v2"]),
    });
    scene.node(Node {
        component: Some(Component::Reader),
        centre: at(RIGHT, DATABASE),
        half: HALF,
        mark: Mark::Database,
        shape: Shape::Square,
        ink: Ink::Database,
        presence: model.presence(|environment| environment.instances > 1.0),
        side: Side::Below,
        room: 190.0,
        label: vec![name],
        notes: lines(&["standby reader"]),
    });
    scene.node(Node {
        component: Some(Component::ZeroEtl),
        centre: at(LEFT, OPERATION),
        half: HALF,
        mark: Mark::Warehouse,
        shape: Shape::Square,
        ink: Ink::Network,
        presence: model.presence(|environment| environment.has_zero_etl),
        side: Side::Below,
        room: 170.0,
        label: lines(&["Redshift"]),
        notes: lines(&["zero-ETL"]),
    });
    scene.node(Node {
        component: Some(Component::ExportBucket),
        centre: at(EXPORTS, OPERATION),
        half: HALF,
        mark: Mark::Bucket,
        shape: Shape::Square,
        ink: Ink::Storage,
        presence: model.presence(|environment| environment.has_export_bucket),
        side: Side::Below,
        room: 150.0,
        label: lines(&["S3 bucket"]),
        notes: lines(&["exports"]),
    });
}

fn readers(scene: &mut Scene, model: &Model) {
    let uses_jwt = model.presence(|environment| environment.has_jwt);
    let note = match uses_jwt {
        Presence::Optional => "HTTP API, IAM",
        Presence::Both => "HTTP API, JWT",
        Presence::Pilot | Presence::Production => "HTTP API",
    };
    service(
        scene,
        (Component::HttpApi, Mark::HttpApi, Ink::Network),
        at(BEHIND, FUNCTIONS),
        128.0,
        ("API Gateway", note),
    );
    outside(
        scene,
        Mark::People,
        at(READERS, FUNCTIONS),
        ("Third parties", "records"),
    );
}

fn operation(scene: &mut Scene, model: &Model) {
    scene.node(Node {
        component: Some(Component::Key),
        centre: at(BEHIND, TOPIC),
        half: HALF,
        mark: Mark::Key,
        shape: Shape::Square,
        ink: Ink::Security,
        presence: model.presence(|environment| environment.has_own_key),
        side: Side::Below,
        room: 130.0,
        label: lines(&["KMS key"]),
        notes: Vec::new(),
    });
    service(
        scene,
        (Component::CloudWatch, Mark::Chart, Ink::Integration),
        at(WATCH, OPERATION),
        190.0,
        ("CloudWatch", "logs, metrics, alarms"),
    );
    service(
        scene,
        (Component::AlarmTopic, Mark::Bell, Ink::Integration),
        at(BEHIND, OPERATION),
        128.0,
        ("SNS topic", "of alarms"),
    );
    outside(
        scene,
        Mark::Terminal,
        at(READERS, OPERATION),
        ("Operator", "opsconsole"),
    );
}

/// A service that exists in both environments, its label below.
fn service(
    scene: &mut Scene,
    (component, mark, ink): (Component, Mark, Ink),
    centre: Point,
    room: f64,
    (label, note): (&str, &str),
) {
    scene.node(Node {
        component: Some(component),
        centre,
        half: HALF,
        mark,
        shape: Shape::Square,
        ink,
        presence: Presence::Both,
        side: Side::Below,
        room,
        label: lines(&[label]),
        notes: lines(&[note]),
    });
}

/// Who uses the pipeline.
fn outside(scene: &mut Scene, mark: Mark, centre: Point, (label, note): (&str, &str)) {
    scene.node(Node {
        component: None,
        centre,
        half: HALF,
        mark,
        shape: Shape::Plain,
        ink: Ink::Text,
        presence: Presence::Both,
        side: Side::Below,
        room: 128.0,
        label: lines(&[label]),
        notes: lines(&[note]),
    });
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}
