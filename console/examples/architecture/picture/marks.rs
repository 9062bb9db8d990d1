//! The marks on the tiles: our own simple drawings, each in a square of 48 by 48 and drawn by strokes alone.

/// What a tile shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Function,
    Topic,
    Queue,
    DeadLetterQueue,
    Database,
    HttpApi,
    Clock,
    Key,
    Chart,
    Bell,
    Bucket,
    Warehouse,
    Globe,
    Translate,
    EgressOnly,
    Endpoint,
    Application,
    People,
    Terminal,
    Cloud,
    Flag,
    OpenLock,
    ClosedLock,
}

impl Mark {
    /// The data of its path.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Function => "M15 12h6l12 24h5M23.5 18 14 36",
            Self::Topic => {
                "M10 24a4 4 0 1 0 8 0a4 4 0 1 0-8 0M18 24h13M17 21l14-9M17 27l14 9M31 12a3 3 0 1 0 6 0a3 3 0 1 0-6 0M31 24a3 3 0 1 0 6 0a3 3 0 1 0-6 0M31 36a3 3 0 1 0 6 0a3 3 0 1 0-6 0"
            }
            Self::Queue => "M9 16h30v16h-30zM19 16v16M29 16v16M14 24h0.1M24 24h0.1M34 24h0.1",
            Self::DeadLetterQueue => "M9 12h30v14h-30zM19 12v14M29 12v14M20 31l8 8M28 31l-8 8",
            Self::Database => {
                "M12 14a12 5 0 1 0 24 0a12 5 0 1 0-24 0M12 14v20a12 5 0 0 0 24 0v-20M12 24a12 5 0 0 0 24 0"
            }
            Self::HttpApi => "M17 15l-8 9l8 9M31 15l8 9l-8 9M27 12l-6 24",
            Self::Clock => "M10 24a14 14 0 1 0 28 0a14 14 0 1 0-28 0M24 15v9l6 5",
            Self::Key => "M10 18a7 7 0 1 0 14 0a7 7 0 1 0-14 0M22 23l15 14M32 32l4-4M27.5 28l4-4",
            Self::Chart => "M10 10v28h28M15 31l7-9l6 5l9-13",
            Self::Bell => {
                "M24 10a9 9 0 0 1 9 9c0 9 4 12 4 14h-26c0-2 4-5 4-14a9 9 0 0 1 9-9M20 37a4 4 0 0 0 8 0"
            }
            Self::Bucket => {
                "M11 14a13 4 0 1 0 26 0a13 4 0 1 0-26 0M11 14l4 22a9 3 0 0 0 18 0l4-22M13.5 26a10.6 3.5 0 0 0 21 0"
            }
            Self::Warehouse => "M9 36h30M13 36v-12h6v12M21 36v-22h6v22M29 36v-16h6v16",
            Self::Globe => {
                "M11 24a13 13 0 1 0 26 0a13 13 0 1 0-26 0M11 24h26M24 11c-8 8-8 18 0 26c8-8 8-18 0-26"
            }
            Self::Translate => "M12 19h22M28 13l6 6l-6 6M36 30h-22M20 24l-6 6l6 6",
            Self::EgressOnly => "M37 24h-24M20 17l-7 7l7 7M34 13v-1M34 36v-1M34 17v-1M34 32v-1",
            Self::Endpoint => "M17 24a7 7 0 1 0 14 0a7 7 0 1 0-14 0M9 24h8M31 24h8M24 24h0.1",
            Self::Application => {
                "M9 11h30v26h-30zM9 18h30M13.5 14.5h0.1M17.5 14.5h0.1M15 26h18M15 31h11"
            }
            Self::People => {
                "M11 18a5 5 0 1 0 10 0a5 5 0 1 0-10 0M7 35c0-12 18-12 18 0M28 16a5 5 0 1 0 10 0a5 5 0 1 0-10 0M29 26c6-3 13 0 13 9"
            }
            Self::Terminal => "M8 11h32v26h-32zM14 18l6 6l-6 6M23 31h10",
            Self::Cloud => "M15 34a7 7 0 0 1-1-14a10 10 0 0 1 19-2a8 8 0 0 1 1 16z",
            Self::Flag => "M15 39v-30h19l-5 7l5 7h-19",
            Self::OpenLock => "M12 22h24v16h-24zM17 22v-6a7 7 0 0 1 13-3",
            Self::ClosedLock => "M12 22h24v16h-24zM17 22v-6a7 7 0 0 1 14 0v6",
        }
    }
}
