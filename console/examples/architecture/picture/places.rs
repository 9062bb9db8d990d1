//! Where the parts of the picture are: columns, rows and frames on a grid of 2.

use super::geometry::{Rect, rect};

/// Columns: who publishes, the services before the VPC, its gateways, ingest and writer, the middle, api and reader,
/// the services behind the VPC, who reads.
pub(crate) const PUBLISHERS: f64 = 76.0;
pub(crate) const BEFORE: f64 = 236.0;
pub(crate) const GATEWAYS: f64 = 376.0;
pub(crate) const ENDPOINT: [f64; 2] = [510.0, 890.0];
pub(crate) const LEFT: f64 = 602.0;
pub(crate) const MIDDLE: f64 = 700.0;
pub(crate) const RIGHT: f64 = 798.0;
pub(crate) const BEHIND: f64 = 1050.0;
pub(crate) const READERS: f64 = 1212.0;
/// Between the cloud and those who read.
pub(crate) const LANE: f64 = 1152.0;
/// Between the services before the VPC and the VPC.
pub(crate) const ELBOW: f64 = 312.0;

/// Rows.
pub(crate) const SCHEDULE: f64 = 174.0;
pub(crate) const TOPIC: f64 = 264.0;
pub(crate) const NAT: f64 = 316.0;
pub(crate) const FUNCTIONS: f64 = 434.0;
pub(crate) const GATEWAY: f64 = 560.0;
pub(crate) const DEAD_LETTERS: f64 = 572.0;
pub(crate) const ENDPOINTS: f64 = 600.0;
pub(crate) const JOIN: f64 = 640.0;
pub(crate) const DATABASE: f64 = 718.0;
pub(crate) const OPERATION: f64 = 872.0;
pub(crate) const BUS: f64 = 956.0;

/// The bucket and CloudWatch, below the VPC.
pub(crate) const EXPORTS: f64 = 396.0;
pub(crate) const WATCH: f64 = 824.0;

/// Half of a tile of a service, and of a part of the network.
pub(crate) const HALF: f64 = 22.0;
pub(crate) const HALF_ROUND: f64 = 20.0;
/// From the centre of a tile to the end of a label below it.
pub(crate) const LABEL_1: f64 = HALF + 24.0;
pub(crate) const LABEL_2: f64 = LABEL_1 + 18.0;

pub(crate) const CLOUD: Rect = rect(148.0, 88.0, 1132.0, 984.0);
pub(crate) const REGION: Rect = rect(160.0, 120.0, 1120.0, 972.0);
pub(crate) const VPC: Rect = rect(320.0, 208.0, 984.0, 824.0);
pub(crate) const ZONES: [Rect; 2] = [
    rect(428.0, 244.0, 694.0, 812.0),
    rect(706.0, 244.0, 972.0, 812.0),
];
pub(crate) const FUNCTIONS_GROUP: Rect = rect(450.0, 384.0, 950.0, 506.0);
pub(crate) const DATABASE_GROUP: Rect = rect(450.0, 668.0, 950.0, 790.0);
