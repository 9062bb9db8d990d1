//! Packages the functions for AWS Lambda: `bootstrap` in a zip file, for `provided.al2023`.
//!
//! Invariant: the same binary results in the same package, byte by byte, so that the hash changes only
//! with the code. A binary that the runtime cannot start is never packaged for AWS.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use object::elf::{EM_AARCH64, EM_X86_64, FileHeader64, Machine};
use object::read::elf::FileHeader as _;
use object::{Endianness, FileKind};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;

use crate::architecture::{Architecture, GLIBC_MAX, GlibcVersion};
use crate::{DevstackError, Functions};

/// Executable for all, as the runtime requires.
const BOOTSTRAP_MODE: u32 = 0o755;

/// A package that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Package {
    /// The zip file.
    pub path: PathBuf,
    /// Size of the zip file in bytes.
    pub bytes: usize,
    /// SHA-256 of the zip file, in hexadecimal digits.
    pub sha256: String,
}

/// Where the packages will run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// On AWS.
    Lambda(Architecture),
    /// On an emulator on this machine, which starts any binary that this machine starts.
    Emulator,
}

/// Writes `ingest.zip`, `api.zip` and `migrate.zip` into `folder`.
///
/// # Errors
/// When a binary would not start in the runtime (see [`check`]), or a file cannot be read or written.
pub fn write(
    functions: &Functions,
    runtime: Runtime,
    folder: &Path,
) -> Result<Vec<Package>, DevstackError> {
    fs::create_dir_all(folder)
        .map_err(DevstackError::io(format!("create {}", folder.display())))?;
    [
        ("ingest", &functions.ingest),
        ("api", &functions.api),
        ("migrate", &functions.migrate),
    ]
    .into_iter()
    .map(|(name, binary)| {
        let content =
            fs::read(binary).map_err(DevstackError::io(format!("read {}", binary.display())))?;
        if let Runtime::Lambda(architecture) = runtime {
            check(&content, architecture).map_err(|detail| DevstackError::Failed {
                operation: format!("package {}", binary.display()),
                detail,
            })?;
        }
        let package = pack(&content)?;
        let path = folder.join(format!("{name}.zip"));
        fs::write(&path, &package)
            .map_err(DevstackError::io(format!("write {}", path.display())))?;
        Ok(Package {
            path,
            bytes: package.len(),
            sha256: hexadecimal(&Sha256::digest(&package)),
        })
    })
    .collect()
}

const fn machine(architecture: Architecture) -> Machine {
    match architecture {
        Architecture::Arm64 => EM_AARCH64,
        Architecture::X86_64 => EM_X86_64,
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A zip file with `bootstrap` as its only entry and a constant time stamp.
///
/// # Errors
/// When the zip file cannot be created.
pub fn pack(bootstrap: &[u8]) -> Result<Vec<u8>, DevstackError> {
    let failed = |detail: String| DevstackError::Failed {
        operation: "create a zip file".to_owned(),
        detail,
    };
    let options = SimpleFileOptions::default()
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(BOOTSTRAP_MODE);
    let mut package = zip::ZipWriter::new(Cursor::new(Vec::new()));
    package
        .start_file("bootstrap", options)
        .map_err(|error| failed(error.to_string()))?;
    package
        .write_all(bootstrap)
        .map_err(|error| failed(error.to_string()))?;
    package
        .finish()
        .map(Cursor::into_inner)
        .map_err(|error| failed(error.to_string()))
}

/// Checks that the runtime can start the binary.
///
/// # Errors
/// Why it cannot (format, architecture, or a newer C library), with the fix.
pub fn check(binary: &[u8], architecture: Architecture) -> Result<(), String> {
    if !matches!(FileKind::parse(binary), Ok(FileKind::Elf64)) {
        return Err("it is not a 64-bit Linux binary; compile it with cargo zigbuild".to_owned());
    }
    let required =
        Requirements::read(binary).map_err(|error| format!("it cannot be read: {error}"))?;
    if required.machine != machine(architecture) {
        return Err(format!("it is not compiled for {architecture}"));
    }
    match required.glibc {
        Some(version) if version > GLIBC_MAX => Err(format!(
            "it needs glibc {version}, and provided.al2023 has {GLIBC_MAX}: this machine's C library \
             is too new to link against; pip install cargo-zigbuild ziglang and package again"
        )),
        Some(_) | None => Ok(()),
    }
}

/// The requirements of a binary.
struct Requirements {
    machine: Machine,
    /// The newest symbol version of the C library; `None` where it is linked statically.
    glibc: Option<GlibcVersion>,
}

impl Requirements {
    fn read(binary: &[u8]) -> object::Result<Self> {
        let header = FileHeader64::<Endianness>::parse(binary)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, binary)?;
        let mut glibc = None;
        if let Some((mut needs, strings)) = sections.gnu_verneed(endian, binary)? {
            let strings = sections.strings(endian, binary, strings)?;
            while let Some((_, mut versions)) = needs.next()? {
                while let Some(version) = versions.next()? {
                    let name = version.name(endian, strings)?;
                    glibc = glibc.max(GlibcVersion::of_symbol(name));
                }
            }
        }
        Ok(Self {
            machine: header.e_machine(endian),
            glibc,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// The binary of this test, as an example.
    fn own_binary() -> Vec<u8> {
        fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn package_is_the_same_each_time_and_has_an_executable_bootstrap() {
        let package = pack(b"binary").unwrap();
        assert_eq!(package, pack(b"binary").unwrap());
        let mut archive = zip::ZipArchive::new(Cursor::new(package)).unwrap();
        assert_eq!(archive.len(), 1);
        let mut entry = archive.by_name("bootstrap").unwrap();
        assert_eq!(entry.unix_mode().unwrap() & 0o777, 0o755);
        assert_eq!(entry.last_modified().unwrap(), zip::DateTime::default());
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        assert_eq!(content, b"binary");
    }

    #[test]
    fn symbol_versions_are_compared_by_number() {
        let version = |text: &str| GlibcVersion::of_symbol(text.as_bytes());
        assert!(version("GLIBC_2.4") < version("GLIBC_2.34"));
        assert!(version("GLIBC_2.2.5") < Some(GLIBC_MAX));
        assert!(version("GLIBC_2.38") > Some(GLIBC_MAX));
        for other in ["GLIBC_PRIVATE", "GCC_3.0", "GLIBC_2"] {
            assert_eq!(version(other), None, "{other}");
        }
    }

    #[test]
    fn binary_of_another_kind_is_refused_with_the_fix() {
        for binary in [b"#!/bin/sh\n".as_slice(), b"", b"\x7fELF"] {
            let reason = check(binary, Architecture::X86_64).unwrap_err();
            assert!(reason.contains("cargo zigbuild"), "{reason}");
        }
        let Some(own) = Architecture::of_this_machine() else {
            return;
        };
        let other = match own {
            Architecture::Arm64 => Architecture::X86_64,
            Architecture::X86_64 => Architecture::Arm64,
        };
        let reason = check(&own_binary(), other).unwrap_err();
        assert_eq!(reason, format!("it is not compiled for {other}"));
    }

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[test]
    fn c_library_that_is_too_new_is_refused_with_the_fix() {
        let own = Architecture::of_this_machine().unwrap();
        let mut binary = own_binary();
        // Rust's start-up code needs 2.34; the replacement has the same length.
        let newest = Requirements::read(&binary).unwrap().glibc.unwrap();
        let wanted = format!("GLIBC_{newest}\0");
        let too_new = "GLIBC_2.99\0";
        assert_eq!(wanted.len(), too_new.len());
        let mut place = 0;
        while let Some(found) = binary.get(place..).and_then(|rest| {
            rest.windows(wanted.len())
                .position(|window| window == wanted.as_bytes())
        }) {
            let start = place + found;
            binary[start..start + wanted.len()].copy_from_slice(too_new.as_bytes());
            place = start + wanted.len();
        }
        let reason = check(&binary, own).unwrap_err();
        assert!(reason.contains("needs glibc 2.99"), "{reason}");
        assert!(reason.contains("pip install cargo-zigbuild"), "{reason}");
    }
}
