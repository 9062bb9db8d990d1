//! `records filters`: the filters that were given a name, here and on the Records screen.
//!
//! Invariant: it reads and writes one file of this user and connects to nothing.

use pipeline::environment::Folders;

use super::arguments::{Column, FiltersCommand, parsed};
use crate::cli::exit::{CommandError, Exit};
use crate::cli::output::Output;
use crate::cli::table::{Align, Keep, Table};
use crate::saved_filters::{self, SavedFilter, SavedFiltersError};

pub(crate) fn run(
    folders: &Folders,
    command: FiltersCommand,
    output: Output,
) -> Result<Exit, CommandError> {
    match command {
        FiltersCommand::List => {
            let filters = saved_filters::read(folders).map_err(failed)?;
            show(&filters, output)
        }
        FiltersCommand::Save {
            name,
            filter,
            columns,
        } => {
            parsed(&filter).map_err(CommandError::Usage)?;
            let filter = SavedFilter {
                name,
                filter,
                columns: columns
                    .iter()
                    .map(|Column(pointer)| pointer.to_string())
                    .collect(),
            };
            let filters = saved_filters::save(folders, filter).map_err(failed)?;
            show(&filters, output)
        }
        FiltersCommand::Remove { name } => {
            if !saved_filters::remove(folders, &name).map_err(failed)? {
                let text = format!("there is no saved filter {name:?}; `records filters list`");
                return Err(CommandError::Failed(text));
            }
            let filters = saved_filters::read(folders).map_err(failed)?;
            show(&filters, output)
        }
    }
}

/// The filter of a name.
pub(super) fn named(folders: &Folders, name: &str) -> Result<SavedFilter, CommandError> {
    let filters = saved_filters::read(folders).map_err(failed)?;
    let found = filters.into_iter().find(|filter| filter.name == name);
    found.ok_or_else(|| {
        CommandError::Usage(format!(
            "@{name}: there is no saved filter of that name; `opsconsole records filters list` shows them"
        ))
    })
}

fn failed(error: SavedFiltersError) -> CommandError {
    CommandError::Failed(error.to_string())
}

fn show(filters: &[SavedFilter], output: Output) -> Result<Exit, CommandError> {
    if output.is_json() {
        output.json(&filters)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[
        ("NAME", Align::Left, Keep::Always),
        ("FILTER", Align::Left, Keep::Cut),
        ("COLUMNS", Align::Left, Keep::Cut),
    ]);
    for filter in filters {
        table.row([&filter.name, &filter.filter, &filter.columns.join(" ")]);
    }
    output.table(&table)?;
    if filters.is_empty() {
        output.note("no filter is saved");
    }
    Ok(Exit::Done)
}
