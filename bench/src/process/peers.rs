//! How peers are started. Both stay in the foreground and are one process.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Where Debian puts nchan.
const NCHAN: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";
const NGINX_CONFIG: &str = include_str!("../../peers/nginx.conf");
const NODE_SERVER: &str = include_str!("../../peers/server.mjs");

/// nginx with nchan, and the addresses that it will listen on: it cannot choose them, and says nothing.
pub(super) fn nchan(folder: &Path) -> Result<(Command, [SocketAddr; 2])> {
    ensure!(fs::exists(NCHAN)?, "{NCHAN} is missing; Debian has it in the package libnginx-mod-nchan");
    let addresses = free_addresses()?;
    let [public, admin] = addresses.map(|address| address.to_string());
    let config = NGINX_CONFIG.replace("MODULE", NCHAN).replace("PUBLIC", &public).replace("ADMIN", &admin);
    fs::write(folder.join("nginx.conf"), config)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "stderr"]);
    Ok((command, addresses))
}

/// The server in Node, which says where it listens.
pub(super) fn node(folder: &Path) -> Result<Command> {
    let script = folder.join("server.mjs");
    fs::write(&script, NODE_SERVER)?;
    let mut command = Command::new("node");
    command.arg(script);
    Ok(command)
}

/// Free now. Somebody else could take one before nginx does, which then ends at once.
fn free_addresses() -> Result<[SocketAddr; 2]> {
    let listeners = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    Ok([listeners[0].local_addr()?, listeners[1].local_addr()?])
}

/// What was compared, a line for each.
pub(crate) fn versions(server: &Path) -> Result<String> {
    let guildpulse = said(Command::new(server).arg("--version"))?;
    let nginx = said(Command::new("nginx").arg("-v"))?;
    let nchan = said(Command::new("dpkg-query").args(["-W", "-f", "${Version}", "libnginx-mod-nchan"]))?;
    let node = said(Command::new("node").arg("--version"))?;
    Ok(format!("{guildpulse}\n{nginx}, nchan {nchan}\nNode {node}\n"))
}

fn said(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {}, which has to be installed", command.get_program().display()))?;
    // nginx says its version to standard error.
    let said = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_filled_into_the_configuration_stands_in_it_once() {
        for name in ["MODULE", "PUBLIC", "ADMIN"] {
            assert_eq!(NGINX_CONFIG.matches(name).count(), 1, "{name}");
        }
    }

    #[test]
    fn what_is_not_installed_is_named() {
        let error = said(&mut Command::new("no-such-peer")).unwrap_err();
        assert_eq!(error.to_string(), "cannot start no-such-peer, which has to be installed");
    }
}
