//! The answers of a real server against `protocol/openapi.json`.

use std::collections::BTreeSet;

use reqwest::header::{ALLOW, CONTENT_TYPE, COOKIE, ETAG, IF_NONE_MATCH, ORIGIN};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::documents::fixture;
use crate::harness::{BOT, GUILD, LATE, OTHER_GUILD, TestServer, operator, token, viewer};
use crate::schemas::{OpenApi, check};

const BEATS: [&str; 2] = ["/api/v1/heartbeats", "/api/v1/goodbye"];
const STATUS: [&str; 2] = ["/api/v1/guilds/{guildId}/status", "/api/guilds/{guildId}/status"];
const STREAM: [&str; 2] = ["/api/v1/guilds/{guildId}/status/stream", "/api/guilds/{guildId}/status/stream"];
const STATUSES: [&str; 2] = ["/api/v1/statuses", "/api/statuses"];
const STREAMS: [&str; 2] = ["/api/v1/streams", "/api/streams"];
const FOR_OPERATORS: [&str; 2] = ["/api/v1/shards", "/metrics"];
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/"];

/// Asks a server and holds its answers against the document.
struct Checker {
    api: OpenApi,
    server: TestServer,
    /// A gateway to it, to which requests for guilds go, if there is one.
    gateway: Option<TestServer>,
    /// Every operation and status that was given.
    seen: BTreeSet<(String, String, u16)>,
}

impl Checker {
    async fn start() -> Self {
        Self { api: OpenApi::load(), server: TestServer::start().await, gateway: None, seen: BTreeSet::new() }
    }

    /// One that asks for guilds through a gateway.
    async fn through_a_gateway() -> Self {
        let mut checker = Self::start().await;
        let backend = checker.server.url("").parse().unwrap();
        checker.gateway = Some(TestServer::with(|config| config.upstream.upstream = Some(backend)).await);
        checker
    }

    /// Where this operation is asked for.
    fn url(&self, path: &str) -> String {
        let is_of_guilds = [STATUS, STREAM, STATUSES, STREAMS].concat().contains(&path);
        self.gateway.as_ref().filter(|_| is_of_guilds).unwrap_or(&self.server).url(path)
    }

    /// A request to an operation, with `guild` in its path or query.
    fn request(&self, method: &Method, path: &str, guild: &str) -> RequestBuilder {
        let list = STATUSES.contains(&path) || STREAMS.contains(&path);
        let query = if list { format!("?guilds={guild}") } else { String::new() };
        self.server.client.request(method.clone(), self.url(path).replace("{guildId}", guild) + &query)
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.request(&Method::GET, path, GUILD)
    }

    fn post(&self, path: &str, body: &'static str) -> RequestBuilder {
        self.request(&Method::POST, path, GUILD).header(CONTENT_TYPE, "application/json").body(body)
    }

    /// Sends the request, holds the answer against the operation's documentation, and returns the
    /// `code` of a problem.
    async fn expect(&mut self, path: &str, status: u16, request: RequestBuilder) -> String {
        let (client, request) = request.build_split();
        let request = request.unwrap();
        let method = request.method().to_string();
        let what = format!("{method} {path} {status}");
        let answer = client.execute(request).await.unwrap();
        assert_eq!(answer.status(), status, "{what}");
        self.seen.insert((method.clone(), path.to_owned(), status));
        let documented = self.api.response(&method, path, status);
        let body = check_answer(&self.api, documented, answer, &what).await;
        body["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Holds headers, media type and body against a response of the document.
async fn check_answer(api: &OpenApi, documented: &Value, mut answer: Response, what: &str) -> Value {
    for (name, header) in documented["headers"].as_object().into_iter().flatten() {
        let header = api.resolve(header);
        let sent = answer.headers().get(name).map(|value| value.to_str().unwrap());
        assert!(sent.is_some() || header["required"] != true, "{what}: no {name}");
        if let Some(sent) = sent {
            check(&api.lenient(&header["schema"]), &sent.into(), &format!("{what}: {name}"));
        }
    }
    let media = answer.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap().to_owned());
    let media = media.as_deref().and_then(|media| media.split(';').next());
    let Some(content) = documented["content"].as_object() else {
        assert_eq!((media, answer.text().await.unwrap().as_str()), (None, ""), "{what}");
        return Value::Null;
    };
    let media = media.unwrap_or_else(|| panic!("{what}: no Content-Type"));
    let schema = content.get(media).unwrap_or_else(|| panic!("{what}: {media} is not documented"));
    let schema = &schema["schema"];
    match media {
        "text/event-stream" => {
            let first = answer.chunk().await.unwrap().expect("a stream begins at once");
            check(&api.lenient(schema), &String::from_utf8(first.to_vec()).unwrap().into(), what);
            Value::Null
        }
        media if media.ends_with("json") => {
            let body: Value = answer.json().await.unwrap();
            check(&api.strict(schema), &body, what);
            body
        }
        _ => {
            check(&api.lenient(schema), &answer.text().await.unwrap().into(), what);
            Value::Null
        }
    }
}

async fn good_requests(checker: &mut Checker) {
    let viewer = viewer(vec![GUILD, OTHER_GUILD]);
    for path in [STATUS, STREAM, STATUSES, STREAMS].concat() {
        checker.expect(path, 200, checker.get(path).bearer_auth(&viewer)).await;
        checker.expect(path, 200, checker.get(path).bearer_auth(operator())).await;
        checker.expect(path, 200, checker.get(path).header(COOKIE, format!("a=b; auth_token={viewer}"))).await;
    }
    for path in STATUS {
        let answer = checker.get(path).bearer_auth(&viewer).send().await.unwrap();
        let tag = answer.headers()[ETAG].to_str().unwrap().to_owned();
        checker.expect(path, 304, checker.get(path).bearer_auth(&viewer).header(IF_NONE_MATCH, &tag)).await;
        checker.expect(path, 200, checker.get(path).bearer_auth(&viewer).header(IF_NONE_MATCH, "\"other\"")).await;
    }
    for path in FOR_OPERATORS {
        checker.expect(path, 200, checker.get(path).bearer_auth(operator())).await;
    }
    for path in OPEN {
        checker.expect(path, 200, checker.get(path)).await;
    }
}

async fn bad_credentials(checker: &mut Checker) {
    let guarded: Vec<_> = [BEATS, STATUS, STREAM, STATUSES, STREAMS, FOR_OPERATORS].concat();
    let expired = token(&json!({ "sub": "viewer", "exp": 1_000_000_000, "guilds": "*" }));
    let early = token(&json!({ "sub": "viewer", "exp": LATE, "nbf": LATE - 60, "guilds": "*" }));
    let nobody = token(&json!({ "exp": LATE, "guilds": "*" }));
    let endless = token(&json!({ "sub": "viewer", "guilds": "*" }));
    let cookie = format!("auth_token={}", operator());
    for path in guarded {
        let method = if BEATS.contains(&path) { Method::POST } else { Method::GET };
        // Nothing but the credential is looked at: neither the guild nor the body is good.
        let ask = |checker: &Checker| checker.request(&method, path, "007");
        assert_eq!(checker.expect(path, 401, ask(checker)).await, "missing_credential");
        let in_url = checker.url(path).replace("{guildId}", GUILD) + &format!("?auth_token={BOT}&access_token={BOT}");
        let in_url = checker.server.client.request(method.clone(), in_url);
        assert_eq!(checker.expect(path, 401, in_url).await, "missing_credential");
        assert_eq!(checker.expect(path, 401, ask(checker).bearer_auth(&expired)).await, "expired_credential");
        for bad in ["x", early.as_str(), &nobody, &endless] {
            assert_eq!(checker.expect(path, 401, ask(checker).bearer_auth(bad)).await, "invalid_credential");
        }
        let both = ask(checker).bearer_auth("x").header(COOKIE, &cookie);
        assert_eq!(checker.expect(path, 401, both).await, "invalid_credential", "there is no falling back");
        let two = ask(checker).header(COOKIE, format!("{cookie}; {cookie}"));
        assert_eq!(checker.expect(path, 401, two).await, "invalid_credential");
    }
}

async fn bad_questions(checker: &mut Checker) {
    let none = viewer(Vec::<String>::new());
    let many = vec![GUILD; 101].join(",");
    for path in [STATUS, STREAM, STATUSES, STREAMS].concat() {
        let ask = |checker: &Checker, guild: &str| checker.request(&Method::GET, path, guild).bearer_auth(&none);
        for guild in ["007", "abc", "18446744073709551616"] {
            assert_eq!(checker.expect(path, 400, ask(checker, guild)).await, "invalid_guild_id");
        }
        assert_eq!(checker.expect(path, 403, ask(checker, GUILD)).await, "guild_not_allowed");
        assert_eq!(checker.expect(path, 403, checker.get(path).bearer_auth(BOT)).await, "guild_not_allowed");
        let foreign = checker.get(path).header(COOKIE, format!("auth_token={}", operator()));
        assert_eq!(checker.expect(path, 403, foreign.header("sec-fetch-site", "cross-site")).await, "origin_not_allowed");
        let foreign = checker.get(path).header(COOKIE, format!("auth_token={}", operator()));
        assert_eq!(
            checker.expect(path, 403, foreign.header(ORIGIN, "https://elsewhere.example")).await,
            "origin_not_allowed"
        );
        if STATUSES.contains(&path) || STREAMS.contains(&path) {
            assert_eq!(checker.expect(path, 400, ask(checker, &many)).await, "too_many_guilds");
            assert_eq!(checker.expect(path, 400, ask(checker, "")).await, "invalid_guild_id");
        }
    }
    for path in FOR_OPERATORS {
        for token in [BOT, &none] {
            assert_eq!(checker.expect(path, 403, checker.get(path).bearer_auth(token)).await, "operator_required");
        }
    }
}

async fn beats(checker: &mut Checker) {
    for (path, good, bad) in [
        (BEATS[0], r#"{"shards":[{"id":0,"count":1}]}"#, r#"{"shards":[{"id":1,"count":1}]}"#),
        (BEATS[1], "{}", r#"{"expectedBackMs":-1}"#),
    ] {
        checker.expect(path, 200, checker.post(path, good).bearer_auth(BOT)).await;
        assert_eq!(checker.expect(path, 400, checker.post(path, bad).bearer_auth(BOT)).await, "invalid_heartbeat");
        assert_eq!(checker.expect(path, 400, checker.post(path, "").bearer_auth(BOT)).await, "invalid_heartbeat");
        for token in [operator(), viewer("*")] {
            assert_eq!(checker.expect(path, 403, checker.post(path, good).bearer_auth(&token)).await, "bot_required");
            assert_eq!(checker.expect(path, 400, checker.post(path, bad).bearer_auth(&token)).await, "invalid_heartbeat");
        }
        let text =
            checker.request(&Method::POST, path, GUILD).bearer_auth(BOT).header(CONTENT_TYPE, "text/plain").body(good);
        assert_eq!(checker.expect(path, 415, text).await, "unsupported_media_type");
        let large = checker.post(path, "").bearer_auth(BOT).body(" ".repeat(2 * 1024 * 1024 + 1));
        assert_eq!(checker.expect(path, 413, large).await, "body_too_large");
    }
    let forgiven = checker.post(BEATS[0], "").bearer_auth(BOT).body(fixture("beat-forgiven.json"));
    checker.expect(BEATS[0], 200, forgiven).await;
}

#[tokio::test]
async fn every_answer_is_as_documented_and_every_documented_answer_is_given() {
    ask_everything(Checker::start().await).await;
}

#[tokio::test]
async fn through_a_gateway_to_another_server_every_answer_about_guilds_is_as_documented_too() {
    ask_everything(Checker::through_a_gateway().await).await;
}

async fn ask_everything(mut checker: Checker) {
    good_requests(&mut checker).await;
    beats(&mut checker).await;
    // Once more, now that there is something to say.
    checker.server.beat(&serde_json::from_str(&fixture("beat-full.json")).unwrap()).await;
    good_requests(&mut checker).await;
    bad_credentials(&mut checker).await;
    bad_questions(&mut checker).await;

    let operations = checker.api.operations();
    let documented = operations.flat_map(|(method, path, operation)| {
        let statuses = operation["responses"].as_object().unwrap().keys();
        statuses.map(move |status| (method.clone(), path.to_owned(), status.parse().unwrap())).collect::<Vec<_>>()
    });
    let missing: BTreeSet<u16> =
        documented.filter(|answer| !checker.seen.contains(answer)).map(|(.., status)| status).collect();
    // What only a slow sender, a limit that is off, a fault of the server or one of a backend brings about.
    assert_eq!(missing, [408, 429, 500, 502, 503, 504].into());
    if let Some(gateway) = checker.gateway {
        gateway.stopped().await;
    }
    checker.server.stopped().await;
}

#[tokio::test]
async fn what_is_not_a_route_is_a_problem_too() {
    let Checker { api, server, .. } = Checker::start().await;
    let responses = &api.0["components"]["responses"];
    for path in ["/nothing", "/api/v1/guilds", "/api/v1/guilds/1/status/", "/api/v2/statuses"] {
        let answer = server.client.get(server.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
        check_answer(&api, &responses["NotFound"], answer, path).await;
    }
    for (method, path, allowed) in [
        (Method::GET, "/api/v1/heartbeats", "POST"),
        (Method::PUT, "/api/v1/goodbye", "POST"),
        (Method::POST, "/api/v1/guilds/1/status", "GET,HEAD"),
        (Method::DELETE, "/api/streams?guilds=1", "GET,HEAD"),
    ] {
        let answer = server.client.request(method, server.url(path)).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()[ALLOW].to_str().unwrap()), (405, allowed), "{path}");
        check_answer(&api, &responses["MethodNotAllowed"], answer, path).await;
    }
    server.stopped().await;
}
