//! Errors as clients see them: RFC 9457 `application/problem+json`.

use serde::{Deserialize, Serialize};

/// What went wrong, as a stable word. Clients switch on this, never on a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// 400: a guild id in the URL is not a snowflake.
    InvalidGuildId,
    /// 400: the body of a beat or of a goodbye breaks the contract; `pointer` says where.
    InvalidHeartbeat,
    /// 400: more guilds at once than one request may ask for.
    TooManyGuilds,
    /// 401: neither an Authorization header nor a cookie.
    MissingCredential,
    /// 401: a credential that this server did not issue or that is not valid yet.
    InvalidCredential,
    /// 401: a token past its `exp`.
    ExpiredCredential,
    /// 403: the token does not list the guild.
    GuildNotAllowed,
    /// 403: only an operator's token may do this.
    OperatorRequired,
    /// 403: only a bot's token may do this.
    BotRequired,
    /// 403: a cookie sent from another site.
    OriginNotAllowed,
    /// 404.
    NotFound,
    /// 405; the `Allow` header names what is.
    MethodNotAllowed,
    /// 408: the body took too long.
    RequestTimeout,
    /// 413: the body is larger than the server takes.
    BodyTooLarge,
    /// 415: the body is not `application/json`.
    UnsupportedMediaType,
    /// 429: the principal or the address has as many streams open as it may.
    TooManyStreams,
    /// 500: a fault of ours; the log says which.
    Internal,
    /// 503: the server has as many streams open as it can carry.
    TooManyViewers,
    /// 503: the server has as many connections open as it can carry.
    TooManyConnections,
    /// 503: too many ask at once whether they may see a guild; only of a gateway.
    TooManyChecks,
    /// 502: the backend of a gateway cannot be reached.
    UpstreamUnreachable,
    /// 502: the answer of the backend of a gateway is none to the question.
    UpstreamInvalid,
    /// 504: the backend of a gateway does not answer in time.
    UpstreamTimeout,
    /// The status of the backend of a gateway, which refuses.
    UpstreamRefused,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 24] = [
        Self::InvalidGuildId,
        Self::InvalidHeartbeat,
        Self::TooManyGuilds,
        Self::MissingCredential,
        Self::InvalidCredential,
        Self::ExpiredCredential,
        Self::GuildNotAllowed,
        Self::OperatorRequired,
        Self::BotRequired,
        Self::OriginNotAllowed,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::TooManyStreams,
        Self::Internal,
        Self::TooManyViewers,
        Self::TooManyConnections,
        Self::TooManyChecks,
        Self::UpstreamUnreachable,
        Self::UpstreamInvalid,
        Self::UpstreamTimeout,
        Self::UpstreamRefused,
    ];

    /// The HTTP status and its standard phrase (RFC 9110, section 15).
    pub fn status(self) -> (u16, &'static str) {
        match self {
            Self::InvalidGuildId | Self::InvalidHeartbeat | Self::TooManyGuilds => (400, "Bad Request"),
            Self::MissingCredential | Self::InvalidCredential | Self::ExpiredCredential => (401, "Unauthorized"),
            Self::GuildNotAllowed | Self::OperatorRequired | Self::BotRequired | Self::OriginNotAllowed => {
                (403, "Forbidden")
            }
            Self::NotFound => (404, "Not Found"),
            Self::MethodNotAllowed => (405, "Method Not Allowed"),
            Self::RequestTimeout => (408, "Request Timeout"),
            Self::BodyTooLarge => (413, "Content Too Large"),
            Self::UnsupportedMediaType => (415, "Unsupported Media Type"),
            Self::TooManyStreams => (429, "Too Many Requests"),
            Self::Internal => (500, "Internal Server Error"),
            Self::TooManyViewers | Self::TooManyConnections | Self::TooManyChecks => (503, "Service Unavailable"),
            // A refusal has the status of the backend, if there is one.
            Self::UpstreamUnreachable | Self::UpstreamInvalid | Self::UpstreamRefused => (502, "Bad Gateway"),
            Self::UpstreamTimeout => (504, "Gateway Timeout"),
        }
    }
}

/// The body of an error response. `type` is `about:blank`, so `title` is the status' phrase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `about:blank`: the status and the code say it all.
    pub r#type: String,
    /// The phrase of the HTTP status.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: Code,
    /// A sentence for the person who reads it: what was wrong, what was expected.
    pub detail: String,
    /// The offending place in the body as a JSON pointer (RFC 6901); the empty string is the
    /// whole body.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pointer: Option<String>,
    /// After how many seconds the same may be asked again, if there is reason to say so. It stands in the
    /// head of the answer.
    #[serde(skip)]
    pub retry_after: Option<u32>,
}

impl Problem {
    /// A problem that is not about a place in a body.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let (status, title) = code.status();
        Self {
            r#type: "about:blank".into(),
            title: title.into(),
            status,
            code,
            detail: detail.into(),
            pointer: None,
            retry_after: None,
        }
    }

    /// The body of the answer.
    pub fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a problem holds nothing that JSON cannot")
    }

    /// The same problem, about the place that `pointer` names.
    pub fn at(self, pointer: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), ..self }
    }
}
