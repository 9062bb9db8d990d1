//! Processor architecture and C library for which a function is compiled.
//!
//! Invariant: architectures have the names that AWS and Terraform use.

use std::fmt;

/// The C library of `provided.al2023` (AWS Lambda guide, "Lambda runtimes": Amazon Linux 2023).
pub const GLIBC_MAX: GlibcVersion = GlibcVersion {
    major: 2,
    minor: 34,
};

/// The processor architecture of a function, by AWS's and Terraform's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// AWS Graviton.
    Arm64,
    /// Intel and AMD.
    X86_64,
}

impl Architecture {
    /// The architecture of this machine; `None` where its binaries do not run on AWS.
    #[must_use]
    pub const fn of_this_machine() -> Option<Self> {
        if !cfg!(all(target_os = "linux", target_env = "gnu")) {
            None
        } else if cfg!(target_arch = "aarch64") {
            Some(Self::Arm64)
        } else if cfg!(target_arch = "x86_64") {
            Some(Self::X86_64)
        } else {
            None
        }
    }

    /// The target triple of rustc.
    pub(crate) const fn target(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-unknown-linux-gnu",
            Self::X86_64 => "x86_64-unknown-linux-gnu",
        }
    }

    /// The target of `cargo zigbuild`: the triple with the version of the C library.
    pub(crate) fn linked_target(self) -> String {
        let GlibcVersion { major, minor } = GLIBC_MAX;
        format!("{}.{major}.{minor}", self.target())
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        })
    }
}

/// A version of the GNU C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GlibcVersion {
    /// The number before the dot.
    pub major: u32,
    /// The number after it.
    pub minor: u32,
}

impl GlibcVersion {
    /// Reads the name of a symbol version like `GLIBC_2.34`; a third number is ignored.
    pub(crate) fn of_symbol(name: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?;
        let mut parts = text.split('.').map(str::parse);
        Some(Self {
            major: parts.next()?.ok()?,
            minor: parts.next()?.ok()?,
        })
    }
}

impl fmt::Display for GlibcVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}
