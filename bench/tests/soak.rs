//! A short soak of the server that was built with this test, and what a soak does with a server that is wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const BENCH: &str = env!("CARGO_BIN_EXE_bench");

/// `cargo test --workspace` builds it before any test begins; alone, this package does not.
fn server() -> PathBuf {
    let server = Path::new(BENCH).with_file_name("guildpulse");
    assert!(server.exists(), "`cargo build` makes {}, which this test needs", server.display());
    server
}

fn soak(server: &Path) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        Command::new(BENCH).args(["soak", "--short", "--server"]).arg(server).output().expect("it was built for this test");
    (status.code(), String::from_utf8_lossy(&[stderr, stdout].concat()).into_owned())
}

fn has_two_cores(said: &str) -> bool {
    !said.contains("two cores are needed")
}

#[test]
fn forty_thousand_viewers_come_and_go_and_nothing_of_them_is_kept() {
    let (code, said) = soak(&server());
    if !has_two_cores(&said) {
        return;
    }
    assert_eq!(code, Some(0), "{said}");
    for row in [
        "joins",
        "growth of memory",
        "growth of descriptors",
        "who has left and still counts",
        "what viewers were told wrong",
    ] {
        let passes = |line: &str| line.starts_with(&format!("| {row} ")) && line.contains("PASS");
        assert!(said.lines().any(passes), "{row}: {said}");
    }
}

#[test]
fn a_server_that_tells_everybody_of_one_guild_is_found_out() {
    // The floor does that.
    let folder = tempfile::tempdir().unwrap();
    let liar = folder.path().join("liar");
    fs::write(&liar, format!("#!/bin/sh\nexec {BENCH} floor\n")).unwrap();
    fs::set_permissions(&liar, fs::Permissions::from_mode(0o755)).unwrap();
    let (code, said) = soak(&liar);
    if !has_two_cores(&said) {
        return;
    }
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("a viewer was told what is not so"), "{said}");
}
