//! The credential that a request shows to the upstream.

use std::fmt;
use std::num::NonZeroU64;

use reqwest::header::HeaderValue;
use sha2::{Digest, Sha256};

use crate::auth::{self, Holder};
use crate::wire::{Code, Problem, UnixMillis};

/// A token as it goes to the upstream. It is shown nowhere.
#[derive(Clone)]
pub struct Bearer {
    token: Box<str>,
    hash: [u8; 32],
}

/// A token for as long as somebody is connected with it. There may be hundreds of thousands of them, so what can
/// be worked out of it is not kept.
pub(super) struct Kept(Box<str>);

impl Bearer {
    /// The token of a caller or of the configuration.
    ///
    /// # Errors
    ///
    /// `invalid_credential` for what cannot be a token: it would change the request that it is part of.
    pub fn new(token: &str) -> Result<Self, Problem> {
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Problem::new(Code::InvalidCredential, "a token is made of visible ASCII characters"));
        }
        Ok(Self::of(token.into()))
    }

    fn of(token: Box<str>) -> Self {
        Self { hash: Sha256::digest(token.as_bytes()).into(), token }
    }

    pub(super) fn keep(&self) -> Kept {
        Kept(self.token.clone())
    }

    pub(super) fn header(&self) -> HeaderValue {
        let mut header = HeaderValue::try_from(format!("Bearer {}", self.token)).expect("its characters are visible ones");
        header.set_sensitive(true);
        header
    }

    /// What stands for the token where it must not be kept itself.
    pub(super) fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// Whose streams are counted together.
    pub fn holder(&self) -> Holder {
        let hash = self.hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Holder::Viewer(hash.into())
    }

    /// A number that stands for the token.
    pub(super) fn number(&self) -> NonZeroU64 {
        let [a, b, c, d, e, f, g, h, ..] = self.hash;
        // One of the bits is given up, so that it is not 0.
        NonZeroU64::new(u64::from_be_bytes([a, b, c, d, e, f, g, h]) | 1).expect("a bit is set")
    }

    /// When the token ends, if it is a JWT that says so. Nobody has verified that it does.
    pub(super) fn until(&self) -> Option<UnixMillis> {
        auth::claimed_end(&self.token)
    }
}

impl Kept {
    pub(super) fn bearer(&self) -> Bearer {
        Bearer::of(self.0.clone())
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept(hidden)")
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(hidden)")
    }
}
