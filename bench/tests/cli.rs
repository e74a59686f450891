//! The program as `make bench` calls it, without a load.

use std::process::{Command, Output};

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench")).args(arguments).output().expect("it was built for this test")
}

#[test]
fn every_scenario_is_named_with_what_it_measures() {
    let Output { status, stdout, .. } = bench(&["list"]);
    assert!(status.success());
    let text = String::from_utf8(stdout).unwrap();
    assert_eq!(text.lines().count(), 16);
    assert!(text.lines().all(|line| line.split_whitespace().count() > 2), "{text}");
}

#[test]
fn what_cannot_be_measured_gives_2_and_is_said() {
    for (arguments, said) in [
        (&["run", "nonsense"][..], "there is no scenario `nonsense`"),
        (&["run", "--server", "/nonexistent", "idle"], "cannot start /nonexistent"),
        (&["run", "--server", "/bin/false", "idle"], "it ended at once"),
        (&["peers", "--server", "/nonexistent"], "cannot start /nonexistent, which has to be installed"),
        (&["soak", "--server", "/nonexistent"], "cannot start /nonexistent"),
    ] {
        let Output { status, stderr, .. } = bench(arguments);
        assert_eq!(status.code(), Some(2), "{arguments:?}");
        let text = String::from_utf8(stderr).unwrap();
        assert!(text.contains(said) || text.contains("two cores are needed"), "{text}");
    }
}
