//! The arrows: data, dead letters, what the operator does, and what is optional.

use super::geometry::{Point, at};
use super::inventory::Component;
use super::model::{Environment, Model, Presence};
use super::palette::Ink;
use super::places::{
    BEFORE, BEHIND, BUS, DATABASE, DATABASE_GROUP, DEAD_LETTERS, ELBOW, ENDPOINT, ENDPOINTS,
    EXPORTS, FUNCTIONS, GATEWAY, GATEWAYS, HALF, HALF_ROUND, JOIN, LABEL_2, LANE, LEFT, MIDDLE,
    NAT, OPERATION, PUBLISHERS, READERS, RIGHT, SCHEDULE, TOPIC, WATCH, ZONES,
};
use super::scene::{Arrow, Scene};

/// Draws all of them.
pub(crate) fn draw(scene: &mut Scene, model: &Model) {
    data_flow(scene);
    calls(scene);
    dead_letters(scene, model);
    operator(scene);
    optional(scene, model);
}

fn data_flow(scene: &mut Scene) {
    scene.drawn.extend([Component::FanOut, Component::Polling]);
    let half = HALF;
    flow(
        scene,
        &[at(PUBLISHERS + half, TOPIC), at(BEFORE - half, TOPIC)],
        &[("1", at(182.0, TOPIC))],
    );
    flow(
        scene,
        &[at(BEFORE, TOPIC + LABEL_2), at(BEFORE, FUNCTIONS - half)],
        &[("2", at(BEFORE, 366.0))],
    );
    scene.badge(at(BEFORE - half - 20.0, FUNCTIONS), "3", Ink::Text);
    flow(
        scene,
        &[at(BEFORE + half, FUNCTIONS), at(LEFT - half, FUNCTIONS)],
        &[("4", at(GATEWAYS, FUNCTIONS))],
    );
    flow(
        scene,
        &[
            at(LEFT - 10.0, FUNCTIONS + LABEL_2),
            at(LEFT - 10.0, DATABASE - half),
        ],
        &[("5", at(LEFT - 10.0, ENDPOINTS))],
    );
}

/// Between services, beside the way of an event.
fn calls(scene: &mut Scene) {
    let half = HALF;
    // migrate and api join into one line to the writer.
    let arrow = Arrow {
        points: vec![at(MIDDLE, FUNCTIONS + LABEL_2), at(MIDDLE, JOIN)],
        ink: Ink::Text,
        is_dashed: false,
        has_head: false,
    };
    scene.arrow(arrow, &[]);
    flow(
        scene,
        &[
            at(RIGHT, FUNCTIONS + LABEL_2),
            at(RIGHT, JOIN),
            at(LEFT + 10.0, JOIN),
            at(LEFT + 10.0, DATABASE - half),
        ],
        &[],
    );
    flow(
        scene,
        &[at(BEHIND - half, FUNCTIONS), at(RIGHT + half, FUNCTIONS)],
        &[("6", at(1006.0, FUNCTIONS))],
    );
    flow(
        scene,
        &[at(READERS - half, FUNCTIONS), at(BEHIND + half, FUNCTIONS)],
        &[],
    );
    flow(
        scene,
        &[
            at(MIDDLE, SCHEDULE + HALF_ROUND),
            at(MIDDLE, FUNCTIONS - half),
        ],
        &[],
    );
    flow(
        scene,
        &[
            at(BEHIND - half, DATABASE),
            at(DATABASE_GROUP.right, DATABASE),
        ],
        &[],
    );
    flow(
        scene,
        &[at(WATCH + HALF, OPERATION), at(BEHIND - HALF, OPERATION)],
        &[],
    );
}

/// Both ways to the queue, each dashed where no environment has it, and the retries.
fn dead_letters(scene: &mut Scene, model: &Model) {
    let line = |points: &[Point], is_dashed: bool, has_head: bool| Arrow {
        points: points.to_vec(),
        ink: Ink::DeadLetter,
        is_dashed,
        has_head,
    };
    let retries = [
        at(BEFORE - 14.0, FUNCTIONS + LABEL_2),
        at(BEFORE - 14.0, DEAD_LETTERS - HALF),
    ];
    scene.arrow(line(&retries, false, true), &[]);
    let fork = at(ENDPOINT[0], GATEWAY);
    let leave = FUNCTIONS + 12.0;
    let from_ingest = [at(LEFT - HALF, leave), at(fork.x, leave), fork];
    scene.arrow(line(&from_ingest, false, false), &[]);

    let is_off = |has: fn(&Environment) -> bool| model.presence(has) == Presence::Optional;
    let no_gateway = is_off(|environment| environment.has_ipv6_egress);
    let to_gateway = [fork, at(GATEWAYS + HALF_ROUND, GATEWAY)];
    scene.arrow(line(&to_gateway, no_gateway, true), &[]);
    let by_gateway = [
        at(GATEWAYS - HALF_ROUND, GATEWAY),
        at(BEFORE + HALF, GATEWAY),
    ];
    let badge = ("D", at(ELBOW - 22.0, GATEWAY));
    scene.arrow(line(&by_gateway, no_gateway, true), &[badge]);

    let no_endpoint = is_off(|environment| environment.has_sqs_endpoint);
    let to_endpoint = [fork, at(fork.x, ENDPOINTS - HALF_ROUND)];
    scene.arrow(line(&to_endpoint, no_endpoint, true), &[]);
    let by_endpoint = [
        at(fork.x - HALF_ROUND, ENDPOINTS),
        at(ELBOW, ENDPOINTS),
        at(ELBOW, DEAD_LETTERS + 12.0),
        at(BEFORE + HALF, DEAD_LETTERS + 12.0),
    ];
    scene.arrow(line(&by_endpoint, no_endpoint, true), &[]);
}

fn operator(scene: &mut Scene) {
    let line = |points: &[Point]| Arrow {
        points: points.to_vec(),
        ink: Ink::Operator,
        is_dashed: false,
        has_head: true,
    };
    let to_api = [
        at(READERS - HALF, OPERATION - 12.0),
        at(LANE, OPERATION - 12.0),
        at(LANE, FUNCTIONS + 12.0),
        at(BEHIND + HALF, FUNCTIONS + 12.0),
    ];
    scene.arrow(line(&to_api), &[("7", at(LANE, 660.0))]);
    let to_dead_letters = [
        at(READERS, OPERATION + LABEL_2),
        at(READERS, BUS),
        at(BEFORE, BUS),
        at(BEFORE, DEAD_LETTERS + LABEL_2),
    ];
    scene.arrow(line(&to_dead_letters), &[("R", at(BEFORE, 760.0))]);
    let redrive = [
        at(BEFORE + 14.0, DEAD_LETTERS - HALF),
        at(BEFORE + 14.0, FUNCTIONS + LABEL_2),
    ];
    scene.arrow(line(&redrive), &[]);
}

/// Dashed as long as no environment has them.
fn optional(scene: &mut Scene, model: &Model) {
    scene.drawn.insert(Component::AlarmMail);
    for x in [EXPORTS, LEFT] {
        scene.badge(at(x - HALF - 20.0, OPERATION), "W", Ink::Muted);
    }
    type Optional = (fn(&Environment) -> bool, [Point; 2]);
    let below = OPERATION + 8.0;
    let lines: [Optional; 4] = [
        (
            |environment| environment.has_alarm_mail,
            [at(BEHIND + HALF, below), at(READERS - HALF, below)],
        ),
        (
            |environment| environment.has_zero_etl,
            [at(LEFT, DATABASE_GROUP.bottom), at(LEFT, OPERATION - HALF)],
        ),
        (
            |environment| environment.has_export_bucket,
            [at(EXPORTS, BUS), at(EXPORTS, OPERATION + LABEL_2)],
        ),
        (
            |environment| environment.has_nat,
            [
                at(ZONES[0].left + 26.0, NAT),
                at(GATEWAYS + HALF_ROUND, NAT),
            ],
        ),
    ];
    for (has, points) in lines {
        let arrow = Arrow {
            points: points.to_vec(),
            ink: Ink::Muted,
            is_dashed: model.presence(has) == Presence::Optional,
            has_head: true,
        };
        scene.arrow(arrow, &[]);
    }
}

fn flow(scene: &mut Scene, points: &[Point], badges: &[(&str, Point)]) {
    let arrow = Arrow {
        points: points.to_vec(),
        ink: Ink::Text,
        is_dashed: false,
        has_head: true,
    };
    scene.arrow(arrow, badges);
}
