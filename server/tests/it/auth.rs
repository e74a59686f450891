//! Who may see what: credentials, principals, origins.

use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN, WWW_AUTHENTICATE};
use serde_json::{Value, json};

use crate::support::{BOT_TOKEN, GUILD, JWT_SECRET, Scene, answer, in_an_hour, shards, token};

fn status(scene: &Scene) -> RequestBuilder {
    scene.http.get(scene.url(&format!("/api/v1/guilds/{GUILD}/status")))
}

fn claims(change: &Value) -> Value {
    let mut claims = json!({"sub": "somebody", "exp": in_an_hour(), "guilds": [GUILD]});
    claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    claims
}

/// Status and code of the answer, `200 ok` if it is good.
async fn outcome(request: RequestBuilder) -> String {
    let (status, body) = answer(request).await;
    format!("{} {}", status.as_u16(), body["code"].as_str().unwrap_or("ok"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_or_says_which_check_failed() {
    let scene = Scene::start().await;
    let now = in_an_hour() - 3600;
    let foreign = jsonwebtoken::EncodingKey::from_secret(b"another secret, also 32 bytes long");
    let foreign = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims(&json!({})), &foreign).unwrap();
    let good = token(&claims(&json!({})));
    let tampered = good.replace('.', ".A");
    // {"alg":"none","typ":"JWT"}, with and without the signature of a good token.
    let payload = good.split('.').nth(1).unwrap();
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
    let signed_none = format!("{none}{}", good.split('.').nth(2).unwrap());
    let hs384 = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS384);
    let hs384 =
        jsonwebtoken::encode(&hs384, &claims(&json!({})), &jsonwebtoken::EncodingKey::from_secret(JWT_SECRET.as_bytes()));
    // The classic confusion: a public key that everybody has, used as the secret.
    let public_key = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
    let public_key = jsonwebtoken::EncodingKey::from_secret(public_key.as_bytes());
    let confused = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims(&json!({})), &public_key).unwrap();
    for (what, token, expected) in [
        ("good", good.clone(), "200 ok"),
        ("every guild", token(&claims(&json!({"guilds": "*"}))), "200 ok"),
        ("an operator", token(&json!({"role": "operator", "exp": in_an_hour()})), "200 ok"),
        ("an audience and an issuer that nobody configured", token(&claims(&json!({"aud": "x", "iss": "y"}))), "200 ok"),
        ("an end with a fraction", token(&claims(&json!({"exp": in_an_hour() as f64 + 0.5}))), "200 ok"),
        ("an end in milliseconds", token(&claims(&json!({"exp": in_an_hour() * 1000}))), "401 invalid_credential"),
        ("expired within the leeway", token(&claims(&json!({"exp": now - 2}))), "200 ok"),
        ("expired", token(&claims(&json!({"exp": now - 10}))), "401 expired_credential"),
        ("not valid yet, within the leeway", token(&claims(&json!({"nbf": now + 2}))), "200 ok"),
        ("not valid yet", token(&claims(&json!({"nbf": now + 60}))), "401 invalid_credential"),
        ("without an end", token(&json!({"sub": "x", "guilds": "*"})), "401 invalid_credential"),
        ("an end that is not a number", token(&claims(&json!({"exp": "tomorrow"}))), "401 invalid_credential"),
        ("without guilds", token(&json!({"sub": "x", "exp": in_an_hour()})), "401 invalid_credential"),
        ("without a subject", token(&json!({"guilds": "*", "exp": in_an_hour()})), "401 invalid_credential"),
        ("guilds that are none", token(&claims(&json!({"guilds": ["007"]}))), "401 invalid_credential"),
        ("another guild", token(&claims(&json!({"guilds": ["1"]}))), "403 guild_not_allowed"),
        ("no guild", token(&claims(&json!({"guilds": []}))), "403 guild_not_allowed"),
        ("a bot", BOT_TOKEN.to_owned(), "403 guild_not_allowed"),
        ("foreign", foreign, "401 invalid_credential"),
        ("tampered with", tampered, "401 invalid_credential"),
        ("without a signature", none, "401 invalid_credential"),
        ("none, but signed", signed_none, "401 invalid_credential"),
        ("another algorithm", hs384.unwrap(), "401 invalid_credential"),
        ("signed with a public key", confused, "401 invalid_credential"),
        ("no token at all", "gibberish".to_owned(), "401 invalid_credential"),
        ("three empty parts", "..".to_owned(), "401 invalid_credential"),
    ] {
        assert_eq!(outcome(status(&scene).bearer_auth(token)).await, expected, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_malformed_credential_is_401_with_a_challenge() {
    let scene = Scene::start().await;
    let refused = status(&scene).send().await.unwrap();
    assert_eq!(refused.headers()[WWW_AUTHENTICATE], "Bearer realm=\"guildpulse\"");
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "missing_credential");
    let good = scene.operator();
    for value in [String::new(), "Bearer".into(), "Bearer ".into(), format!("Basic {good}"), good.clone()] {
        assert_eq!(outcome(status(&scene).header(AUTHORIZATION, &value)).await, "401 invalid_credential", "{value:?}");
    }
    assert_eq!(outcome(status(&scene).header(AUTHORIZATION, format!("bEARER {good}"))).await, "200 ok");
    let twice = status(&scene).bearer_auth(&good).header(AUTHORIZATION, format!("Bearer {good}"));
    assert_eq!(outcome(twice).await, "401 invalid_credential");
    let in_url = scene
        .http
        .get(scene.url(&format!("/api/v1/guilds/{GUILD}/status?token={good}&auth_token={good}&access_token={good}")));
    assert_eq!(outcome(in_url).await, "401 missing_credential");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_is_a_credential_and_authorization_counts_before_it() {
    let scene = Scene::start().await;
    let good = scene.viewer(&[GUILD]);
    let with = |cookie: String| status(&scene).header(COOKIE, cookie);
    assert_eq!(outcome(with(format!("auth_token={good}"))).await, "200 ok");
    assert_eq!(outcome(with(format!("a=b; auth_token={good}; c=\"d\""))).await, "200 ok");
    let foreign = format!("name=José; auth_token={good}");
    assert_eq!(outcome(with(foreign)).await, "200 ok", "what others put into their cookies does not matter");
    assert_eq!(outcome(with("other=x".into())).await, "401 missing_credential");
    assert_eq!(outcome(with("auth_token=".into())).await, "401 invalid_credential");
    assert_eq!(outcome(with(format!("auth_token={good}; auth_token={good}"))).await, "401 invalid_credential");
    assert_eq!(outcome(with(format!("auth_token={good}")).header(COOKIE, "auth_token=x")).await, "401 invalid_credential");
    let both = with(format!("auth_token={good}")).bearer_auth("gibberish");
    assert_eq!(outcome(both).await, "401 invalid_credential", "no falling back to the cookie");
    let both = with("auth_token=gibberish".into()).bearer_auth(&good);
    assert_eq!(outcome(both).await, "200 ok", "the cookie is not looked at");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_from_elsewhere_is_refused_for_json_and_streams_alike() {
    let scene = Scene::with(|config| {
        config.public_url = Some("https://status.example".parse().unwrap());
        config.cors_origins = vec!["https://dash.example".parse().unwrap()];
    });
    let scene = scene.await;
    let good = scene.viewer(&[GUILD]);
    for path in ["status", "status/stream"] {
        let ask = |headers: &[(&str, &str)]| {
            let request = scene.http.get(scene.url(&format!("/api/guilds/{GUILD}/{path}")));
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
        };
        let cookie = |headers: &[(&str, &str)]| ask(headers).header(COOKIE, format!("auth_token={good}"));
        for headers in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
            &[("origin", "https://evil.example")],
            &[("origin", "null")],
        ] {
            assert_eq!(outcome(cookie(headers)).await, "403 origin_not_allowed", "{path} {headers:?}");
        }
        for headers in [
            &[("sec-fetch-site", "same-origin")][..],
            &[("sec-fetch-site", "none")],
            &[("origin", "https://status.example")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://dash.example")],
            &[],
        ] {
            let answer = cookie(headers).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path} {headers:?}");
        }
        let bearer = ask(&[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")]).bearer_auth(&good);
        let answer = bearer.send().await.unwrap();
        assert_eq!(answer.status(), 200, "nobody's browser adds an Authorization header by itself");
        assert_eq!(answer.headers().get("access-control-allow-origin"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_public_url_the_host_header_is_the_origin() {
    let scene = Scene::start().await;
    let ask = |origin: String| {
        let request = status(&scene).header(COOKIE, format!("auth_token={}", scene.operator()));
        request.header(ORIGIN, origin).header(HOST, "bot.example:3001")
    };
    assert_eq!(outcome(ask("http://bot.example:3001".into())).await, "200 ok");
    assert_eq!(outcome(ask("http://evil.example:3001".into())).await, "403 origin_not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn allowed_origins_get_cors_headers_and_others_do_not() {
    let scene = Scene::with(|config| config.cors_origins = vec!["https://dash.example".parse().unwrap()]).await;
    for (origin, allowed) in [("https://dash.example", Some("https://dash.example")), ("https://evil.example", None)] {
        let preflight = scene.http.request("OPTIONS".parse().unwrap(), scene.url(&format!("/api/v1/guilds/{GUILD}/status")));
        let preflight = preflight.header(ORIGIN, origin).header("access-control-request-method", "GET");
        let preflight = preflight.header("access-control-request-headers", "authorization").send().await.unwrap();
        let answer = scene.get(&format!("/api/v1/guilds/{GUILD}/status")).header(ORIGIN, origin).send().await.unwrap();
        for headers in [preflight.headers(), answer.headers()] {
            let header = headers.get("access-control-allow-origin").map(|origin| origin.to_str().unwrap());
            assert_eq!(header, allowed, "{origin}");
        }
        assert_eq!(answer.headers()["vary"], "Origin");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_principal_may_do_its_own_and_nothing_else() {
    let scene = Scene::start().await;
    let beat = json!({"shards": shards([0], 1, "ready")});
    let post = |path: &str, token: &str| scene.http.post(scene.url(path)).bearer_auth(token).json(&beat);
    let get = |path: &str, token: &str| scene.http.get(scene.url(path)).bearer_auth(token);
    let (viewer, operator) = (scene.viewer(&[GUILD]), scene.operator());
    for path in ["/api/v1/heartbeats", "/api/v1/goodbye"] {
        assert_eq!(outcome(post(path, &viewer)).await, "403 bot_required");
        assert_eq!(outcome(post(path, &operator)).await, "403 bot_required");
        assert_eq!(outcome(scene.http.post(scene.url(path)).json(&beat)).await, "401 missing_credential");
    }
    assert_eq!(scene.status(GUILD).await["reason"], "never_seen");
    assert_eq!(outcome(post("/api/v1/heartbeats", BOT_TOKEN)).await, "200 ok");
    for path in ["/api/v1/shards", "/metrics"] {
        assert_eq!(outcome(get(path, &viewer)).await, "403 operator_required");
        assert_eq!(outcome(get(path, BOT_TOKEN)).await, "403 operator_required");
        assert_eq!(outcome(get(path, &operator)).await, "200 ok");
        assert_eq!(outcome(scene.http.get(scene.url(path))).await, "401 missing_credential");
    }
    for path in ["/api/v1/statuses", "/api/statuses", "/api/v1/streams", "/api/streams"] {
        let problem = answer(get(&format!("{path}?guilds={GUILD},7"), &viewer)).await;
        assert_eq!((problem.0.as_u16(), problem.1["code"].as_str()), (403, Some("guild_not_allowed")));
        assert!(problem.1["detail"].as_str().unwrap().contains("guild 7"), "{}", problem.1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn authentication_comes_before_validation_and_validation_before_permission() {
    let scene = Scene::start().await;
    let ask = |id: &str| scene.http.get(scene.url(&format!("/api/v1/guilds/{id}/status")));
    assert_eq!(outcome(ask("007")).await, "401 missing_credential");
    assert_eq!(outcome(ask("007").bearer_auth(scene.viewer(&["1"]))).await, "400 invalid_guild_id");
    assert_eq!(outcome(ask("7").bearer_auth(scene.viewer(&["1"]))).await, "403 guild_not_allowed");
    let post = |token: &str| scene.http.post(scene.url("/api/v1/heartbeats")).bearer_auth(token).json(&json!({}));
    assert_eq!(outcome(post("gibberish")).await, "401 invalid_credential");
    assert_eq!(outcome(post(&scene.viewer(&["1"]))).await, "400 invalid_heartbeat");
}

#[tokio::test(flavor = "multi_thread")]
async fn beats_also_arrive_on_the_admin_address_and_statuses_do_not_leave_there() {
    let scene = Scene::start().await;
    let at = |path: &str| format!("http://{}{path}", scene.admin);
    let beat = scene.http.post(at("/api/v1/heartbeats")).json(&json!({"shards": shards([0], 1, "ready")}));
    assert_eq!(outcome(beat.try_clone().unwrap()).await, "401 missing_credential");
    assert_eq!(outcome(beat.bearer_auth(BOT_TOKEN)).await, "200 ok");
    assert_eq!(scene.status(GUILD).await["state"], "online");
    let status = scene.http.get(at(&format!("/api/v1/guilds/{GUILD}/status"))).bearer_auth(scene.operator());
    assert_eq!(outcome(status).await, "404 not_found");
    let metrics = scene.http.get(at("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("guildpulse_beats_accepted_total 1"), "{metrics}");
}
