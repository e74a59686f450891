//! On a terminal, a guild's line is redrawn in place.

use super::*;
use crate::support::terminal::Terminal;

fn on_terminal(scene: &Scene, guilds: &str, columns: u16, variables: &[(&str, &str)]) -> Terminal {
    let mut command = watch(scene, guilds);
    command.env("TERM", "xterm").envs(variables.iter().copied());
    Terminal::start(command, 10, columns)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_per_guild_is_redrawn_in_place() {
    let scene = Scene::start().await;
    let mut terminal = on_terminal(&scene, &format!("{GUILD} {OTHER}"), 100, &[]);
    let begin = terminal.until(|screen| screen.matches("Not connected yet").count() == 2).await;
    assert_eq!(begin.lines().count(), 2, "{begin}");

    scene.beat(json!({"version": "1.4.2", "shards": shards([0], 2, "ready")})).await;
    let online = terminal.until(|screen| screen.contains("Online")).await;
    let lines: Vec<&str> = online.lines().collect();
    assert!(lines[0].starts_with(&format!("● {GUILD}  Online ")) && lines[0].ends_with("1.4.2  shard 0/2"), "{online}");
    assert!(lines[1].starts_with(&format!("· {OTHER}  Not connected yet ")), "{online}");
    assert_eq!(lines.len(), 2, "{online}");
    let shape = terminal.screen().cell(0, 0).unwrap();
    assert_eq!((shape.contents(), shape.fgcolor()), ("●", vt100::Color::Idx(2)));
    terminal.until(|screen| screen.contains("for 2 s  beat 2 s ago")).await;

    // As a terminal does it: it shows the Ctrl-C and sends the signal.
    terminal.press("\x03");
    terminal.until(|screen| screen.contains("^C")).await;
    send(&terminal.process, Signal::INT);
    assert_eq!(ended(&mut terminal.process).await.code(), Some(0));
    let screen = terminal.rest().await;
    assert_eq!((screen.cursor_position(), screen.hide_cursor(), screen.fgcolor()), ((2, 0), false, vt100::Color::Default));
    let last = screen.contents();
    assert!(last.contains("Online") && !last.contains("^C"), "what was known stays to be read: {last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_told_below_and_what_was_known_stays_dimmed() {
    let mut scene = Scene::start().await;
    scene.beat(json!({"shards": shards([0], 1, "ready")})).await;
    let mut terminal = on_terminal(&scene, GUILD, 100, &[]);
    terminal.until(|screen| screen.contains("Online")).await;
    scene.stop();
    let lost = terminal.until(|screen| screen.contains("Connection lost")).await;
    let lines: Vec<&str> = lost.lines().collect();
    assert!(lines[0].starts_with(&format!("● {GUILD}  Online")), "{lost}");
    assert!(lines[1].starts_with("Connection lost: the server is stopping · next try in "), "{lost}");
    let shape = terminal.screen().cell(0, 0).unwrap();
    assert!(shape.dim() && shape.fgcolor() == vt100::Color::Default);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_cannot_control_the_terminal_and_no_line_is_wider_than_it() {
    let scene = Scene::start().await;
    scene.beat(json!({"version": "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\r\n日", "shards": shards([0], 1, "ready")})).await;
    let mut terminal = on_terminal(&scene, GUILD, 120, &[("NO_COLOR", "1")]);
    let shown = terminal.until(|screen| screen.contains("Online")).await;
    assert!(shown.ends_with("日  shard 0/1") && shown.lines().count() == 1, "{shown}");
    let written = String::from_utf8(terminal.written.clone()).unwrap();
    assert!(written.contains("\u{fffd}[2J\u{fffd}]0;x\u{fffd}\u{fffd}31m\u{fffd}\u{fffd}日"), "{written:?}");

    let mut narrow = on_terminal(&scene, GUILD, 30, &[]);
    let shown = narrow.until(|screen| screen.contains("Online")).await;
    assert_eq!((shown.lines().count(), shown.ends_with('…')), (1, true), "{shown}");
    assert!((0..10).all(|row| !narrow.screen().row_wrapped(row)));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_color_and_a_dumb_terminal_are_respected() {
    let scene = Scene::start().await;
    scene.beat(json!({"shards": shards([0], 1, "ready")})).await;
    let mut plain = on_terminal(&scene, GUILD, 100, &[("NO_COLOR", "1")]);
    plain.until(|screen| screen.contains("Online")).await;
    let written = String::from_utf8(plain.written.clone()).unwrap();
    let ends: String = written.split("\x1b[").skip(1).filter_map(|code| code.chars().find(|c| c.is_alphabetic())).collect();
    assert!(!ends.is_empty() && ends.chars().all(|end| "AKJ".contains(end)), "only moves and erases: {written:?}");

    let mut dumb = on_terminal(&scene, GUILD, 100, &[("TERM", "dumb")]);
    dumb.until(|screen| screen.contains("online - healthy=true")).await;
    assert!(!dumb.written.contains(&0x1b));
}
