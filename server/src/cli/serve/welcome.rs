//! What somebody at a terminal is told: where to click.
//!
//! This goes to standard output and never into the log, because it signs in whoever reads it.

use std::convert::Infallible;
use std::future::pending;
use std::io::{self, IsTerminal, Write};

use tokio::sync::watch;

use crate::config::{Origin, program};
use crate::demo;
use crate::server::Server;

/// Says how to begin, and gives a new link whenever one has been used. Without a terminal only the
/// demo does: whoever collects the output of a server is not to be able to sign in with it.
pub(super) fn show(server: &Server, demo: bool, public_url: Option<&Origin>) -> impl Future<Output = Infallible> + use<> {
    let wanted = demo || io::stdout().is_terminal();
    let codes = wanted.then(|| server.sign_in_codes()).flatten();
    let url = public_url.map_or_else(|| format!("http://{}", server.addr_here()), Origin::to_string);
    if let Some(codes) = &codes {
        let link = link(&url, codes);
        say(&if demo {
            of_the_demo(&url, &link, server.operator_token().as_deref())
        } else {
            format!("\n  To see it in a browser: {link}\n\n")
        });
    }
    async move {
        let Some(mut codes) = codes else { return pending().await };
        while codes.changed().await.is_ok() {
            say(&format!("  That link was used. For another browser: {}\n", link(&url, &codes)));
        }
        pending().await
    }
}

fn of_the_demo(url: &str, link: &str, token: Option<&str>) -> String {
    let (guild, program) = (demo::guild(), program());
    let watch = token.map_or_else(String::new, |token| {
        let program = program.display();
        format!("\n  In a second terminal:\n\n  GUILDPULSE_TOKEN={token} \\\n    {program} watch {guild} --url {url}\n")
    });
    format!(
        "\n  A simulated bot with 16 shards in 4 processes, all in memory. Open this link:\n\n  {link}\n\n  \
         It signs one browser in; the next link is shown here when it has been used.\n{watch}\n  Ctrl-C ends it.\n\n"
    )
}

fn link(url: &str, codes: &watch::Receiver<String>) -> String {
    format!("{url}/#code={}", *codes.borrow())
}

fn say(text: &str) {
    // A closed standard output is no reason not to serve.
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
}
