//! The shell sessions of PROTOCOL.md, typed into a real shell.

use std::process::Stdio;

use tokio::process::Command;

use crate::harness::{BOT, PATIENCE, TestServer, operator, viewer};
use crate::protocol::{Block, blocks};

/// One command of a session and what it should print.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    command: String,
    expected: String,
}

fn steps(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.into(), expected: String::new() });
            continue;
        }
        let step = steps.last_mut().unwrap_or_else(|| panic!("{} does not begin with a command", block.place));
        match line.strip_prefix("> ") {
            Some(rest) if step.expected.is_empty() => step.command.extend(["\n", rest]),
            _ => step.expected.extend([line, "\n"]),
        }
    }
    steps
}

/// Whether the text is the pattern, in which `…` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('…') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('…').collect();
    let last = pieces.pop().expect("split gives at least one piece");
    for piece in pieces {
        let Some(found) = text.find(piece) else { return false };
        text = &text[found + piece.len()..];
    }
    text.ends_with(last)
}

async fn run(server: &TestServer, folder: &std::path::Path, command: &str) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    shell.env("URL", server.url("")).env("BOT_TOKEN", BOT);
    shell.env("VIEWER_TOKEN", viewer("*")).env("OPERATOR_TOKEN", operator());
    let output = tokio::time::timeout(PATIENCE, shell.output()).await.expect(command).expect("there is a shell");
    let printed = [output.stdout, output.stderr].concat();
    String::from_utf8(printed).expect(command).replace('\r', "")
}

#[tokio::test]
async fn every_session_of_the_protocol_goes_as_it_is_written() {
    let sessions: Vec<_> = blocks().into_iter().filter(|block| block.info == "console").collect();
    assert!(!sessions.is_empty());
    for block in sessions {
        let (server, folder) = (TestServer::start().await, tempfile::tempdir().unwrap());
        for Step { command, expected } in steps(&block) {
            let printed = run(&server, folder.path(), &command).await;
            let (expected, printed) = (expected.trim_end(), printed.trim_end());
            assert!(fits(expected, printed), "{}\n$ {command}\nexpected: {expected}\nprinted:  {printed}", block.place);
        }
    }
}

#[test]
fn an_ellipsis_stands_for_anything_and_nothing_else_does() {
    for (pattern, text) in [("a…c", "abc"), ("…", ""), ("a…", "a"), ("…b…", "abc"), ("a…b…c", "a1b2b3c"), ("é…\n…x", "é\nx")]
    {
        assert!(fits(pattern, text), "{pattern:?} {text:?}");
    }
    for (pattern, text) in [("a", "ab"), ("a…c", "ab"), ("a…a", "a"), ("a…b…b", "ab"), ("", "a")] {
        assert!(!fits(pattern, text), "{pattern:?} {text:?}");
    }
}

#[test]
fn a_session_is_commands_and_what_they_print() {
    let text = "$ one \\\n>   two\nout\n> out\n$ three\n".to_owned();
    let block = Block { info: "console".into(), text, place: "here".into() };
    let step = |command: &str, expected: &str| Step { command: command.into(), expected: expected.into() };
    assert_eq!(steps(&block), [step("one \\\n  two", "out\n> out\n"), step("three", "")]);
}
