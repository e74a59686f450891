//! `docs/metrics.md` against what a real server says in `/metrics`.

use std::collections::BTreeSet;

use guildpulse::wire::sse::GoodbyeReason;
use guildpulse::wire::{Code, Reason, State};
use serde_json::json;

use crate::documents::{path, text, words};
use crate::exposition::{Family, check_mentions, scrape};
use crate::harness::{GUILD, PATIENCE, TestServer, viewer};

const DOCUMENT: &str = "docs/metrics.md";
const BEGIN: &str = "<!-- begin of the table -->\n";
const END: &str = "<!-- end of the table -->\n";

/// The row of a metric.
fn row(family: &Family) -> String {
    let labels = family.labels().into_iter().map(|(label, mut values)| {
        if family.kind == "info" {
            return format!("`{label}`");
        }
        // Buckets stand in the order of their bounds, and the rest in none.
        if label != "le" {
            values.sort_unstable();
        }
        let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
        format!("`{label}`: {}", values.join(", "))
    });
    let labels = labels.collect::<Vec<_>>().join("; ");
    let help = family.help.strip_suffix('.').expect("the help is a sentence");
    format!("| `{}` | {} | {labels} | {} | {help} |\n", family.series(), family.kind, family.unit)
}

/// The table of all metrics, as the document has it.
fn table(families: &[Family]) -> String {
    let head = "\n| name | type | labels and their values | unit | what it is |\n|---|---|---|---|---|\n";
    let rows: String = families.iter().map(row).collect();
    format!("{head}{rows}\n")
}

#[expect(clippy::disallowed_methods, reason = "who runs the test says whether it writes")]
fn is_to_be_written() -> bool {
    std::env::var("GUILDPULSE_UPDATE_DOCS").is_ok_and(|value| value == "1")
}

#[tokio::test]
async fn the_table_of_metrics_is_what_a_fresh_server_says() {
    let server = TestServer::start().await;
    let table = table(&scrape(&server).await);
    let document = text(DOCUMENT);
    let (before, rest) = document.split_once(BEGIN).expect("the document marks the table");
    let (written, after) = rest.split_once(END).expect("the document marks the end of the table");
    if is_to_be_written() {
        std::fs::write(path(DOCUMENT), format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(written, table, "run the command at the top of {DOCUMENT}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn every_metric_that_a_document_names_is_there_with_its_labels() {
    let server = TestServer::start().await;
    let families = scrape(&server).await;
    let documents = ["README.md", "CHANGELOG.md", "docs/configuration.md", "docs/operations.md"];
    for document in documents {
        check_mentions(&text(document), &families, document);
    }
    let named = check_mentions(&text(DOCUMENT), &families, DOCUMENT);
    for family in &families {
        assert!(named.contains(&family.series()), "{DOCUMENT} does not name {}", family.series());
    }
    server.stopped().await;
}

#[tokio::test]
async fn labels_have_every_word_of_the_protocol_from_the_start() {
    let server = TestServer::start().await;
    let families = scrape(&server).await;
    let values = |name: &str, label: &str| -> BTreeSet<String> {
        let family = families.iter().find(|family| family.series() == name).unwrap();
        family.labels()[label].iter().map(ToString::to_string).collect()
    };
    let with = |words: Vec<String>, more: &str| words.into_iter().chain([more.to_owned()]).collect::<BTreeSet<_>>();
    assert_eq!(values("guildpulse_shards", "state"), words::<State>().into_iter().collect());
    assert_eq!(values("guildpulse_transitions_total", "reason"), with(words::<Reason>(), "none"));
    assert_eq!(values("guildpulse_streams_closed_total", "reason"), with(words::<GoodbyeReason>(), "viewer"));
    assert_eq!(Code::ALL.map(guildpulse::wire::word).to_vec(), words::<Code>());
    let codes: BTreeSet<String> = words::<Code>().into_iter().collect();
    assert!(values("guildpulse_beats_rejected_total", "code").is_subset(&codes));
    server.stopped().await;
}

#[tokio::test]
async fn no_series_appears_after_the_start_whatever_is_asked() {
    let server = TestServer::start().await;
    let series = |families: &[Family]| -> BTreeSet<_> {
        let samples = families.iter().flat_map(|family| &family.samples);
        samples.map(|sample| (sample.name.clone(), sample.labels.clone())).collect()
    };
    let before = series(&scrape(&server).await);
    let mut stream = server.client.get(server.url(&format!("/api/v1/guilds/{GUILD}/status/stream")));
    stream = stream.bearer_auth(viewer("*"));
    let mut stream = stream.send().await.unwrap();
    stream.chunk().await.unwrap();
    for version in ["a", "b"] {
        server.beat(&json!({"version": version, "instance": "of nobody", "shards": [{"id": 2, "count": 16}]})).await;
        tokio::time::timeout(PATIENCE, stream.chunk()).await.expect("the change arrives").unwrap();
    }
    for request in [server.client.post(server.url("/api/v1/heartbeats")), server.client.post(server.url("/nowhere"))] {
        request.bearer_auth("nobody").body("nothing").send().await.unwrap();
    }
    let after = scrape(&server).await;
    let delivered = after.iter().find(|family| family.kind == "histogram").unwrap();
    assert!(delivered.samples.iter().any(|sample| sample.value > 0.0), "there are numbers in the buckets to check");
    assert_eq!(series(&after), before);
    server.stopped().await;
}
