//! Codes that sign a browser in, each of them once.

use std::time::Duration;

use subtle::ConstantTimeEq;
use tokio::sync::watch;

use super::bots;
use crate::wire::UnixMillis;

/// The code that is good now; none while nobody has asked for one.
#[derive(Debug, Default)]
pub(super) struct SignIn(watch::Sender<Option<SignInCode>>);

/// A code for a link.
#[derive(Debug, Clone)]
pub struct SignInCode {
    /// 16 random bytes in hexadecimal: short enough for a link, and beyond guessing.
    pub text: String,
    until: UnixMillis,
    lasting: Duration,
}

impl SignInCode {
    fn new(lasting: Duration, now: UnixMillis) -> Self {
        Self { text: bots::hex(&rand::random::<[u8; 16]>()), until: now.saturating_add(lasting), lasting }
    }
}

impl SignIn {
    /// The code, good for this long, and every one that takes its place. Before this is asked for,
    /// no code is good.
    pub(super) fn codes(&self, lasting: Duration, now: UnixMillis) -> watch::Receiver<Option<SignInCode>> {
        self.0.send_if_modified(|code| {
            let first = code.is_none();
            if first {
                *code = Some(SignInCode::new(lasting, now));
            }
            first
        });
        self.0.subscribe()
    }

    /// Whether this is the code. If so, another takes its place.
    pub(super) fn redeem(&self, text: &str, now: UnixMillis) -> bool {
        self.0.send_if_modified(|code| {
            let good =
                code.as_ref().filter(|code| now < code.until && bool::from(code.text.as_bytes().ct_eq(text.as_bytes())));
            let next = good.map(|code| SignInCode::new(code.lasting, now));
            let redeemed = next.is_some();
            if redeemed {
                *code = next;
            }
            redeemed
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_795_378_020_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn text(codes: &mut watch::Receiver<Option<SignInCode>>) -> String {
        codes.borrow_and_update().as_ref().unwrap().text.clone()
    }

    #[test]
    fn a_code_is_good_once_and_none_is_before_it_is_asked_for() {
        let sign_in = SignIn::default();
        assert!(!sign_in.redeem("", NOW), "nobody has asked for a code");
        let mut codes = sign_in.codes(MINUTE, NOW);
        let first = text(&mut codes);
        assert_eq!(text(&mut sign_in.codes(MINUTE, NOW)), first, "whoever asks again gets the same");
        assert!(!sign_in.redeem(&first[1..], NOW) && !sign_in.redeem("", NOW));
        assert!(sign_in.redeem(&first, NOW) && !sign_in.redeem(&first, NOW));
        assert!(codes.has_changed().unwrap(), "the next one is told");
        let second = text(&mut codes);
        assert!(second != first && sign_in.redeem(&second, NOW));
    }

    #[test]
    fn a_code_that_nobody_uses_ends() {
        let sign_in = SignIn::default();
        let mut codes = sign_in.codes(MINUTE, NOW);
        let code = text(&mut codes);
        assert!(!sign_in.redeem(&code, NOW.saturating_add(MINUTE)));
        assert!(sign_in.redeem(&code, UnixMillis(NOW.0 + 59_999)));
    }
}
