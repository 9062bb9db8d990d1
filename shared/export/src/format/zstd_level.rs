//! How hard zstd tries.

/// Its own default.
pub(super) const ZSTD_LEVEL: i32 = 3;
