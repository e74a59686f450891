use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::cli::watch::tests::sighting;
use crate::wire::{GuildId, ShardKey, Sighting};

const WIDE: Size = Size { columns: 100, rows: 24 };

fn now() -> Now {
    Now { monotonic: Duration::from_secs(1000), wall: UnixMillis(1_795_378_020_000) }
}

fn status(guild: u64, state: &str, version: &str) -> Sighting {
    let shard = Some(ShardKey { id: 3, count: 16 });
    let since = UnixMillis(now().wall.0 - 200_000_000);
    let last_heartbeat = Some(UnixMillis(now().wall.0 - 2000));
    let guild_id = GuildId::new(guild).unwrap();
    Sighting { guild_id, version: Some(version.into()), since, last_heartbeat, shard, ..sighting(state, "null") }
}

/// Guilds 1, 2, … of which the first ones are in these states.
fn board(count: u64, states: &[&str]) -> Board {
    let guilds: Vec<GuildId> = (1..=count).map(|id| GuildId::new(id).unwrap()).collect();
    let mut board = Board::new(&guilds);
    for (guild, state) in (1..).zip(states) {
        board.take(status(guild, state, "1.4.2"));
    }
    board
}

fn shown(board: &Board, link: &Link, size: Size, paint: Paint) -> Vec<String> {
    lines(board, link, now(), size, paint).into_iter().map(|line| line.text).collect()
}

#[test]
fn a_guild_has_a_line_with_all_that_is_known() {
    let board = board(3, &["online", "maintenance"]);
    let text = shown(&board, &Link::Open, WIDE, Paint::Plain).join("\n");
    insta::assert_snapshot!(text, @r"
        ● 1  Online      for 2 d 7 h  beat 2 s ago  1.4.2  shard 3/16
        ‖ 2  Restarting  for 2 d 7 h  beat 2 s ago  1.4.2  shard 3/16
        · 3  …
        ");
}

#[test]
fn colour_is_for_the_state_and_an_old_line_is_dimmed() {
    let board = board(1, &["offline"]);
    let waiting = Link::Waiting { why: "the server is stopping".into(), until: Duration::from_millis(1_003_200) };
    assert!(
        shown(&board, &Link::Open, WIDE, Paint::Coloured)[0].starts_with("\x1b[31m○\x1b[0m 1  \x1b[31mOffline\x1b[0m  for")
    );
    let lost = shown(&board, &waiting, WIDE, Paint::Coloured);
    assert!(lost[0].starts_with("\x1b[2m○\x1b[0m\x1b[2m ") && !lost[0].contains("\x1b[31m"), "{lost:?}");
    assert_eq!(lost[1], "Connection lost: the server is stopping · next try in 4 s");
    assert!(!shown(&board, &waiting, WIDE, Paint::Plain).concat().contains('\x1b'));
}

#[test]
fn a_line_is_cut_once() {
    let mut board = board(1, &[]);
    board.take(status(1, "online", "日本"));
    for columns in 1..60 {
        let line = shown(&board, &Link::Open, Size { columns, rows: 24 }, Paint::Plain).concat();
        assert!(line.matches('…').count() <= 1, "{line}");
    }
}

#[test]
fn what_a_low_terminal_has_no_lines_for_is_counted() {
    let board = board(9, &["online", "online", "online", "online", "offline", "online", "offline", "online"]);
    let size = Size { columns: 60, rows: 5 };
    let low = shown(&board, &Link::Open, size, Paint::Plain);
    assert_eq!((low.len(), low[3].as_str()), (4, "… and 6 more: 2 offline, 3 online"));
    assert_eq!(shown(&board, &Link::Connecting, size, Paint::Plain).len(), 4, "the cursor's line stays free");
}

#[test]
fn a_frame_goes_over_the_one_before_it_even_if_that_is_wrapped_by_now() {
    let line = |columns| Line { text: "x".repeat(columns), columns };
    let narrow = Size { columns: 10, rows: 24 };
    assert_eq!(frame(&[], &[line(1)], narrow), "\r\x1b[2Kx\r\n\x1b[J");
    assert_eq!(frame(&[line(25), line(10), line(0)], &[], narrow), "\r\x1b[5A\x1b[J");
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal_and_no_version_controls_it(
        version in any::<String>(), columns in 1_usize..120, rows in 1_usize..8, count in 1_u64..9,
    ) {
        let mut board = board(count, &["online", "offline"]);
        board.take(status(1, "reconnecting", &version));
        let size = Size { columns, rows };
        let lines = lines(&board, &Link::Connecting, now(), size, Paint::Plain);
        prop_assert!(lines.len() < rows.max(3));
        for line in lines {
            prop_assert!(line.columns <= columns && super::columns(&line.text) == line.columns, "{line:?}");
            prop_assert!(!line.text.chars().any(char::is_control), "{line:?}");
        }
    }
}
