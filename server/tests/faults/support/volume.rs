//! A small disk that nobody else sees, and that vanishes with the test.
//!
//! It is mounted in the mount namespace of a process that does nothing but wait for the end of its
//! input. Servers are started inside; the test reaches its files by way of that process.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use super::is_root;
use super::process::command;

pub(crate) struct Volume {
    holder: Child,
    /// The folder as processes inside see it.
    pub path: PathBuf,
}

impl Volume {
    pub(crate) async fn mount(path: &Path, bytes: u64) -> Option<Self> {
        std::fs::create_dir(path).unwrap();
        let script =
            format!("mount -t tmpfs -o size={bytes},mode=777 guildpulse '{}' && echo mounted && cat", path.display());
        let flags = if is_root() { "-m" } else { "-Urm" };
        let mut command = command("unshare", &[flags, "sh", "-c", &script]);
        command.kill_on_drop(true).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut holder = command.spawn().ok()?;
        let mut said = String::new();
        BufReader::new(holder.stdout.take()?).read_line(&mut said).await.ok()?;
        (said == "mounted\n").then(|| Self { holder, path: path.to_owned() })
    }

    /// What runs a command inside.
    pub(crate) fn enter(&self) -> Vec<String> {
        let namespaces = format!("/proc/{}/ns", self.holder.id().unwrap());
        let mut words = vec!["nsenter".into(), format!("--mount={namespaces}/mnt")];
        if !is_root() {
            words.extend([format!("--user={namespaces}/user"), "--preserve-credentials".into()]);
        }
        words
    }

    /// A path inside as the test sees it.
    pub(crate) fn seen(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id().unwrap()));
        root.join(path.strip_prefix("/").unwrap())
    }

    fn ballast(&self) -> PathBuf {
        self.seen(&self.path.join("ballast"))
    }

    /// Fills it to the last byte.
    pub(crate) fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.ballast()).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    /// Makes room again.
    pub(crate) fn free(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}
