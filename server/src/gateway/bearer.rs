//! The credential that a request shows to the upstream.

use std::fmt;
use std::num::NonZeroU64;

use reqwest::header::HeaderValue;
use sha2::{Digest, Sha256};

use crate::auth::{self, Holder};
use crate::wire::{Code, Problem, UnixMillis};

/// A token as it goes to the upstream. It is kept for as long as somebody is connected with it, and shown
/// nowhere.
#[derive(Clone)]
pub struct Bearer {
    header: HeaderValue,
    hash: [u8; 32],
    until: Option<UnixMillis>,
}

impl Bearer {
    /// The token of a caller or of the configuration.
    ///
    /// # Errors
    ///
    /// `invalid_credential` for what cannot be a token: it would change the request that it is part of.
    pub fn new(token: &str) -> Result<Self, Problem> {
        let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        let header = is_token.then(|| HeaderValue::try_from(format!("Bearer {token}")).ok()).flatten();
        let detail = "a token is made of visible ASCII characters";
        let mut header = header.ok_or_else(|| Problem::new(Code::InvalidCredential, detail))?;
        header.set_sensitive(true);
        Ok(Self { header, hash: Sha256::digest(token).into(), until: auth::claimed_end(token) })
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
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
        self.until
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(hidden)")
    }
}
