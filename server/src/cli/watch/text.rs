//! Text of others, made fit for a terminal. A bot chooses its version: it must not be able to move
//! the cursor, hide text or turn its direction.

use unicode_width::UnicodeWidthChar;

/// The text with a mark in place of every character that is not simply seen.
pub(super) fn visible(text: &str) -> String {
    text.chars().map(|letter| if is_plain(letter) || letter == ' ' { letter } else { '\u{fffd}' }).collect()
}

/// The text as one word that says which characters it holds: blanks and what is not seen are
/// written as `\u{…}`, and so is the backslash.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_plain(letter) && letter != '\\' {
            out.push(letter);
        } else {
            out.extend(letter.escape_unicode());
        }
    }
    out
}

/// Whether the character takes up room and does nothing else.
fn is_plain(letter: char) -> bool {
    !letter.is_control() && !letter.is_whitespace() && letter.width().is_some_and(|width| width > 0)
}

/// How many columns the text takes up.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(|letter| letter.width().unwrap_or(0)).sum()
}

/// The beginning of the text that fits into so many columns, with a mark if there is more.
pub(super) fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut room = width.saturating_sub(1);
    let fits = |letter: &char| {
        let left = room.checked_sub(letter.width().unwrap_or(0));
        room = left.unwrap_or(0);
        left.is_some()
    };
    let mut out: String = text.chars().take_while(fits).collect();
    if width > 0 {
        out.push('…');
    }
    out
}

/// The text with blanks behind it, up to so many columns.
pub(super) fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_but_what_is_seen_gets_through() {
        for evil in ["\x1b[2J", "\x07", "\r", "\n", "\t", "\u{9b}31m", "\u{202e}", "\u{200b}", "\u{2028}", "\u{7f}", "\0"] {
            let (shown, word) = (visible(evil), escaped(evil));
            assert!(shown.starts_with('\u{fffd}') && word.starts_with("\\u{"), "{evil:?}: {shown:?} {word:?}");
        }
        assert_eq!((visible("1.4 β日"), escaped("1.4 β日\\")), ("1.4 β日".into(), "1.4\\u{20}β日\\u{5c}".into()));
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!((cut("1.4.2", 5), cut("1.4.2", 4), cut("日本語", 4)), ("1.4.2".into(), "1.4…".into(), "日…".into()));
        assert_eq!((cut("1", 0), cut("12", 1), padded("日", 3)), (String::new(), "…".into(), "日 ".into()));
    }

    proptest! {
        #[test]
        fn no_text_controls_the_terminal_or_is_wider_than_it_may(text in any::<String>(), width in 0_usize..30) {
            let (shown, word) = (cut(&visible(&text), width), escaped(&text));
            prop_assert!(columns(&shown) <= width, "{shown:?}");
            prop_assert!(shown.chars().all(|letter| is_plain(letter) || letter == ' '), "{shown:?}");
            prop_assert!(word.chars().all(is_plain), "{word:?}");
        }
    }
}
