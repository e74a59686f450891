//! `protocol/openapi.json` against itself, the routes, the codes and the fixtures.

use std::collections::BTreeSet;

use guildpulse::http::ROUTES;
use guildpulse::wire::sse::GoodbyeReason;
use guildpulse::wire::{Code, Reason, State};
use serde_json::Value;

use crate::beats::bad;
use crate::documents::{fixtures_of, json, words};
use crate::schemas::{OpenApi, check};

/// Calls `visit` with every object of the document and where it stands.
fn walk(value: &Value, place: &str, visit: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(members) => {
            visit(place, value);
            for (name, member) in members {
                walk(member, &format!("{place}/{}", name.replace('~', "~0").replace('/', "~1")), visit);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{place}/{index}"), visit);
            }
        }
        _ => {}
    }
}

#[test]
fn the_routes_of_the_document_are_those_of_the_server() {
    let api = OpenApi::load();
    let documented: BTreeSet<_> = api.operations().map(|(method, path, _)| (method, path.to_owned())).collect();
    let served: BTreeSet<_> = ROUTES.iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
    assert_eq!(documented, served);
    assert_eq!(ROUTES.len(), served.len(), "a route is listed twice");
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let api = OpenApi::load();
    let mut used = BTreeSet::new();
    walk(&api.0, "", &mut |_, object| {
        if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
            api.resolve(object);
            used.insert(reference.to_owned());
        }
    });
    let components = api.0["components"].as_object().unwrap();
    for (kind, members) in components.iter().filter(|(kind, _)| *kind != "securitySchemes") {
        for name in members.as_object().unwrap().keys() {
            // Answers of the router, which belong to no operation, and the data of events.
            let apart = ["NotFound", "MethodNotAllowed", "Hello", "StreamGoodbye"].contains(&name.as_str());
            assert!(apart || used.contains(&format!("#/components/{kind}/{name}")), "{kind}/{name} is not used");
        }
    }
}

#[test]
fn every_operation_has_a_name_of_its_own_and_says_who_may() {
    let api = OpenApi::load();
    let mut names = BTreeSet::new();
    for (method, path, operation) in api.operations() {
        assert!(names.insert(operation["operationId"].as_str().expect(path)), "{method} {path}");
        let schemes: Vec<_> =
            operation["security"].as_array().expect(path).iter().flat_map(|one| one.as_object().unwrap().keys()).collect();
        let open = ["/healthz", "/readyz", "/"].contains(&path);
        assert_eq!(schemes.is_empty(), open, "{method} {path}");
        assert!(open || schemes == ["bearer", "cookie"], "{method} {path}");
        let in_path: Vec<_> = path.split(['{', '}']).skip(1).step_by(2).collect();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let parameters = parameters.iter().map(|parameter| api.resolve(parameter));
        let named: Vec<_> = parameters.filter(|one| one["in"] == "path").map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(named, in_path, "{method} {path}");
    }
}

#[test]
fn every_error_is_a_problem_and_its_code_belongs_to_its_status() {
    let api = OpenApi::load();
    let mut told = BTreeSet::new();
    for (name, response) in api.0["components"]["responses"].as_object().unwrap() {
        let schema = &response["content"]["application/problem+json"]["schema"];
        let Some(status) = schema["properties"]["status"]["const"].as_u64() else {
            assert!(schema.is_null(), "{name} does not say its status");
            continue;
        };
        let code = &schema["properties"]["code"];
        let listed = code["enum"].as_array().cloned().unwrap_or_default();
        for code in listed.into_iter().chain(code.get("const").cloned()) {
            let parsed: Code = serde_json::from_value(code.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(u64::from(parsed.status().0), status, "{name}: {code}");
            told.insert(code.as_str().unwrap().to_owned());
        }
    }
    assert_eq!(told, words::<Code>().into_iter().collect(), "each code is the answer of some response");

    for (method, path, operation) in api.operations() {
        for (status, response) in operation["responses"].as_object().unwrap() {
            // A balancer reads the status of /readyz and nothing else.
            if status.as_str() < "400" || path == "/readyz" && status == "503" {
                continue;
            }
            let schema = &api.resolve(response)["content"]["application/problem+json"]["schema"];
            assert_eq!(schema["properties"]["status"]["const"].to_string(), *status, "{method} {path}");
        }
    }
}

#[test]
fn the_words_of_the_document_are_those_of_the_wire() {
    let api = OpenApi::load();
    let listed = |schema: &Value| -> Vec<String> { serde_json::from_value(schema["enum"].clone()).unwrap() };
    let schemas = &api.0["components"]["schemas"];
    assert_eq!(listed(&schemas["Code"]), words::<Code>());
    assert_eq!(listed(&schemas["State"]), words::<State>());
    assert_eq!(listed(&schemas["Reason"]), words::<Reason>());
    assert_eq!(listed(&schemas["StreamGoodbye"]["properties"]["reason"]), words::<GoodbyeReason>());
    let sent = json("beat-every-state.json")["shards"].as_array().unwrap().clone();
    let sent: Vec<_> = sent.iter().map(|shard| shard["state"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed(&schemas["GatewayState"]), sent);
}

#[test]
fn every_code_is_explained_in_the_document() {
    let api = OpenApi::load();
    let text = api.0["components"]["schemas"]["Code"]["description"].as_str().unwrap().to_owned();
    for code in words::<Code>() {
        let status = serde_json::from_value::<Code>(code.clone().into()).unwrap().status().0;
        let line = text.split([';', '.']).map(str::trim).find(|line| line.starts_with(&format!("{status}:")));
        assert!(line.is_some_and(|line| line.split([' ', ',']).any(|word| word == code)), "{status} {code}");
    }
}

#[test]
fn every_schema_is_one_and_every_example_fits_its_schema() {
    let api = OpenApi::load();
    walk(&api.0, "", &mut |place, object| {
        if let Some(schema) = object.get("schema") {
            let validator = api.lenient(schema);
            for (name, example) in object.get("examples").and_then(Value::as_object).into_iter().flatten() {
                check(&validator, &example["value"], &format!("{place}: {name}"));
            }
            if let Some(example) = object.get("example") {
                check(&validator, example, place);
            }
        }
        if place.starts_with("/components/schemas/") && place.matches('/').count() == 3 {
            let validator = api.lenient(object);
            for example in object.get("examples").and_then(Value::as_array).into_iter().flatten() {
                check(&validator, example, place);
            }
        }
    });
}

#[test]
fn every_fixture_fits_its_schema() {
    let api = OpenApi::load();
    for (prefix, schema) in [
        ("status-", "Status"),
        ("statuses", "Statuses"),
        ("shards", "Shards"),
        ("beat-answer", "BeatAnswer"),
        ("goodbye-answer", "GoodbyeAnswer"),
        ("problem-", "Problem"),
    ] {
        let validator = api.strict(&OpenApi::named(schema));
        for name in fixtures_of(prefix, ".json") {
            check(&validator, &json(&name), &name);
        }
    }
    for (prefix, schema) in [("beat-", "Beat"), ("goodbye-", "Goodbye")] {
        let validator = api.lenient(&OpenApi::named(schema));
        for name in fixtures_of(prefix, ".json").iter().filter(|name| !name.contains("-answer")) {
            check(&validator, &json(name), name);
        }
    }
}

#[test]
fn a_bad_body_is_refused_by_the_schema_too_where_a_schema_can_see_it() {
    let api = OpenApi::load();
    for (table, schema) in [("bad-beats.json", "Beat"), ("bad-goodbyes.json", "Goodbye")] {
        let validator = api.lenient(&OpenApi::named(schema));
        for bad in bad(table) {
            let sees = serde_json::from_str(&bad.body).is_ok_and(|body: Value| !validator.is_valid(&body));
            assert_eq!(sees, bad.schema, "{table}: {}", bad.why);
        }
    }
}

#[test]
fn a_status_that_cannot_be_true_is_refused_by_the_schema() {
    let api = OpenApi::load();
    let validator = api.strict(&OpenApi::named("Status"));
    for (name, field, value) in [
        ("status-online.json", "reason", Value::from("resuming")),
        ("status-online.json", "healthy", false.into()),
        ("status-online.json", "guildId", 81_384_788_765_712_384_u64.into()),
        ("status-online.json", "guildId", "007".into()),
        ("status-online.json", "lastHeartbeat", "2026-11-22T20:20:00Z".into()),
        ("status-online.json", "lastHeartbeat", Value::Null),
        ("status-online.json", "revision", 12.10.into()),
        ("status-online.json", "expectedBack", "2026-11-22T20:22:01.700Z".into()),
        ("status-online.json", "surprise", true.into()),
        ("status-offline-fatal.json", "healthy", true.into()),
        ("status-offline-fatal.json", "reason", Value::Null),
        ("status-offline-fatal.json", "state", "dead".into()),
    ] {
        let mut status = json(name);
        status[field] = value;
        assert!(!validator.is_valid(&status), "{status}");
    }
}
