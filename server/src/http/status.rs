//! Statuses, as JSON and as streams.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, RawQuery, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;

use super::App;
use super::caller::Caller;
use super::problem::Refusal;
use crate::auth::Permitted;
use crate::hub::Subject;
use crate::limits::Address;
use crate::stream::{Handoff, Opening, Permits, Source};
use crate::wire::sse::Framing;
use crate::wire::{Code, Facts, GuildId, Problem, Shards, Template, UnixMillis};

/// The most guilds that one request may ask for.
const MAX_GUILDS: usize = 100;
/// A fresh `lastHeartbeat` makes a new entity tag only in steps of this.
const TAG_STEP_MS: i64 = 15_000;

pub(super) type GuildPath = Result<Path<String>, axum::extract::rejection::PathRejection>;

pub(super) async fn one(
    State(app): State<Arc<App>>,
    caller: Caller,
    path: GuildPath,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let permitted = caller.may_watch(vec![guild(path)?])?;
    let guild = permitted.guilds()[0];
    let facts = app.monitor.facts(guild);
    Ok(answer_one(guild, &facts, &Template::new(&facts), &headers))
}

/// The status of a guild, unless the client has it already.
pub(super) fn answer_one(guild: GuildId, facts: &Facts, status: &Template, headers: &HeaderMap) -> Response {
    let tag = entity_tag(facts);
    let fresh = headers.get_all(header::IF_NONE_MATCH).iter().any(|known| names(known, &tag));
    let mut response = if fresh { StatusCode::NOT_MODIFIED.into_response() } else { json(status.json(guild)) };
    private(&mut response);
    let tag = HeaderValue::try_from(tag).expect("a tag is ASCII");
    response.headers_mut().insert(header::ETAG, tag);
    response
}

pub(super) async fn many(
    State(app): State<Arc<App>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let permitted = caller.may_watch(guilds(query.as_deref())?)?;
    let (_, all) = app.monitor.snapshot(permitted.guilds());
    Ok(answer_many(permitted.guilds().iter().copied().zip(all.iter().map(Template::new))))
}

/// The statuses of guilds, in the order asked.
pub(super) fn answer_many(statuses: impl Iterator<Item = (GuildId, Template)>) -> Response {
    let mut body = BytesMut::from(&b"{\"statuses\":["[..]);
    for (index, (guild, status)) in statuses.enumerate() {
        if index > 0 {
            body.extend_from_slice(b",");
        }
        status.write_json(guild, &mut body);
    }
    body.extend_from_slice(b"]}");
    let mut response = json(body.freeze());
    private(&mut response);
    response
}

pub(super) async fn stream_one(
    State(app): State<Arc<App>>,
    caller: Caller,
    path: GuildPath,
    address: Address,
    client: Client,
) -> Result<Response, Refusal> {
    let permitted = caller.may_watch(vec![guild(path)?])?;
    stream_of(&app, &permitted, address, client)
}

pub(super) async fn stream_many(
    State(app): State<Arc<App>>,
    caller: Caller,
    RawQuery(query): RawQuery,
    address: Address,
    client: Client,
) -> Result<Response, Refusal> {
    stream_of(&app, &caller.may_watch(each_once(guilds(query.as_deref())?))?, address, client)
}

pub(super) fn each_once(mut guilds: Vec<GuildId>) -> Vec<GuildId> {
    let mut seen = std::collections::HashSet::new();
    guilds.retain(|guild| seen.insert(*guild));
    guilds
}

pub(super) async fn shards(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Refusal> {
    caller.may_operate()?;
    let mut response = Json(Shards { shards: app.monitor.shards() }).into_response();
    private(&mut response);
    Ok(response)
}

/// Opens a stream. `Last-Event-ID` needs no answer: a status is state, and the newest is sent.
fn stream_of(app: &App, permitted: &Permitted, address: Address, client: Client) -> Result<Response, Refusal> {
    let place = app.common.viewers.admit(permitted.holder(), address)?;
    let permits = Permits::new(place, app.common.metrics.clone());
    let guilds: Vec<_> = permitted.guilds().iter().copied().map(Subject::of_all).collect();
    Ok(stream(&app.common.source, &guilds, permitted.until(), permits, client))
}

/// The answer that opens a stream of these guilds, which ends then.
pub(super) fn stream(source: &Source, guilds: &[Subject], until: UnixMillis, permits: Permits, client: Client) -> Response {
    let Client { framing, keep_alive, handoff } = client;
    let body = Opening::new(source, guilds, framing, until, permits, handoff);
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    if keep_alive {
        headers.insert(header::CONNECTION, HeaderValue::from_static("keep-alive"));
    }
    response
}

/// What a stream has to know of the connection it is asked for on.
#[derive(Debug)]
pub(super) struct Client {
    framing: Framing,
    /// Whether the connection is to stay open: HTTP/1.1, unless the client asks for the end (RFC 9112,
    /// section 9.3).
    keep_alive: bool,
    handoff: Handoff,
}

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let close = |value: &HeaderValue| value.to_str().is_ok_and(|list| list.to_ascii_lowercase().contains("close"));
        let closes = parts.headers.get_all(header::CONNECTION).iter().any(close);
        let framing = if parts.version == Version::HTTP_10 { Framing::UntilClose } else { Framing::Chunked };
        let handoff = parts.extensions.get::<Handoff>().expect("the listener knows the connection").clone();
        Ok(Self { framing, keep_alive: parts.version == Version::HTTP_11 && !closes, handoff })
    }
}

pub(super) fn guild(path: GuildPath) -> Result<GuildId, Problem> {
    let id = path.ok().and_then(|Path(id)| id.parse().ok());
    id.ok_or_else(|| Problem::new(Code::InvalidGuildId, crate::wire::InvalidGuildId.to_string()))
}

/// The ids of `?guilds=ID,ID,…`, in the order asked.
pub(super) fn guilds(query: Option<&str>) -> Result<Vec<GuildId>, Problem> {
    let pairs = form_urlencoded::parse(query.unwrap_or("").as_bytes());
    let lists: Vec<_> = pairs.filter(|(name, _)| name == "guilds").map(|(_, list)| list).collect();
    let ids: Vec<&str> = lists.iter().flat_map(|list| list.split(',')).collect();
    if ids.is_empty() {
        return Err(Problem::new(Code::InvalidGuildId, "name the guilds: ?guilds=ID,ID,…"));
    }
    if ids.len() > MAX_GUILDS {
        let detail = format!("at most {MAX_GUILDS} guilds at once, not {}", ids.len());
        return Err(Problem::new(Code::TooManyGuilds, detail));
    }
    let parse = |(index, id): (usize, &str)| {
        id.parse().map_err(|error| Problem::new(Code::InvalidGuildId, format!("guild {} of the list: {error}", index + 1)))
    };
    ids.into_iter().enumerate().map(parse).collect()
}

fn entity_tag(facts: &Facts) -> String {
    let step = facts.last_heartbeat.map_or(0, |time| time.0.div_euclid(TAG_STEP_MS));
    format!("W/\"{}-{step}\"", facts.revision)
}

/// Whether an `If-None-Match` header names the tag, by weak comparison (RFC 9110, section 13.1.2).
fn names(header: &HeaderValue, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    header.to_str().is_ok_and(|list| list.trim() == "*" || list.split(',').any(|known| opaque(known) == opaque(tag)))
}

fn json(body: bytes::Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// An answer that only the caller may keep, and must ask about before it uses it again.
fn private(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
}
