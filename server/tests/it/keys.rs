//! Whose tokens count: algorithms, keys, issuers and audiences, and what a refusal says.

use jsonwebtoken::{Algorithm, EncodingKey, Header, crypto, encode};
use serde_json::{Value, json};

use crate::support::command::{guildpulse, output, printed, refusal};
use crate::support::signer::{ALL, ED25519, P256, RSA, Signer, set, viewer};
use crate::support::{BOT_TOKEN, GUILD, JWT_SECRET, Scene, answer, in_an_hour, token};

/// `good` or the detail of the refusal, which must hold nothing of the token.
async fn verdict(scene: &Scene, token: &str) -> String {
    let (status, body) =
        answer(scene.http.get(scene.url(&format!("/api/v1/guilds/{GUILD}/status"))).bearer_auth(token)).await;
    if status == 200 {
        return "good".into();
    }
    assert_eq!(status, 401, "{body}");
    let detail = body["detail"].as_str().unwrap().to_owned();
    assert_eq!(detail.contains("expired"), body["code"] == "expired_credential", "{body}");
    for part in token.split('.').filter(|part| part.len() > 3) {
        assert!(!body.to_string().contains(part), "{body}");
    }
    detail
}

async fn check(scene: &Scene, tokens: &[(&str, String, &str)]) {
    for (what, token, expected) in tokens {
        assert_eq!(verdict(scene, token).await, *expected, "{what}");
    }
}

const NOT_A_TOKEN: &str = "the credential is neither a bot's token that this server knows nor a JWT";
const HEADER: &str = "the token's header is malformed or names an unknown algorithm";
const ALGORITHM: &str = "the token is signed with another algorithm than this server takes";
const SIGNATURE: &str = "the token's signature is not by a key of this server";
const UNKNOWN_KEY: &str = "the token names a key (`kid`) that this server does not know";
const NO_KEY: &str = "the token does not say which of the server's keys (`kid`) signed it";
const EXPIRED: &str = "the token has expired";
const NOT_YET: &str = "the token is not valid yet (`nbf`)";
const ISSUER: &str = "the token is by another issuer (`iss`) than this server trusts";
const AUDIENCE: &str = "the token is for another audience (`aud`) than this server";

/// "The claim is missing or malformed."
fn claim(name: &str) -> String {
    format!("the token's claim `{name}` is missing or malformed")
}

fn hs256(secret: &str) -> String {
    encode(&Header::default(), &viewer(&json!({})), &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// The same token under another header, which is given in base64url.
fn under(header: &str, token: &str) -> String {
    format!("{header}.{}", token.split_once('.').unwrap().1)
}

/// {"alg":"none","typ":"JWT"}
const NONE: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";

#[tokio::test(flavor = "multi_thread")]
async fn the_algorithm_is_fixed_by_the_configuration() {
    for [good, other] in ALL {
        let files = [good.public.to_owned(), set(&[good.jwk(&json!({}))])];
        for file in &files {
            let scene = Scene::with(|config| good.configure(config, file)).await;
            let token = good.token();
            let (head, payload, signature) = {
                let mut parts = token.split('.');
                (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap())
            };
            // Our own header over a signature made with the file as the secret.
            let message = format!("{head}.{payload}");
            let secret = EncodingKey::from_secret(file.as_bytes());
            let forged = crypto::sign(message.as_bytes(), &secret, Algorithm::HS256).unwrap();
            let late = good.sign(&Header::new(good.algorithm), &viewer(&json!({"exp": in_an_hour() - 3610})));
            let swapped = other.sign(&Header::new(good.algorithm), &viewer(&json!({"guilds": "*"})));
            let mut tokens = vec![
                ("good", token.clone(), "good"),
                ("by another key", other.token(), SIGNATURE),
                ("expired", late, EXPIRED),
                ("the public key as a secret", hs256(file), ALGORITHM),
                ("the same under another header", format!("{message}.{forged}"), SIGNATURE),
                ("a secret", hs256(JWT_SECRET), ALGORITHM),
                ("none", format!("{NONE}.{payload}."), HEADER),
                ("none, but signed", under(NONE, &token), HEADER),
                ("without a signature", format!("{message}."), SIGNATURE),
                ("claims of another token", format!("{head}.{}.{signature}", swapped.split('.').nth(1).unwrap()), SIGNATURE),
                ("cut off", token[..token.len() - 2].to_owned(), SIGNATURE),
            ];
            for [foreign, _] in ALL.into_iter().filter(|[foreign, _]| foreign.algorithm != good.algorithm) {
                tokens.push(("another algorithm", foreign.token(), ALGORITHM));
            }
            if good.algorithm == Algorithm::RS256 {
                for algorithm in [Algorithm::RS512, Algorithm::PS256] {
                    let token = good.sign(&Header::new(algorithm), &viewer(&json!({})));
                    tokens.push(("the same key by another algorithm", token, ALGORITHM));
                }
            }
            check(&scene, &tokens).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_set_the_kid_picks_among_the_keys_that_fit() {
    for [first, second] in ALL {
        let foreign = ALL.into_iter().flatten().find(|key| key.algorithm != first.algorithm).unwrap();
        let passed_over = [
            second.jwk(&json!({"kid": "enc", "use": "enc"})),
            second.jwk(&json!({"kid": "wrap", "key_ops": ["wrapKey"]})),
            second.jwk(&json!({"kid": "alg", "alg": "HS256"})),
            foreign.jwk(&json!({"kid": "foreign"})),
            // A kid may be used again for a key of another kind (RFC 7517, section 4.5).
            foreign.jwk(&json!({"kid": "one"})),
            json!({"kty": "oct", "kid": "oct", "k": "c2VjcmV0"}),
            json!({"kty": "OKP", "crv": "X25519", "kid": "x", "x": "AA"}),
            json!({"kty": "of tomorrow", "kid": "new"}),
        ];
        let one = first.jwk(&json!({"kid": "one", "use": "sig", "key_ops": ["verify"]}));
        let single = set(&[&passed_over[..], std::slice::from_ref(&one)].concat());
        let scene = Scene::with(|config| first.configure(config, &single)).await;
        check(
            &scene,
            &[
                ("by its kid", first.token_by("one"), "good"),
                ("without a kid", first.token(), "good"),
                ("an unknown kid", first.token_by("two"), UNKNOWN_KEY),
                ("a key for encryption", second.token_by("enc"), UNKNOWN_KEY),
                ("a key for wrapping", second.token_by("wrap"), UNKNOWN_KEY),
                ("a key for another algorithm", second.token_by("alg"), UNKNOWN_KEY),
                ("a key of another type", foreign.token_by("foreign"), ALGORITHM),
                ("the name of a secret", first.token_by("oct"), UNKNOWN_KEY),
            ],
        )
        .await;

        let two = second.jwk(&json!({"kid": "two"}));
        let scene = Scene::with(|config| first.configure(config, &set(&[one, two]))).await;
        check(
            &scene,
            &[
                ("the first", first.token_by("one"), "good"),
                ("the second", second.token_by("two"), "good"),
                ("crosswise", first.token_by("two"), SIGNATURE),
                ("an unknown kid", first.token_by("three"), UNKNOWN_KEY),
                ("an empty kid", first.token_by(""), UNKNOWN_KEY),
                ("without a kid", first.token(), NO_KEY),
            ],
        )
        .await;

        let scene = Scene::with(|config| first.configure(config, first.public)).await;
        check(&scene, &[("in PEM, a kid means nothing", first.token_by("any"), "good")]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_may_hold_keys_without_a_name() {
    let [first, second] = P256;
    let keys = set(&[first.jwk(&json!({})), second.jwk(&json!({"kid": "two"}))]);
    let scene = Scene::with(|config| first.configure(config, &keys)).await;
    check(&scene, &[("named", second.token_by("two"), "good"), ("nameless", first.token(), NO_KEY)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_by_others_verifies_as_its_specification_says() {
    // RFC 7515, appendix A.3: signed with ES256, and expired in 2011.
    let key = json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
    });
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let scene = Scene::with(|config| P256[0].configure(config, &set(&[key]))).await;
    check(&scene, &[("its signature is good", token.into(), EXPIRED), ("or not", token.replace(".DtE", ".DtF"), SIGNATURE)])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_check_that_failed_and_nothing_else() {
    let scene = Scene::start().await;
    let now = in_an_hour() - 3600;
    let foreign = |claims: &Value| {
        let key = EncodingKey::from_secret(b"another secret, also 32 bytes long");
        encode(&Header::default(), claims, &key).unwrap()
    };
    let critical = Header { crit: Some(vec!["b64".into()]), ..Header::default() };
    let critical = encode(&critical, &viewer(&json!({})), &EncodingKey::from_secret(JWT_SECRET.as_bytes())).unwrap();
    let good = token(&viewer(&json!({})));
    let mut tokens = vec![
        ("no token at all", "gibberish".to_owned(), NOT_A_TOKEN.to_owned()),
        ("an unknown bot", format!("gpb_{}", "0".repeat(64)), NOT_A_TOKEN.to_owned()),
        ("three empty parts", "..".to_owned(), NOT_A_TOKEN.to_owned()),
        ("a header that is not base64", under("????", &good), NOT_A_TOKEN.to_owned()),
        // {"alg":"HS256","kid":7}
        ("a header that does not fit", under("eyJhbGciOiJIUzI1NiIsImtpZCI6N30", &good), HEADER.to_owned()),
        ("none", under(NONE, &good), HEADER.to_owned()),
        ("by a key pair", ED25519[0].token(), ALGORITHM.to_owned()),
        ("an extension", critical, "the token's header demands an extension that this server does not know".to_owned()),
        ("expired", token(&viewer(&json!({"exp": now - 10}))), EXPIRED.to_owned()),
        ("not valid yet", token(&viewer(&json!({"nbf": now + 60}))), NOT_YET.to_owned()),
        (
            "no object",
            token(&json!("claims")),
            "the token's claims are not a JSON object that names each claim once".to_owned(),
        ),
        ("forged and expired", foreign(&viewer(&json!({"exp": now - 10}))), SIGNATURE.to_owned()),
        ("forged and malformed", foreign(&json!({"guilds": 7})), SIGNATURE.to_owned()),
    ];
    for (name, value) in [
        ("exp", json!(null)),
        ("exp", json!("tomorrow")),
        ("exp", json!(in_an_hour() * 1000)),
        ("nbf", json!("yesterday")),
        ("sub", json!(null)),
        ("sub", json!(7)),
        ("guilds", json!(null)),
        ("guilds", json!(["007"])),
        ("guilds", json!({"81384788757315589": true})),
        ("guilds", json!("all")),
        ("role", json!(["operator"])),
    ] {
        let mut change = json!({});
        change[name] = value;
        tokens.push((name, token(&viewer(&change)), claim(name)));
    }
    for (what, token, expected) in &tokens {
        assert_eq!(verdict(&scene, token).await, *expected, "{what}");
    }
    check(&scene, &[("good", good, "good")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn issuer_and_audience_are_asked_for_where_they_are_configured() {
    let scene = Scene::with(|config| {
        config.keys.jwt_issuer = Some("https://login.example".into());
        config.keys.jwt_audience = Some("guildpulse".into());
    })
    .await;
    let with = |iss: Value, aud: Value| token(&viewer(&json!({"iss": iss, "aud": aud})));
    let (issuer, audience) = (json!("https://login.example"), json!("guildpulse"));
    let (no_issuer, no_audience) = (claim("iss"), claim("aud"));
    check(
        &scene,
        &[
            ("good", with(issuer.clone(), audience.clone()), "good"),
            ("one of several audiences", with(issuer.clone(), json!(["others", "guildpulse"])), "good"),
            ("another issuer", with(json!("https://login.example.evil"), audience.clone()), ISSUER),
            ("another audience", with(issuer.clone(), json!("others")), AUDIENCE),
            ("no audience of several", with(issuer.clone(), json!([])), AUDIENCE),
            ("without an issuer", with(json!(null), audience.clone()), &no_issuer),
            ("without an audience", with(issuer.clone(), json!(null)), &no_audience),
            ("an issuer that is none", with(json!(7), audience), &no_issuer),
            ("an audience that is none", with(issuer, json!({"guildpulse": 1})), &no_audience),
        ],
    )
    .await;
    let folder = scene.data.path();
    let command = "token --data data --operator --jwt-issuer https://login.example --jwt-audience guildpulse";
    let mut command = guildpulse(command, folder);
    command.env("GUILDPULSE_JWT_SECRET", JWT_SECRET);
    let printed = output(command).await;
    check(&scene, &[("a printed one", String::from_utf8(printed.stdout).unwrap().trim().to_owned(), "good")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_keys_that_does_not_fit_is_refused_and_nothing_is_touched() {
    const P384: &str = include_str!("keys/test-only-p384.public.pem");
    const SECP256K1: &str = include_str!("keys/test-only-secp256k1.public.pem");
    const RSA1024: &str = include_str!("keys/test-only-rsa1024.public.pem");
    const PRIVATE: &str = include_str!("keys/test-only-ed25519-1.private.pem");
    let [ed, rsa, p256] = [ED25519[0], RSA[0], P256[0]];
    let named = |key: Signer, members: Value| set(&[key.jwk(&members)]);
    let twice = set(&[p256.jwk(&json!({"kid": "a"})), P256[1].jwk(&json!({"kid": "a"}))]);
    let damaged = "damaged or of the wrong size";
    for (algorithm, file, words) in [
        ("EdDSA", String::new(), &["neither", "PEM", "JWK set"][..]),
        ("EdDSA", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5".into(), &["neither"]),
        ("EdDSA", "[]".into(), &["neither"]),
        ("EdDSA", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".into(), &["neither"]),
        ("EdDSA", PRIVATE.into(), &["private key", "public key there"]),
        ("EdDSA", named(ed, json!({"d": "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0"})), &["private key"]),
        ("EdDSA", format!("{}{}", ed.public, ED25519[1].public), &["several keys", "JWK set"]),
        ("EdDSA", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----".into(), &["EdDSA", "Ed25519"]),
        ("EdDSA", "{\"keys\": [".into(), &["not a JWK set", "line 1"]),
        ("EdDSA", "{\"kty\": \"OKP\"}".into(), &["not a JWK set"]),
        ("EdDSA", set(&[]), &["no public key for EdDSA", "Ed25519"]),
        ("EdDSA", named(ed, json!({"use": "enc"})), &["no public key for EdDSA"]),
        ("EdDSA", named(ed, json!({"x": "AAAA"})), &[damaged]),
        ("EdDSA", named(ed, json!({"x": "not base64!"})), &[damaged]),
        ("EdDSA", rsa.public.into(), &["no public key for EdDSA"]),
        ("ES256", P384.into(), &["no public key for ES256", "P-256"]),
        ("ES256", SECP256K1.into(), &[damaged, "P-256"]),
        ("ES256", ed.public.into(), &["no public key for ES256"]),
        ("ES256", named(p256, json!({"y": p256.jwk(&json!({}))["x"]})), &[damaged]),
        ("ES256", twice, &["two keys", "kid"]),
        ("RS256", RSA1024.into(), &[damaged, "2048"]),
        ("RS256", named(rsa, json!({"n": format!("AAAA{}", "_".repeat(340))})), &[damaged, "2048"]),
        ("RS256", p256.public.into(), &["no public key for RS256", "RSA"]),
        ("RS256", named(rsa, json!({"alg": "PS256"})), &["no public key for RS256"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("the-keys"), &file).unwrap();
        let command = format!("serve --listen 127.0.0.1:0 --data data --jwt-algorithm {algorithm} --jwt-keys the-keys");
        let (code, said) = refusal(&command, folder.path()).await;
        assert_eq!((code, said.lines().count()), (Some(2), 1), "{file}: {said}");
        assert!(said.contains("the-keys") && words.iter().all(|word| said.contains(word)), "{file}: {said}");
        let shown = file.split(['"', '\n']).find(|part| part.len() > 20 && !part.contains("BEGIN") && said.contains(part));
        assert_eq!(shown, None, "{said}");
        assert!(!folder.path().join("data").exists(), "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_private_key_prints_tokens_for_bots_only() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys.pem"), RSA[0].public).unwrap();
    let keys = "--data data --jwt-algorithm RS256 --jwt-keys keys.pem";
    for kind in ["--operator", "--all-guilds", "--guild 7"] {
        let (code, said) = refusal(&format!("token {kind} {keys}"), folder.path()).await;
        assert_eq!((code, said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.contains("private key") && said.contains("RS256") && said.contains("--bot"), "{said}");
    }
    assert!(!folder.path().join("data").exists());
    assert!(printed(&format!("token --bot worker-1 {keys}"), folder.path()).await.starts_with("gpb_"));

    let scene = Scene::with(|config| RSA[0].configure(config, RSA[0].public)).await;
    let beat = scene.http.post(scene.url("/api/v1/heartbeats")).bearer_auth(BOT_TOKEN);
    let (status, _) = answer(beat.json(&json!({"shards": [{"id": 0, "count": 1}]}))).await;
    assert_eq!(status, 200, "bots have tokens of their own");
    assert!(!scene.data.path().join("data/jwt-secret").exists(), "no secret is made for nothing");
}
