//! The lists of mutants, and the page that shows them to people.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// What is broken, in the order in which that is shown.
const SUBJECTS: [&str; 2] = ["liveness", "reactor"];

/// What stands before the lists in docs/mutants.md.
const PAGE: &str = "\
# Mutants

`make mutants` breaks each of these on purpose, one after the other, and fails unless a test notices. The lists are written by the
program from `tools/mutants/*.toml`; a new rule or reading gets a mutant there.
";

/// The mutants of one subject.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct List {
    #[serde(skip)]
    pub(crate) subject: String,
    /// What the subject is, in words.
    about: String,
    /// The folder that the files of the mutants are in.
    pub(crate) folder: String,
    /// What is copied for it, files or folders.
    pub(crate) copied: Vec<String>,
    /// Files that are in the copy alone, with what is in them.
    #[serde(default)]
    pub(crate) written: Vec<Written>,
    /// Whether the libraries that it needs are those of the workspace, and not built for the copy.
    pub(crate) shares_libraries: bool,
    /// What follows `cargo test` to choose the program of the tests, and what follows that to choose among them.
    pub(crate) program: Vec<String>,
    #[serde(default)]
    pub(crate) tests: Vec<String>,
    pub(crate) mutant: Vec<Mutant>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    pub(crate) file: String,
    pub(crate) text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mutant {
    pub(crate) name: String,
    /// What it breaks, in words.
    pub(crate) breaks: String,
    /// Where in the folder of the subject.
    pub(crate) file: String,
    pub(crate) find: String,
    pub(crate) replace: String,
    /// It is noticed by that the tests do not come to an end.
    #[serde(default)]
    pub(crate) hangs: bool,
}

impl Mutant {
    /// Its file, given the original.
    pub(crate) fn of(&self, original: &str) -> Result<String> {
        let places = original.matches(&self.find).count();
        ensure!(places == 1, "`{}` stands in {} {places} times, not once", self.find, self.file);
        Ok(original.replace(&self.find, &self.replace))
    }
}

/// All lists.
pub(crate) fn read(root: &Path) -> Result<Vec<List>> {
    let read = |subject: &str| {
        let file = format!("tools/mutants/{subject}.toml");
        let list: List = toml::from_str(&fs::read_to_string(root.join(&file))?).context(file)?;
        Ok(List { subject: subject.to_owned(), ..list })
    };
    SUBJECTS.into_iter().map(read).collect()
}

/// Writes the lists for people, and fails if they were not up to date, so that they are committed.
pub(crate) fn write_page(path: &Path, lists: &[List]) -> Result<()> {
    let mut page = PAGE.to_owned();
    for List { about, folder, mutant, .. } in lists {
        page += &format!("\n## {about}\n\n| mutant | in `{folder}` | what it breaks |\n|---|---|---|\n");
        for Mutant { name, breaks, file, .. } in mutant {
            page += &format!("| `{name}` | `{file}` | {breaks} |\n");
        }
    }
    let before = fs::read_to_string(path).unwrap_or_default();
    fs::write(path, &page)?;
    ensure!(before == page, "docs/mutants.md was not up to date and has been written anew");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mutant_finds_what_it_breaks() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for List { folder, mutant, .. } in read(&root).unwrap() {
            for mutant in mutant {
                let original = fs::read_to_string(root.join(&folder).join(&mutant.file)).unwrap();
                mutant.of(&original).unwrap_or_else(|error| panic!("{}: {error}", mutant.name));
            }
        }
    }
}
