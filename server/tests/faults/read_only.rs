//! A data folder that may not be written.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use crate::support::process::BINARY;
use crate::support::{GUILD, Place, RECOVERY, SOON, eventually, is_root, not_shown};

const NOBODY: u32 = 65534;
const REASON: &str = "the data folder or the database may not be written";

/// A place whose server is bound by modes, which root is not.
fn place() -> Option<Place> {
    let mut place = Place::new();
    if !is_root() {
        return Some(place);
    }
    let wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    if !Command::new(wrapper[0]).args(&wrapper[1..]).arg("true").status().is_ok_and(|status| status.success()) {
        return None;
    }
    // The folder of the build may be one that only root can enter.
    let binary = place.folder.path().join("guildpulse");
    fs::copy(BINARY, &binary).unwrap();
    place.binary = binary.display().to_string();
    place.wrapper = wrapper.map(str::to_owned).into();
    fs::create_dir(place.data()).unwrap();
    chown(place.data(), Some(NOBODY), Some(NOBODY)).unwrap();
    chmod(place.folder.path(), 0o755);
    Some(place)
}

fn chmod(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Takes away the right to write the folder and everything in it, or gives it back.
fn writable(place: &Place, writable: bool) {
    for file in fs::read_dir(place.data()).unwrap() {
        chmod(&file.unwrap().path(), if writable { 0o600 } else { 0o400 });
    }
    chmod(&place.data(), if writable { 0o700 } else { 0o500 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_a_read_only_folder_reads_what_is_known_and_recovers_by_chmod() {
    let Some(place) = place() else { return not_shown("a read-only folder at the start", "no setpriv") };
    let mut server = place.start().await;
    let mut viewer = place.watch(GUILD).await;
    let online = place.change(&mut viewer, "1").await;
    let stored = async || place.database().has(&online).then_some(());
    eventually("the transition in the log", SOON, stored).await;
    // After a stop there is no log beside the database; after a kill there is.
    for killed in [false, true] {
        if killed {
            server.kill().await;
        } else {
            server.stop().await;
        }
        writable(&place, false);
        let loud = place.lines("the store cannot be written").len();
        server = place.start_unready().await;
        let restored = place.status(GUILD).await;
        assert_eq!((&restored["healthy"], &restored["since"]), (&true.into(), &online["since"]), "killed: {killed}");
        place.unready_because(REASON, SOON).await;
        let mut viewer = place.watch(GUILD).await;
        let status = place.change(&mut viewer, if killed { "3" } else { "2" }).await;
        assert_eq!(status["since"], online["since"]);
        writable(&place, true);
        place.ready_within(RECOVERY).await;
        assert!(place.database().has(&status), "what waited is in the log");
        assert_eq!(place.lines("the store cannot be written").len(), loud + 1, "{}", place.log());
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_becomes_read_only_stops_neither_beats_nor_streams() {
    let Some(place) = place() else { return not_shown("a folder that becomes read-only", "no setpriv") };
    let server = place.start().await;
    let mut viewer = place.watch(GUILD).await;
    place.change(&mut viewer, "before").await;
    writable(&place, false);
    let mut statuses = Vec::new();
    for round in 0..20 {
        statuses.push(place.change(&mut viewer, &format!("read-only-{round}")).await);
    }
    // Files that are open stay writable, so that it may or may not notice.
    writable(&place, true);
    place.ready_within(RECOVERY).await;
    for status in &statuses {
        let stored = async || place.database().has(status).then_some(());
        eventually("the transition in the log", SOON, stored).await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_replaced_in_a_folder_that_is_read_only_is_served_from_memory() {
    let Some(place) = place() else { return not_shown("a read-only folder while running", "no setpriv") };
    let server = place.start().await;
    let mut viewer = place.watch(GUILD).await;
    place.change(&mut viewer, "before").await;
    // As a careless restore of a backup does it: another file, and not ours to write.
    let file = place.file();
    fs::rename(&file, file.with_extension("moved")).unwrap();
    fs::copy(file.with_extension("moved"), &file).unwrap();
    chmod(&file, 0o400);
    chmod(&place.data(), 0o500);
    place.unready_because(REASON, SOON * 3).await;
    let status = place.change(&mut viewer, "while read-only").await;
    fs::remove_file(&file).unwrap();
    writable(&place, true);
    place.ready_within(RECOVERY).await;
    assert!(place.database().has(&status));
    server.stop().await;
}
