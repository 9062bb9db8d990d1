//! The picture of the architecture: Terraform's files → facts → places → SVG.
//!
//! Invariant: it shows what Terraform has. A resource or module that is neither drawn nor listed as not drawn, a part
//! without a resource, and a text that lies on something else are errors, and nothing is drawn.

mod arrows;
pub(crate) mod check;
mod diagram;
pub(crate) mod geometry;
pub(crate) mod inventory;
mod legend;
pub(crate) mod lettering;
pub(crate) mod marks;
mod model;
pub(crate) mod palette;
mod places;
pub(crate) mod scene;
mod svg;
pub(crate) mod terraform;

use std::path::Path;

use geometry::rect;
use lettering::Weight;
use model::Model;
use palette::{Ink, Theme};
use scene::{Scene, Text};
use terraform::Terraform;

/// The files of the picture below `screenshots`.
pub(crate) const FILES: [(&str, Theme); 2] = [
    ("architecture.svg", Theme::Light),
    ("architecture-dark.svg", Theme::Dark),
];

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PictureError {
    #[error("read Terraform: {0}")]
    Terraform(String),
    #[error("the picture is not of this Terraform:\n  {}", .0.join("\n  "))]
    Differs(Vec<String>),
    #[error("the picture cannot be read:\n  {}", .0.join("\n  "))]
    Unreadable(Vec<String>),
    #[error("write SVG: {0}")]
    Svg(#[from] std::io::Error),
}

/// The picture of a folder `terraform`, as SVG in each theme, in the order of [`FILES`].
///
/// # Errors
/// See [`PictureError`].
pub(crate) fn draw(folder: &Path) -> Result<[String; 2], PictureError> {
    let terraform = Terraform::read(folder).map_err(PictureError::Terraform)?;
    let model = Model::read(&terraform).map_err(PictureError::Terraform)?;
    let scene = compose(&model);
    let differences = inventory::differences(&terraform, &scene.drawn);
    if !differences.is_empty() {
        return Err(PictureError::Differs(differences));
    }
    let faults = check::faults(&scene);
    if !faults.is_empty() {
        return Err(PictureError::Unreadable(faults));
    }
    let write = |theme| svg::write(&scene, theme, TITLE, &description(&model));
    let [(_, first), (_, second)] = FILES;
    Ok([write(first)?, write(second)?])
}

const TITLE: &str = "Architecture of the event pipeline on AWS";

fn compose(model: &Model) -> Scene {
    let mut scene = Scene {
        width: 1280.0,
        ..Scene::default()
    };
    let room = rect(24.0, 16.0, 1256.0, 56.0);
    scene.texts.push(Text {
        left: 24.0,
        baseline: 44.0,
        size: 26.0,
        weight: Weight::Bold,
        ink: Ink::Text,
        content: "Event pipeline on AWS".to_owned(),
        room,
    });
    let room = rect(24.0, 56.0, 1256.0, 80.0);
    let subtitle = "Pilot and production, drawn from terraform/ by cargo run -p opsconsole --example architecture";
    scene.text((24.0, 70.0), subtitle, (Weight::Regular, Ink::Muted), room);
    diagram::draw(&mut scene, model);
    legend::draw(&mut scene, model);
    scene
}

/// The picture in words, for those who do not see it.
fn description(model: &Model) -> String {
    let [first, second] = &model.zones;
    format!(
        "Publishers send CloudEvents to an SNS topic, which delivers them to an SQS queue. The Lambda function ingest \
         reads the queue and writes to Aurora PostgreSQL. The Lambda function api reads from there and answers an HTTP \
         API for third parties. Dead letters go to a dead-letter queue, from which the operator redrives them with \
         opsconsole. Functions and database are in private subnets of a VPC in {}, in the Availability Zones {} and \
         {}. Dashed parts are optional: NAT gateways, replication to Redshift, an S3 bucket for exports.",
        model.region, first.name, second.name,
    )
}
