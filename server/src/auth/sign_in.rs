//! Codes that sign a browser in, each of them once.

use subtle::ConstantTimeEq;
use tokio::sync::watch;

use super::bots;

/// The code that is good now; empty while nobody has asked for one.
#[derive(Debug, Default)]
pub(super) struct SignIn(watch::Sender<String>);

impl SignIn {
    /// The code, and every one that takes its place. Before this is asked for, no code is good.
    pub(super) fn codes(&self) -> watch::Receiver<String> {
        self.0.send_if_modified(|code| {
            let first = code.is_empty();
            if first {
                *code = generate();
            }
            first
        });
        self.0.subscribe()
    }

    /// Whether this is the code. If so, another takes its place.
    pub(super) fn redeem(&self, text: &str) -> bool {
        self.0.send_if_modified(|code| {
            let good = !code.is_empty() && bool::from(code.as_bytes().ct_eq(text.as_bytes()));
            if good {
                *code = generate();
            }
            good
        })
    }
}

/// 16 random bytes in hexadecimal: short enough for a link, and beyond guessing.
fn generate() -> String {
    bots::hex(&rand::random::<[u8; 16]>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_good_once_and_none_is_before_it_is_asked_for() {
        let sign_in = SignIn::default();
        assert!(!sign_in.redeem(""), "nobody has asked for a code");
        let mut codes = sign_in.codes();
        let first = codes.borrow_and_update().clone();
        assert_eq!(*sign_in.codes().borrow(), first, "whoever asks again gets the same");
        assert!(!sign_in.redeem(&first[1..]) && !sign_in.redeem(""));
        assert!(sign_in.redeem(&first) && !sign_in.redeem(&first));
        assert!(codes.has_changed().unwrap(), "the next one is told");
        let second = codes.borrow_and_update().clone();
        assert!(second != first && sign_in.redeem(&second));
    }
}
