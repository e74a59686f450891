//! One of many viewers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::now_ms;
use super::stream::{Event, Stream};

/// How many streams are opened at once.
const AT_ONCE: usize = 100;

/// What a viewer knows of one guild.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    pub revision: (u64, u64),
    /// How many statuses it got.
    pub times: usize,
    /// How many of them had the revision of the one before.
    pub again: usize,
    /// The last of them.
    pub data: String,
}

pub(crate) struct Viewer {
    pub socket: TcpStream,
    stream: Stream,
    pub guilds: BTreeMap<u64, Seen>,
    /// How many bytes it has read.
    pub read: usize,
    /// Why the server ended the stream, and when that was read, on the wall clock.
    pub goodbye: Option<(String, u64)>,
    /// Whether it ever saw one of its guilds offline.
    pub saw_offline: bool,
}

impl Viewer {
    /// Opens a stream and reads the first status of each of its guilds. The kernel keeps little for it.
    pub(crate) async fn open(addr: SocketAddr, path: &str, token: &str, guilds: usize) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut socket = socket.connect(addr).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut viewer =
            Self { socket, stream: Stream::default(), guilds: BTreeMap::new(), read: 0, goodbye: None, saw_offline: false };
        while viewer.guilds.len() < guilds {
            viewer.read().await;
        }
        viewer
    }

    /// Reads what there is, or waits for it; false at the end of a stream that the server has ended.
    pub(crate) async fn read(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let read = self.socket.read(&mut buffer).await.unwrap();
        if read == 0 {
            assert!(self.stream.is_over() && self.goodbye.is_some(), "the stream was cut");
            return false;
        }
        self.read += read;
        let Self { stream, guilds, goodbye, saw_offline, .. } = self;
        stream.feed(&buffer[..read], |event| match event {
            Event::Retry | Event::Hello => assert!(guilds.is_empty(), "it comes first"),
            Event::Goodbye(reason) => *goodbye = Some((reason.to_owned(), now_ms())),
            Event::Status { guild, revision, data } => {
                assert!(goodbye.is_none(), "nothing comes behind a goodbye");
                let seen = guilds.entry(guild).or_default();
                assert!(revision >= seen.revision, "{revision:?} after {:?}", seen.revision);
                *saw_offline |= data.contains("\"state\":\"offline\"");
                let again = seen.again + usize::from(revision == seen.revision);
                *seen = Seen { revision, times: seen.times + 1, again, data: data.to_owned() };
            }
        });
        true
    }

    /// How many statuses it got.
    pub(crate) fn times(&self) -> usize {
        self.guilds.values().map(|seen| seen.times).sum()
    }

    /// How many of them had the revision of the one before.
    pub(crate) fn again(&self) -> usize {
        self.guilds.values().map(|seen| seen.again).sum()
    }

    /// What it knows of its only guild.
    pub(crate) fn seen(&self) -> &Seen {
        self.guilds.values().next().unwrap()
    }

    /// Whether the last status of each of its guilds has this version.
    pub(crate) fn is_at(&self, version: &str) -> bool {
        let version = format!("\"version\":{}", json!(version));
        self.guilds.values().all(|seen| seen.data.contains(&version))
    }
}

/// Opens a stream for each of these paths, of one guild each.
pub(crate) async fn open(addr: SocketAddr, paths: impl IntoIterator<Item = String>, token: &str) -> Vec<Viewer> {
    let opening = paths.into_iter().map(|path| async move { Viewer::open(addr, &path, token, 1).await });
    stream::iter(opening).buffered(AT_ONCE).collect().await
}

/// Lets all of them read, each until it has come so far; panics for one that has not in time.
pub(crate) async fn read_until(
    viewers: Vec<Viewer>,
    patience: Duration,
    done: impl Fn(&Viewer) -> bool + Send + Sync + 'static,
) -> Vec<Viewer> {
    let (mut reading, done) = (JoinSet::new(), Arc::new(done));
    for mut viewer in viewers {
        let done = done.clone();
        reading.spawn(async move {
            let read = async { while !done(&viewer) && viewer.read().await {} };
            let in_time = timeout(patience, read).await.is_ok();
            assert!(in_time && done(&viewer), "it has not come so far: {:?} {:?}", viewer.goodbye, viewer.guilds);
            viewer
        });
    }
    reading.join_all().await
}
