//! What can be wrong with a credential.

use crate::wire::{Code, Problem};

/// The check that a credential failed. Its text is the whole answer: it says which check, and
/// nothing of what was expected or of what the token holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("the credential is neither a bot's token that this server knows nor a JWT")]
    NotAToken,
    #[error("the token's header is malformed or names an unknown algorithm")]
    Header,
    #[error("the token is signed with another algorithm than this server takes")]
    Algorithm,
    #[error("the token's header demands an extension that this server does not know")]
    Critical,
    #[error("the token names a key (`kid`) that this server does not know")]
    UnknownKey,
    #[error("the token does not say which of the server's keys (`kid`) signed it")]
    NoKey,
    #[error("the token's signature is not by a key of this server")]
    Signature,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet (`nbf`)")]
    NotYet,
    #[error("the token is by another issuer (`iss`) than this server trusts")]
    Issuer,
    #[error("the token is for another audience (`aud`) than this server")]
    Audience,
    #[error("the token's claims are not a JSON object that names each claim once")]
    Claims,
    #[error("the token's claim `{0}` is missing or malformed")]
    Claim(&'static str),
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let code = if fault == Fault::Expired { Code::ExpiredCredential } else { Code::InvalidCredential };
        Self::new(code, fault.to_string())
    }
}
