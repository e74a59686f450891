//! `guildpulse backup`: a copy of the database, while a server may be using it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Args;

use super::Failure;
use crate::config::{Config, DataFlags};
use crate::store;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file to write; it must not be there yet
    file: PathBuf,
    #[command(flatten)]
    data: DataFlags,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let config = Config::load(arguments.data.into())?;
    let file = arguments.file;
    check(&config.data, &file).map_err(Failure::usage)?;
    // Written under another name first, so that what bears the name is whole.
    let draft = PathBuf::from(format!("{}.part", file.display()));
    let written = write(&config.data, &draft, &file);
    if written.is_err() {
        fs::remove_file(&draft).ok();
    }
    written.map_err(Failure::running)?;
    Ok(ExitCode::SUCCESS)
}

fn check(data: &Path, file: &Path) -> anyhow::Result<()> {
    let database = store::path(data);
    ensure!(database.exists(), "there is no database at {}; name the data folder with --data", database.display());
    ensure!(!file.exists(), "{} is there already; name a new file", file.display());
    Ok(())
}

fn write(data: &Path, draft: &Path, file: &Path) -> anyhow::Result<()> {
    let to = || format!("cannot write {}", file.display());
    store::backup(data, draft).with_context(to)?;
    File::open(draft).and_then(|draft| draft.sync_all()).with_context(to)?;
    // Unlike a rename, this does not write over what somebody else has put there meanwhile.
    fs::hard_link(draft, file).with_context(to)?;
    fs::remove_file(draft).with_context(to)
}
