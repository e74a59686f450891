//! Tokens, minted as a dashboard would mint them.

use anyhow::Result;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::clock;

/// The secret of viewers' tokens, which the server is started with.
pub(crate) const SECRET: &str = "a secret that only the benchmark knows";
/// The token of the bot, which the server is started with.
pub(crate) const BOT_TOKEN: &str = "a-token-that-only-the-benchmark-knows-0123456789";

#[derive(Debug, Serialize)]
struct Claims {
    sub: String,
    exp: u64,
    guilds: [String; 1],
}

/// A token for this person and this guild. Each viewer gets its own, unless it matters that it does not, so that
/// no cache of verified tokens could make opens cheaper than they are.
pub(crate) fn mint(person: usize, guild: u64) -> Result<String> {
    let claims = Claims { sub: format!("viewer-{person}"), exp: clock::unix_seconds() + 3600, guilds: [guild.to_string()] };
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)?)
}
