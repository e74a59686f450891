//! What the server has when nobody is there.

use std::fmt;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::clock::Bound;
use crate::process::Measured;

/// How long the server may take to notice that everybody has left, in looks.
const PATIENCE: usize = 300;
/// Then, for so many looks, what is freed late becomes free; the least counts.
const REST: usize = 20;
const STEP: Duration = Duration::from_millis(100);
/// What has to be 0 when nobody is there.
const NOBODY: [&str; 2] = ["guildpulse_viewers", "guildpulse_connections"];

/// What the server has.
#[derive(Debug)]
pub(super) struct Look {
    /// In KiB.
    pub(super) memory: f64,
    pub(super) descriptors: usize,
    /// Viewers and connections that it says are still there.
    pub(super) ghosts: u64,
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server has {:.0} KiB and {} descriptors", self.memory, self.descriptors)
    }
}

/// Waits until the server says that nobody is there, or has had time enough for it, and looks.
pub(super) fn when_all_have_left(measured: &Measured, bound: &Bound) -> Result<Look> {
    let mut ghosts = ghosts_of(measured)?;
    for _ in 0..PATIENCE {
        if ghosts == 0 {
            break;
        }
        pause(bound)?;
        ghosts = ghosts_of(measured)?;
    }
    let mut least = Look { memory: f64::INFINITY, descriptors: usize::MAX, ghosts };
    for _ in 0..REST {
        pause(bound)?;
        least.memory = least.memory.min(measured.memory()?);
        least.descriptors = least.descriptors.min(measured.descriptors()?);
    }
    Ok(least)
}

fn pause(bound: &Bound) -> Result<()> {
    thread::sleep(STEP);
    bound.check()
}

fn ghosts_of(measured: &Measured) -> Result<u64> {
    let mut socket = TcpStream::connect(measured.admin)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    socket.write_all(b"GET /metrics HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    NOBODY.iter().map(|name| gauge(&answer, name).with_context(|| format!("no {name} in {answer}"))).sum()
}

fn gauge(answer: &str, name: &str) -> Option<u64> {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    answer.lines().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_is_found_by_its_whole_name() {
        let answer = "# TYPE a_b gauge\r\na_bc 1\na_b 20\nb 3\n";
        assert_eq!(gauge(answer, "a_b"), Some(20));
        assert_eq!(gauge(answer, "a"), None);
    }
}
