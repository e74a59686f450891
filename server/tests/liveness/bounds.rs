//! What a bot with a good token cannot do: fill the memory.

use std::time::Duration;

use guildpulse::liveness::{Input, Liveness, Now, Stored, TooManyShards};
use guildpulse::wire::{Beat, Goodbye, State, UnixMillis};

const START: Now = Now { monotonic: Duration::from_secs(1000), wall: UnixMillis(1_795_378_020_000) };

fn beat(json: &str) -> Beat {
    Beat::parse(json.as_bytes()).unwrap_or_else(|error| panic!("{error}: {json}"))
}

fn of_shards(ids: std::ops::Range<u32>, count: u32) -> Beat {
    let shards: Vec<String> = ids.map(|id| format!(r#"{{"id":{id},"count":{count}}}"#)).collect();
    beat(&format!(r#"{{"shards":[{}]}}"#, shards.join(",")))
}

#[test]
fn shards_beyond_the_bound_are_refused_and_those_that_are_known_go_on() {
    let mut machine = Liveness::new(1, Stored::default(), START);
    let mut ids = (0..).map(|round| round * 4000..(round + 1) * 4000);
    let refused = ids.by_ref().find(|ids| {
        let beat = of_shards(ids.clone(), 1_000_000);
        machine.has_room_for(&beat).map(|()| machine.apply(Input::Beat(&beat), START)).is_err()
    });
    assert_eq!(refused, Some(100_000..104_000));
    assert_eq!(machine.has_room_for(&of_shards(0..4000, 1_000_000)), Ok(()));
    assert_eq!(machine.has_room_for(&of_shards(0..1, 1_000_001)), Err(TooManyShards));
    assert_eq!(machine.shards().len(), 100_000);
}

#[test]
fn a_session_of_its_own_with_every_beat_does_not_heap_up_processes() {
    let mut machine = Liveness::new(1, Stored::default(), START);
    for number in 0..1000 {
        let session = format!(r#"{{"session":"s{number}","intervalMs":60000,"shards":[{{"id":0,"count":1}}]}}"#);
        machine.apply(Input::Beat(&beat(&session)), START);
    }
    let shards = machine.shards();
    assert_eq!(shards[0].instances.len(), 64);
    assert_eq!(shards[0].facts.state, State::Online);
}

#[test]
fn an_exception_goes_with_the_process_that_had_to_make_room() {
    let mut machine = Liveness::new(1, Stored::default(), START);
    let first = r#"{"session":"first","shards":[{"id":0,"count":1}],"unavailable":["5"]}"#;
    machine.apply(Input::Beat(&beat(first)), START);
    let guild = "5".parse().unwrap();
    assert_eq!(machine.facts(guild).state, State::Unavailable);
    for number in 0..64 {
        let session = format!(r#"{{"session":"s{number}","intervalMs":60000,"shards":[{{"id":0,"count":1}}]}}"#);
        machine.apply(Input::Beat(&beat(&session)), START);
    }
    assert_eq!(machine.facts(guild).state, State::Online);
}

#[test]
fn deadlines_that_were_left_behind_do_not_heap_up_and_none_is_lost() {
    let mut machine = Liveness::new(1, Stored::default(), START);
    let long = beat(r#"{"instance":"a","intervalMs":60000,"shards":[{"id":0,"count":1}]}"#);
    let goodbye = Goodbye::parse(br#"{"instance":"a","expectedBackMs":86400000}"#).unwrap();
    for round in 0..20_000 {
        let now = Now { monotonic: START.monotonic + Duration::from_millis(round), ..START };
        machine.apply(Input::Goodbye(&goodbye), now);
        machine.apply(Input::Beat(&long), now);
        machine.apply(Input::Beat(&beat(r#"{"instance":"a","shards":[{"id":0,"count":1}]}"#)), now);
    }
    let last = START.monotonic + Duration::from_millis(19_999);
    assert!(machine.next_deadline().is_some_and(|due| due <= last + Duration::from_millis(4500)));
    let after = Now { monotonic: last + Duration::from_secs(100_000), ..START };
    machine.apply(Input::Tick, after);
    assert_eq!((machine.shards()[0].facts.state, machine.next_deadline()), (State::Offline, None));
}
