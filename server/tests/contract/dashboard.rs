//! `docs/grafana-dashboard.json`: a dashboard that Grafana takes, of metrics that there are.

use serde_json::{Value, json};

use crate::documents::json_file;
use crate::exposition::{check_mentions, scrape};
use crate::harness::TestServer;
use crate::schemas::check;

/// Picks the servers that the variables name.
const CHOSEN: &str = "job=~\"$job\",instance=~\"$instance\"";

fn dashboard() -> Value {
    json_file("docs/grafana-dashboard.json")
}

fn panels(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().expect("a dashboard has panels")
}

/// What is wrong with the places of the panels, on a grid of 24 columns.
fn misplaced(panels: &[Value]) -> Vec<String> {
    let place = |panel: &Value| ["x", "y", "w", "h"].map(|field| panel["gridPos"][field].as_u64().expect(field));
    let mut wrong = Vec::new();
    for (index, panel) in panels.iter().enumerate() {
        let [x, y, w, h] = place(panel);
        if x + w > 24 {
            wrong.push(format!("{} leaves the grid", panel["title"]));
        }
        for other in &panels[..index] {
            let [ox, oy, ow, oh] = place(other);
            if x < ox + ow && ox < x + w && y < oy + oh && oy < y + h {
                wrong.push(format!("{} lies over {}", panel["title"], other["title"]));
            }
            if panel["id"] == other["id"] || panel["title"] == other["title"] {
                wrong.push(format!("{} is there twice", panel["title"]));
            }
        }
    }
    wrong
}

#[test]
fn the_dashboard_is_one_of_grafanas_model() {
    let schema = json_file("server/tests/contract/grafana-dashboard.schema.json");
    let validator = jsonschema::draft202012::options().build(&schema).unwrap();
    let dashboard = dashboard();
    check(&validator, &dashboard, "the dashboard");
    assert_eq!(misplaced(panels(&dashboard)), Vec::<String>::new());
    for (place, bad) in [
        ("/uid", json!("short")),
        ("/panels/0/gridPos/w", json!(25)),
        ("/panels/0/datasource/uid", json!("of one installation")),
        ("/panels/0/targets/0/expr", json!("up")),
        ("/panels/0/targets", json!([])),
        ("/templating/list/0/type", json!("query")),
        ("/templating/list/1/type", json!("datasource")),
        ("/schemaVersion", json!("39")),
        ("/panels/1", json!({})),
    ] {
        let mut other = dashboard.clone();
        *other.pointer_mut(place).expect(place) = bad;
        assert!(!validator.is_valid(&other), "{place}");
    }
}

#[test]
fn panels_that_lie_over_each_other_are_noticed() {
    let dashboard = dashboard();
    for (place, value) in
        [("/1/gridPos/x", json!(11)), ("/1/gridPos/x", json!(13)), ("/2/gridPos/y", json!(7)), ("/2/id", json!(1))]
    {
        let mut panels = dashboard["panels"].clone();
        *panels.pointer_mut(place).expect(place) = value;
        assert_eq!(misplaced(panels.as_array().unwrap()).len(), 1, "{place}");
    }
}

#[tokio::test]
async fn every_panel_asks_for_metrics_that_there_are_and_shows_labels_that_are_left() {
    let server = TestServer::start().await;
    let families = scrape(&server).await;
    let dashboard = dashboard();
    for panel in panels(&dashboard) {
        for target in panel["targets"].as_array().unwrap() {
            let (expr, legend) = (target["expr"].as_str().unwrap(), target["legendFormat"].as_str().unwrap());
            let what = panel["title"].to_string();
            let (metrics, chosen) = (expr.matches("guildpulse_").count(), expr.matches(CHOSEN).count());
            assert_eq!(metrics, chosen, "{what} is of the servers chosen");
            let named = check_mentions(&expr.replace(CHOSEN, ""), &families, &what);
            for label in legend.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap()) {
                let has =
                    families.iter().any(|family| named.contains(&family.series()) && family.labels().contains_key(label));
                assert!(label == "instance" || has, "{what}: no {label}");
                let grouped = expr.contains(" by (") && !expr.contains(&format!(" by ({label})"));
                assert!(!grouped, "{what}: {label} is summed away");
            }
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let query = variable["definition"].as_str().unwrap_or_default();
        check_mentions(&query.replace("job=~\"$job\"", ""), &families, "a variable");
        assert!(query.is_empty() || variable["query"]["query"] == query, "{variable}");
    }
    server.stopped().await;
}
