//! Where mutants live: a copy of a subject and its tests, so that nothing else is built for each.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::list::{List, Mutant, Written};

/// How long tests may take that take seconds.
const LIMIT: Duration = Duration::from_secs(120);

/// What the tests say of a mutant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// This test failed first.
    Caught {
        by: String,
    },
    /// No test has failed, and some did not end.
    Hung,
    Survived,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caught { by } => write!(f, "caught by {by}"),
            Self::Hung => write!(f, "the tests do not end"),
            Self::Survived => write!(f, "SURVIVED"),
        }
    }
}

pub(crate) struct Nursery<'a> {
    list: &'a List,
    folder: PathBuf,
    /// Where cargo builds.
    target: PathBuf,
}

impl<'a> Nursery<'a> {
    pub(crate) fn new(root: &Path, list: &'a List) -> Result<Self> {
        let folder = root.join("target/mutants").join(&list.subject);
        let target = if list.shares_libraries { root.join("target") } else { folder.join("target") };
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() && path != target {
                fs::remove_dir_all(path)?;
            }
        }
        for name in list.copied.iter().map(String::as_str).chain(["Cargo.lock"]) {
            copy(&root.join(name), &folder.join(name)).with_context(|| name.to_owned())?;
        }
        for Written { file, text } in &list.written {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().expect("it is in the folder"))?;
            fs::write(path, text)?;
        }
        Ok(Self { list, folder, target })
    }

    /// What the tests say when the subject is changed like this.
    pub(crate) fn try_mutant(&self, mutant: &Mutant) -> Result<Verdict> {
        let path = self.folder.join(&self.list.folder).join(&mutant.file);
        let original = fs::read_to_string(&path)?;
        fs::write(&path, mutant.of(&original)?)?;
        let verdict = self.test();
        fs::write(&path, original)?;
        verdict
    }

    pub(crate) fn test(&self) -> Result<Verdict> {
        let log = self.folder.join("tests.log");
        let mut command = Command::new(self.build()?);
        command.args(&self.list.tests).args(["--format", "pretty"]).current_dir(&self.folder);
        command.stdout(File::create(&log)?).stderr(Stdio::null());
        // A mutant is to be caught, not to be explained.
        command.env("PROPTEST_MAX_SHRINK_ITERS", "0").env("RUST_BACKTRACE", "0");
        let mut tests = command.spawn()?;
        let verdict = watch(&mut tests, &log);
        // It may have ended by itself.
        let _ = tests.kill();
        tests.wait()?;
        verdict
    }

    /// Builds the tests; returns the program.
    fn build(&self) -> Result<PathBuf> {
        let mut command = Command::new("cargo");
        command.args(["test", "--quiet", "--no-run", "--message-format=json-render-diagnostics"]).args(&self.list.program);
        command.current_dir(&self.folder).env("CARGO_TARGET_DIR", &self.target);
        let built = command.output().context("cargo cannot be run")?;
        ensure!(built.status.success(), "it does not compile:\n{}", String::from_utf8_lossy(&built.stderr));
        let messages = String::from_utf8(built.stdout)?;
        let mut programs = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok()?.executable);
        programs.next_back().context("cargo names no program")
    }
}

/// What cargo says of something that it has built.
#[derive(Debug, Deserialize)]
struct Message {
    executable: Option<PathBuf>,
}

/// Waits until a test fails or all have ended.
#[expect(clippy::disallowed_methods, reason = "how long tests take is seen on a clock")]
fn watch(tests: &mut Child, log: &Path) -> Result<Verdict> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let ended = tests.try_wait()?;
        let said = fs::read_to_string(log)?;
        let mut failed = said.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
        if let Some(by) = failed.next() {
            return Ok(Verdict::Caught { by: by.to_owned() });
        }
        match ended {
            Some(status) if status.success() => return Ok(Verdict::Survived),
            Some(status) => bail!("the tests end with {status} and do not say why:\n{said}"),
            None if deadline < Instant::now() => return Ok(Verdict::Hung),
            None => sleep(Duration::from_millis(50)),
        }
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        fs::create_dir_all(to.parent().expect("it is in a folder"))?;
        fs::copy(from, to)?;
        return Ok(());
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
