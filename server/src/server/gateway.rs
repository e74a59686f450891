//! A server whose statuses a backend knows.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::{Base, StartError};
use crate::config::Backend;
use crate::gateway::{Board, Gateway};
use crate::http::Proxy;
use crate::hub::Hub;
use crate::stream::Source;

/// A gateway to the backend. Nothing of it is asked yet.
pub(super) fn open(base: &Base<'_>, backend: &Backend, hub: Hub, tasks: TaskTracker) -> Result<Proxy, StartError> {
    let board = Arc::new(Board::new(base.clock, hub));
    let common = base.common(Source::Board(board.clone()));
    let (settings, stop) = (&base.config.upstream, base.shutdown.clone());
    let gateway = Gateway::new(settings, backend.url().clone(), board, stop, tasks, base.metrics.clone())?;
    Ok(Proxy { common, gateway: Arc::new(gateway) })
}
