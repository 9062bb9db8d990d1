//! `man`: writes the manual pages, one for each command.

pub(crate) mod arguments;
mod page;

use std::fs;
use std::path::Path;

use clap::Command;
use serde::Serialize;

use crate::cli::man::arguments::ManArguments;
use crate::cli::{CommandError, Exit, Output};

#[derive(Serialize)]
struct Written {
    folder: String,
    pages: Vec<String>,
}

pub(crate) fn run(
    command: Command,
    arguments: &ManArguments,
    output: Output,
) -> Result<Exit, CommandError> {
    let folder = &arguments.into;
    let failed = |path: &Path| {
        let operation = format!("write manual page {}", path.display());
        move |cause| CommandError::File { operation, cause }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let mut pages = Vec::new();
    for page in page::all(command) {
        let path = folder.join(&page.file_name);
        fs::write(&path, page.roff).map_err(failed(&path))?;
        pages.push(page.file_name);
    }
    if output.is_json() {
        let folder = folder.display().to_string();
        output.json(&Written { folder, pages })?;
    } else {
        output.note(&format!(
            "{} pages are in {}",
            pages.len(),
            folder.display()
        ));
    }
    Ok(Exit::Done)
}
