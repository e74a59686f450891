//! A database as a server left it, to be damaged in many ways.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::database::wal;
use super::{GUILD, Place, Process, SOON, eventually};

/// What the log says of a database that was set aside.
pub(crate) const LOUD: &str = "the database is corrupt; it was set aside and a new one is begun";

pub(crate) struct Sample {
    /// What a stop leaves, and what a kill leaves.
    stopped: TempDir,
    killed: TempDir,
    /// The last status of the only guild.
    status: Value,
}

impl Sample {
    /// Lets a server run for a while.
    pub(crate) async fn make() -> Self {
        let place = Place::new();
        let server = place.start().await;
        run(&place).await;
        server.stop().await;
        // Some of what a kill leaves is in the database, and some in the log beside it.
        let server = place.start().await;
        let status = run(&place).await;
        let killed = copy(&place.data());
        server.stop().await;
        Self { stopped: copy(&place.data()), killed, status }
    }

    /// A place with a copy of it.
    pub(crate) fn place(&self, killed: bool) -> Place {
        let place = Place::new();
        fs::create_dir(place.data()).unwrap();
        copy_into(if killed { self.killed.path() } else { self.stopped.path() }, &place.data());
        place
    }

    pub(crate) fn length(&self, killed: bool) -> u64 {
        fs::metadata(self.place(killed).file()).unwrap().len()
    }

    /// The server starts in this place, is ready, beats and streams go on. Either everything is
    /// still known, or the file was set aside, loudly and once. The next start knows everything.
    pub(crate) async fn must_survive(&self, place: &Place, what: &str) {
        let empty =
            [place.file(), wal(&place.file())].iter().all(|file| fs::metadata(file).map_or(0, |file| file.len()) == 0);
        let server: Process = place.spawn();
        let ready = async || place.readiness(place.addr).await.filter(|(code, _)| *code == 200);
        eventually(&format!("{what}: ready; the log: {}", place.log()), SOON * 2, ready).await;
        let restored = place.status(GUILD).await;
        let mut viewer = place.watch(GUILD).await;
        let status = place.change(&mut viewer, "damaged").await;
        let sound = async || {
            let ready = place.readiness(place.addr).await.is_some_and(|(code, _)| code == 200);
            (ready && place.database().has(&status)).then_some(())
        };
        eventually(&format!("{what}: the log is written; the log: {}", place.log()), SOON, sound).await;
        let aside = place.set_aside().len();
        assert_eq!(place.lines(LOUD).len(), aside, "{what}: {}", place.log());
        assert!(aside <= 1, "{what}: {}", place.log());
        // What could be read is known, and what could not was set aside, unless nothing was left.
        let known = restored["since"] == self.status["since"] && restored["healthy"] == true;
        assert!(known || aside == 1 || empty, "{what}: lost in silence");
        server.kill().await;
        let server = place.start().await;
        let restored = place.status(GUILD).await;
        assert_eq!((&restored["since"], &restored["version"]), (&status["since"], &status["version"]), "{what}");
        server.stop().await;
        assert!(place.database().is_sound(), "{what}");
        assert!(place.set_aside().len() <= 1, "{what}: the second start found more: {}", place.log());
    }
}

/// Fills a database with enough for several pages; returns the last status.
async fn run(place: &Place) -> Value {
    let mut viewer = place.watch(GUILD).await;
    let mut status = Value::Null;
    for round in 0..100 {
        status = place.change(&mut viewer, &format!("{round:0>100}")).await;
    }
    let stored = async || place.database().has(&status).then_some(());
    eventually("the transition in the log", SOON, stored).await;
    status
}

fn copy(folder: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    copy_into(folder, to.path());
    to
}

/// Copies the database and its log. Where there is a log there is an index of it, but that of
/// another machine would be made anew, too.
fn copy_into(folder: &Path, to: &Path) {
    let name = "guildpulse.db";
    fs::copy(folder.join(name), to.join(name)).unwrap();
    fs::copy(wal(&folder.join(name)), wal(&to.join(name))).ok();
}
