//! What somebody at a terminal is told: where to click.
//!
//! This goes to standard output and never into the log, because it signs in whoever reads it.

use std::convert::Infallible;
use std::future::pending;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;

use crate::auth::SignInCode;
use crate::config::{Origin, program};
use crate::demo;
use crate::server::Server;

/// How long a link is good that nobody opens. That of the demo is good as long as the demo runs: its
/// bot is nobody's.
const LINK: Duration = Duration::from_secs(15 * 60);

/// Says how to begin, and gives a new link whenever one has been used. Without a terminal only the
/// demo does: whoever collects the output of a server is not to be able to sign in with it.
pub(super) fn show(server: &Server, demo: bool, public_url: Option<&Origin>) -> impl Future<Output = Infallible> + use<> {
    let wanted = demo || io::stdout().is_terminal();
    let lasting = if demo { Duration::MAX } else { LINK };
    let codes = wanted.then(|| server.sign_in_codes(lasting)).flatten();
    let url = public_url.map_or_else(|| format!("http://{}", server.addr_here()), Origin::to_string);
    if let Some(codes) = &codes {
        let link = link(&url, codes);
        say(&if demo {
            of_the_demo(&url, &link, server.operator_token().as_deref())
        } else {
            format!("\n  To see it in a browser, within {} minutes: {link}\n\n", LINK.as_secs() / 60)
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
        let program = quoted(&program);
        format!("\n  In a second terminal:\n\n  GUILDPULSE_TOKEN={token} \\\n    {program} watch {guild} --url {url}\n")
    });
    format!(
        "\n  A simulated bot with 16 shards in 4 processes, all in memory. Open this link:\n\n  {link}\n\n  \
         It signs one browser in; the next link is shown here when it has been used.\n{watch}\n  Ctrl-C ends it.\n\n"
    )
}

fn link(url: &str, codes: &watch::Receiver<Option<SignInCode>>) -> String {
    codes.borrow().as_ref().map_or_else(|| url.to_owned(), |code| format!("{url}/#code={}", code.text))
}

/// As a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_./-".contains(letter);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn say(text: &str) {
    // A closed standard output is no reason not to serve.
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
}
