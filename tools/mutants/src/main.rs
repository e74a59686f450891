//! Breaks rules on purpose, one after the other, and shows that a test notices.
//!
//! Each list beside this crate is about one subject and names its mutants: the rule that each breaks, and
//! the text that is replaced by another. A subject and its tests are copied to a place of their own under
//! `target/mutants` ([`nursery`]). A mutant that no test catches, or that does not compile, fails the run.
//!
//! Names of subjects or mutants as arguments leave out all others.
#![expect(clippy::print_stdout, reason = "the table is what the program is for")]

mod list;
mod nursery;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use list::{List, Mutant};
use nursery::{Nursery, Verdict};

fn main() -> Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let lists = list::read(&root)?;
    list::write_page(&root.join("docs/mutants.md"), &lists)?;
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let is_asked =
        |list: &List, mutant: &Mutant| asked.is_empty() || asked.contains(&list.subject) || asked.contains(&mutant.name);
    let (mut tried, mut survivors) = (0, 0);
    for list in &lists {
        let mutants: Vec<_> = list.mutant.iter().filter(|mutant| is_asked(list, mutant)).collect();
        if mutants.is_empty() {
            continue;
        }
        let nursery = Nursery::new(&root, list)?;
        let unchanged = nursery.test()?;
        ensure!(unchanged == Verdict::Survived, "{}: {unchanged} without any mutant", list.subject);
        for mutant in mutants {
            let verdict = nursery.try_mutant(mutant).with_context(|| format!("mutant {}", mutant.name))?;
            let caught = match verdict {
                Verdict::Caught { .. } => true,
                Verdict::Hung => mutant.hangs,
                Verdict::Survived => false,
            };
            tried += 1;
            survivors += usize::from(!caught);
            println!("{:32} {}\n{:32} {verdict}", mutant.name, mutant.breaks, "");
        }
    }
    println!("\n{tried} mutants, {} caught", tried - survivors);
    Ok(if survivors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
