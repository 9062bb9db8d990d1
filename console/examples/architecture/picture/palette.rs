//! Colours: the categories and groups of AWS's diagrams, on a light and on a dark ground.

/// One of the two pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    Light,
    Dark,
}

/// What a colour is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Ground,
    /// The ground of a security group and of the legend.
    Panel,
    Text,
    Muted,
    /// Lines of the table.
    Rule,
    /// On a tile in a category's colour.
    OnTile,
    Compute,
    Integration,
    Network,
    Database,
    Storage,
    Security,
    /// Region, Availability Zone, private subnet.
    Teal,
    /// Ground of a private subnet.
    TealGround,
    /// Public subnet.
    Green,
    GreenGround,
    DeadLetter,
    Operator,
    Pilot,
    PilotGround,
    Production,
    ProductionGround,
}

impl Ink {
    /// The colour in a theme.
    pub(crate) const fn colour(self, theme: Theme) -> &'static str {
        let (light, dark) = match self {
            Self::Ground => ("#ffffff", "#0f1620"),
            Self::Panel => ("#ffffff", "#141d29"),
            Self::Text => ("#16202e", "#eef2f6"),
            Self::Muted => ("#4b5868", "#aab6c4"),
            Self::Rule => ("#d5dbe1", "#2c3948"),
            Self::OnTile => ("#ffffff", "#ffffff"),
            Self::Compute => ("#ed7100", "#ed7100"),
            Self::Integration => ("#e7157b", "#e7157b"),
            Self::Network => ("#8c4fff", "#9b6bff"),
            Self::Database => ("#c925d1", "#c925d1"),
            Self::Storage => ("#7aa116", "#7aa116"),
            Self::Security => ("#dd344c", "#e8495f"),
            Self::Teal => ("#00a4a6", "#1fb8ba"),
            Self::TealGround => ("#e6f6f7", "#10272e"),
            Self::Green => ("#7aa116", "#8fb72c"),
            Self::GreenGround => ("#f2f6e8", "#1a2518"),
            Self::DeadLetter => ("#c0162c", "#ff7484"),
            Self::Operator => ("#0b62c4", "#5cb0ff"),
            Self::Pilot => ("#0a6b4a", "#5fdcae"),
            Self::PilotGround => ("#dff5ec", "#0f3a2d"),
            Self::Production => ("#5b2bb5", "#c9b3ff"),
            Self::ProductionGround => ("#ece4ff", "#32235c"),
        };
        match theme {
            Theme::Light => light,
            Theme::Dark => dark,
        }
    }
}
