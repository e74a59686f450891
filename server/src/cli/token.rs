//! `guildpulse token`: a token, and nothing else, on standard output.

use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgGroup, Args};

use super::Failure;
use crate::auth::{self, Claims, Guilds};
use crate::clock;
use crate::config::{Config, DataFlags};
use crate::wire::GuildId;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("kind").required(true).args(["guild", "all_guilds", "operator", "bot"]))]
pub(super) struct Arguments {
    /// A viewer's token for these guilds
    #[arg(long, value_name = "ID", num_args = 1..)]
    guild: Vec<GuildId>,
    /// A viewer's token for every guild
    #[arg(long)]
    all_guilds: bool,
    /// An operator's token: may read everything
    #[arg(long)]
    operator: bool,
    /// A bot's token: may only beat. It ends when its line in bot-tokens in the data folder does
    #[arg(long, value_name = "NAME")]
    bot: Option<String>,
    /// How long it is good for, such as 90s, 15m or 30d [default: 1h, for ever for a bot]
    #[arg(long, value_name = "TIME")]
    ttl: Option<Ttl>,
    /// Whose token it is
    #[arg(long, value_name = "NAME", default_value = "guildpulse token", conflicts_with = "bot")]
    subject: String,
    #[command(flatten)]
    data: DataFlags,
}

#[derive(Debug, Clone, Copy)]
struct Ttl(Duration);

const DEFAULT_TTL: Ttl = Ttl(Duration::from_secs(60 * 60));

impl Ttl {
    /// The Unix second at which it is over.
    fn end(self) -> u64 {
        clock::wall().unix_seconds().saturating_add(self.0.as_secs())
    }
}

impl FromStr for Ttl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let usage = "a time is a whole number with its unit: 90s, 15m, 1h or 30d";
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            "d" => 24 * 60 * 60,
            _ => return Err(usage),
        };
        let number: u64 = number.parse().map_err(|_| usage)?;
        if number == 0 {
            return Err("a token that ends at once is of no use");
        }
        number.checked_mul(seconds).map(|seconds| Self(Duration::from_secs(seconds))).ok_or(usage)
    }
}

#[expect(clippy::print_stdout, reason = "the token is what the command prints")]
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let config = Config::load(arguments.data.clone().into())?;
    let token = match &arguments.bot {
        Some(name) => auth::mint_bot(&config, name, arguments.ttl.map(Ttl::end)),
        None => auth::mint(&config, &claims(arguments)),
    };
    println!("{}", token.map_err(Failure::usage)?);
    Ok(ExitCode::SUCCESS)
}

fn claims(arguments: &Arguments) -> Claims {
    let guilds = match (arguments.operator, arguments.all_guilds) {
        (true, _) => None,
        (false, true) => Some(Guilds::All),
        (false, false) => Some(Guilds::Only(arguments.guild.iter().copied().collect())),
    };
    Claims {
        sub: Some(arguments.subject.clone()),
        exp: arguments.ttl.unwrap_or(DEFAULT_TTL).end(),
        guilds,
        role: arguments.operator.then(|| "operator".to_owned()),
    }
}
