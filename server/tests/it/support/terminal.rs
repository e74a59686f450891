//! A terminal with a screen, for commands that draw on one.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::SOON;

pub(crate) struct Terminal {
    pub process: Child,
    /// Everything that the process wrote.
    pub written: Vec<u8>,
    parser: vt100::Parser,
    keys: File,
    read: mpsc::Receiver<Vec<u8>>,
}

impl Terminal {
    /// Starts the command on a terminal of this size.
    pub(crate) fn start(mut command: Command, rows: u16, columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        let open = || Stdio::from(ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap());
        let process = command.stdout(open()).stderr(open()).spawn().unwrap();
        let parser = vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 100);
        let mut master = File::from(master);
        let keys = master.try_clone().unwrap();
        let (tell, read) = mpsc::channel(64);
        // When the last process has closed the terminal, reading from it is an error.
        spawn_blocking(move || {
            let mut bytes = [0; 4096];
            while let Ok(length) = master.read(&mut bytes) {
                if tell.blocking_send(bytes[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { process, written: Vec::new(), parser, keys, read }
    }

    /// Presses a key, which the terminal shows.
    pub(crate) fn press(&mut self, key: &str) {
        self.keys.write_all(key.as_bytes()).unwrap();
    }

    /// What stands on the screen between two frames, once it is so.
    pub(crate) async fn until(&mut self, so: impl Fn(&str) -> bool) -> String {
        let wait = async {
            loop {
                let contents = self.parser.screen().contents();
                if self.is_between_frames() && so(&contents) {
                    return contents;
                }
                self.read().await.expect("the process goes on");
            }
        };
        match timeout(SOON, wait).await {
            Ok(contents) => contents,
            Err(_) => panic!("the screen shows\n{}", self.parser.screen().contents()),
        }
    }

    /// Reads up to the end of the process.
    pub(crate) async fn rest(&mut self) -> &vt100::Screen {
        while timeout(SOON, self.read()).await.expect("the process ends").is_some() {}
        self.parser.screen()
    }

    pub(crate) fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// A frame erases every line that it draws, and at its end all that is below.
    fn is_between_frames(&self) -> bool {
        let last = |code: &[u8]| self.written.windows(code.len()).rposition(|bytes| bytes == code);
        last(b"\x1b[J") >= last(b"\x1b[2K")
    }

    async fn read(&mut self) -> Option<()> {
        let bytes = self.read.recv().await?;
        self.written.extend_from_slice(&bytes);
        self.parser.process(&bytes);
        Some(())
    }
}
