//! Breaks the rules of liveness on purpose, one after the other, and shows that a test notices.
//!
//! `liveness.toml` beside this crate names each mutant: the rule it breaks, and the text that is
//! replaced by another. The state machine and its tests are copied into a crate of their own under
//! `target/mutants`, so that nothing but the two is built for each mutant. A mutant that no test
//! catches, or that does not compile, fails the run.
#![expect(clippy::print_stdout, reason = "the table is what the program is for")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// The crate that the mutants live in.
const MANIFEST: &str = r#"
[package]
name = "guildpulse"
version = "0.0.0"
edition = "2024"
[workspace]
[lib]
path = "src/lib.rs"
[[test]]
name = "liveness"
path = "tests/liveness/main.rs"
[dependencies]
bytes = "1"
itoa = "1"
jiff = { version = "0.2", default-features = false, features = ["std", "alloc"] }
serde = { version = "1", features = ["derive", "rc"] }
serde_json = "1"
serde_path_to_error = "0.1"
thiserror = "2"
[dev-dependencies]
proptest = { version = "1", default-features = false, features = ["std"] }
[profile.test]
opt-level = 1
debug = false
"#;

/// What stands before the list in docs/mutants.md.
const PAGE: &str = "\
# Mutants

`make mutants` breaks each of these on purpose, one after the other, and fails unless a test in `server/tests/liveness` notices.
The list is written by the program from `tools/mutants/liveness.toml`; a new rule or reading gets a mutant there.

| mutant | in `server/src/liveness` | what it breaks |
|---|---|---|
";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutant: Vec<Mutant>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    name: String,
    /// What it breaks, in words.
    breaks: String,
    /// The file below `server/src/liveness`.
    file: String,
    find: String,
    replace: String,
}

fn main() -> Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let list = fs::read_to_string(root.join("tools/mutants/liveness.toml"))?;
    let list: List = toml::from_str(&list).context("liveness.toml")?;
    write_page(&root.join("docs/mutants.md"), &list)?;
    let nursery = Nursery::new(&root)?;

    let unchanged = nursery.test()?;
    ensure!(unchanged.status.success(), "the tests fail without any mutant:\n{}", text(&unchanged));
    let mut survivors = 0;
    for mutant in &list.mutant {
        let caught = nursery.try_mutant(mutant).with_context(|| format!("mutant {}", mutant.name))?;
        survivors += usize::from(caught.is_empty());
        let verdict = match &caught[..] {
            [] => "SURVIVED".to_owned(),
            [first] => format!("caught by {first}"),
            [first, rest @ ..] => format!("caught by {first} and {} more", rest.len()),
        };
        println!("{:32} {}\n{:32} {verdict}", mutant.name, mutant.breaks, "");
    }
    println!("\n{} mutants, {} caught", list.mutant.len(), list.mutant.len() - survivors);
    Ok(if survivors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes the list for people, and fails if it was not up to date, so that it is committed.
fn write_page(path: &Path, list: &List) -> Result<()> {
    let mut page = PAGE.to_owned();
    for Mutant { name, breaks, file, .. } in &list.mutant {
        page += &format!("| `{name}` | `{file}` | {breaks} |\n");
    }
    let before = fs::read_to_string(path).unwrap_or_default();
    fs::write(path, &page)?;
    ensure!(before == page, "docs/mutants.md was not up to date and has been written anew");
    Ok(())
}

/// The crate under `target/mutants`.
struct Nursery {
    root: PathBuf,
    folder: PathBuf,
}

impl Nursery {
    fn new(root: &Path) -> Result<Self> {
        let nursery = Self { root: root.to_owned(), folder: root.join("target/mutants") };
        fs::create_dir_all(&nursery.folder)?;
        fs::write(nursery.folder.join("Cargo.toml"), MANIFEST)?;
        fs::copy(root.join("Cargo.lock"), nursery.folder.join("Cargo.lock"))?;
        nursery.lay_out("server/src/wire", "src/wire")?;
        nursery.lay_out("server/src/liveness", "src/liveness")?;
        nursery.lay_out("server/tests/liveness", "tests/liveness")?;
        fs::write(nursery.folder.join("src/lib.rs"), "pub mod liveness;\npub mod wire;\n")?;
        Ok(nursery)
    }

    /// Puts a copy of a folder of the repository into the crate.
    fn lay_out(&self, from: &str, to: &str) -> Result<()> {
        let to = self.folder.join(to);
        if to.exists() {
            fs::remove_dir_all(&to)?;
        }
        copy(&self.root.join(from), &to)
    }

    /// The names of the tests that catch the mutant.
    fn try_mutant(&self, mutant: &Mutant) -> Result<Vec<String>> {
        let path = self.folder.join("src/liveness").join(&mutant.file);
        let original = fs::read_to_string(&path)?;
        let places = original.matches(&mutant.find).count();
        ensure!(places == 1, "`{}` stands in {} {places} times, not once", mutant.find, mutant.file);
        fs::write(&path, original.replace(&mutant.find, &mutant.replace))?;
        let tested = self.test();
        fs::write(&path, original)?;
        let tested = tested?;
        let output = text(&tested);
        if !tested.status.success() && !output.contains("test result: FAILED") {
            bail!("it does not compile, or the tests do not end by themselves:\n{output}");
        }
        let failed = output.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
        Ok(failed.map(String::from).collect())
    }

    fn test(&self) -> Result<Output> {
        let mut command = Command::new("cargo");
        command.args(["test", "--quiet", "--test", "liveness", "--", "--format", "pretty"]);
        command.current_dir(&self.folder).env("CARGO_TARGET_DIR", self.folder.join("target"));
        // A mutant is to be caught, not to be explained.
        command.env("PROPTEST_MAX_SHRINK_ITERS", "0").env("RUST_BACKTRACE", "0");
        command.output().context("cargo cannot be run")
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
