//! PROTOCOL.md: its examples, its tables, its links.

use bytes::BytesMut;
use guildpulse::auth::Authenticator;
use guildpulse::http::ROUTES;
use guildpulse::wire::sse::{GoodbyeReason, Hello, StreamGoodbye, write_status};
use guildpulse::wire::{Beat, BeatAnswer, Code, Goodbye, GoodbyeAnswer, Problem, Reason, State, Status, Template};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::documents::{path, text, words};
use crate::events;
use crate::harness::{config, token};
use crate::schemas::{OpenApi, check};

/// A fenced block.
pub(crate) struct Block {
    /// What stands behind the fence.
    pub(crate) info: String,
    /// What stands inside.
    pub(crate) text: String,
    /// Where it begins, for messages.
    pub(crate) place: String,
}

/// The blocks of PROTOCOL.md.
pub(crate) fn blocks() -> Vec<Block> {
    let document = text("PROTOCOL.md");
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in document.lines().enumerate() {
        match (open.as_mut(), line.strip_prefix("```")) {
            (None, Some(info)) => {
                let place = format!("PROTOCOL.md:{}", index + 1);
                open = Some(Block { info: info.into(), text: String::new(), place });
            }
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "the last block of PROTOCOL.md is not closed");
    blocks
}

fn round_trip<T: DeserializeOwned + Serialize>(block: &Block, value: &Value) {
    let read: T = serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{}: {error}", block.place));
    assert_eq!(&serde_json::to_value(&read).unwrap(), value, "{}", block.place);
}

/// Writes the stream again that the block shows.
fn write_again(block: &Block) -> BytesMut {
    let read = events::read(&block.text);
    assert!(!read.cut, "{}: the last event is not ended by an empty line", block.place);
    let mut out = BytesMut::new();
    for event in &read.events {
        match event.name.as_str() {
            "hello" => serde_json::from_str::<Hello>(&event.data).unwrap().write(&mut out),
            "goodbye" => out.extend_from_slice(&serde_json::from_str::<StreamGoodbye>(&event.data).unwrap().frame()),
            "message" => {
                let Status { guild_id, facts } = serde_json::from_str(&event.data).unwrap();
                write_status(&Template::new(&facts), guild_id, &mut out);
            }
            other => panic!("{}: there is no event {other}", block.place),
        }
    }
    out
}

#[tokio::test]
async fn every_example_is_read_and_written_by_the_server_s_own_types() {
    let api = OpenApi::load();
    let data = tempfile::tempdir().unwrap();
    let (authenticator, _) = Authenticator::open(&config(&data)).unwrap();
    for block in blocks() {
        let Some(kind) = block.info.strip_prefix("json ") else {
            match block.info.as_str() {
                "sse stream" => assert_eq!(write_again(&block), block.text, "{}", block.place),
                "console" | "http" | "js" | "sh" | "text" => {}
                other => panic!("{}: nobody checks blocks called {other:?}", block.place),
            }
            continue;
        };
        let value: Value = serde_json::from_str(&block.text).unwrap_or_else(|error| panic!("{}: {error}", block.place));
        let schema = match kind {
            "status" => {
                round_trip::<Status>(&block, &value);
                "Status"
            }
            "statuses" => {
                value["statuses"].as_array().unwrap().iter().for_each(|status| round_trip::<Status>(&block, status));
                "Statuses"
            }
            "shards" => "Shards",
            "beat" => {
                assert_eq!(Beat::parse(block.text.as_bytes()).expect(&block.place).warnings, [""; 0], "{}", block.place);
                "Beat"
            }
            "beat-answer" => {
                round_trip::<BeatAnswer>(&block, &value);
                "BeatAnswer"
            }
            "goodbye" => {
                Goodbye::parse(block.text.as_bytes()).expect(&block.place);
                "Goodbye"
            }
            "goodbye-answer" => {
                round_trip::<GoodbyeAnswer>(&block, &value);
                "GoodbyeAnswer"
            }
            "problem" => {
                round_trip::<Problem>(&block, &value);
                "Problem"
            }
            "claims" => {
                authenticator.authenticate(&token(&value)).await.expect(&block.place);
                continue;
            }
            other => panic!("{}: nobody checks JSON called {other:?}", block.place),
        };
        check(&api.lenient(&OpenApi::named(schema)), &value, &block.place);
    }
}

#[test]
fn every_code_stands_in_the_table_of_errors_with_its_status() {
    let document = text("PROTOCOL.md");
    for word in words::<Code>() {
        let code: Code = serde_json::from_value(word.clone().into()).unwrap();
        let row = format!("| {} | `{word}` | ", code.status().0);
        assert_eq!(document.matches(&row).count(), 1, "{row}");
    }
}

#[test]
fn every_state_and_reason_stands_in_the_table_of_states() {
    let document = text("PROTOCOL.md");
    let (_, table) = document.split_once("| `state` | `reason` | `healthy` |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    for word in words::<State>().into_iter().chain(words::<Reason>()) {
        assert!(table.contains(&format!("`{word}`")), "{word}");
    }
    let (_, table) = document.split_once("| `reason` | what to do |").unwrap();
    for word in words::<GoodbyeReason>() {
        assert!(table.contains(&format!("| `{word}` |")), "{word}");
    }
}

#[test]
fn every_route_stands_in_the_table_of_routes() {
    let document = text("PROTOCOL.md");
    let (_, table) = document.split_once("| route | answers | for |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let quoted: Vec<_> = table.split('`').skip(1).step_by(2).collect();
    let quoted: Vec<_> = quoted.iter().filter_map(|route| route.split('?').next()).filter(|it| it.contains(" /")).collect();
    let served: Vec<_> = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    for route in &served {
        assert!(quoted.contains(&route.as_str()), "{route} is not in the table");
    }
    for route in quoted {
        assert!(served.iter().any(|served| served == route), "{route} is not served");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let document = text("PROTOCOL.md");
    let headings = document.lines().filter_map(|line| line.strip_prefix('#'));
    let anchors: Vec<String> = headings
        .map(|heading| heading.trim_start_matches('#').trim().to_lowercase().replace(['`', '?', ','], "").replace(' ', "-"))
        .collect();
    for link in document.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        match link.strip_prefix('#') {
            Some(anchor) => assert!(anchors.iter().any(|known| known == anchor), "no heading for {link}"),
            None => assert!(path(link).exists(), "no file for {link}"),
        }
    }
}
