//! What the descriptors of this process allow.

use crate::config::Limits;

/// How many viewers and connections there may be. Each connection is a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Streams open at once.
    pub viewers: usize,
    /// Connections to the public address.
    pub connections: usize,
}

impl Capacity {
    /// What the settings ask for, as far as this many descriptors allow it; with what had to be
    /// lowered, in words.
    pub fn of(limits: &Limits, descriptors: usize) -> (Self, Vec<String>) {
        let mut lowered = Vec::new();
        let mut fit = |name: &str, wanted: Option<usize>, default: usize, most: usize, why: &str| match wanted {
            Some(wanted) if wanted > most => {
                lowered.push(format!("{name} is lowered from {wanted} to {most}: {why}"));
                most
            }
            wanted => wanted.unwrap_or(default).min(most),
        };
        let most = descriptors - reserve(descriptors);
        let why = format!("the limit of {descriptors} open files has to leave room for beats and files");
        let connections = fit("max_connections", limits.max_connections, most, most, &why);
        let why = format!("there may be {connections} connections");
        let viewers = fit("max_viewers", limits.max_viewers, descriptors / 10 * 9, connections, &why);
        (Self { viewers, connections }, lowered)
    }
}

/// The descriptors that are not for the public: the admin address with its beats, the store, the
/// runtime, and connections that are being refused.
fn reserve(descriptors: usize) -> usize {
    (descriptors / 20).clamp(128, 4096).min(descriptors.div_ceil(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(max_viewers: Option<usize>, max_connections: Option<usize>, descriptors: usize) -> (usize, usize, Vec<String>) {
        let limits = Limits { max_viewers, max_connections, ..Limits::default() };
        let (Capacity { viewers, connections }, lowered) = Capacity::of(&limits, descriptors);
        (viewers, connections, lowered)
    }

    #[test]
    fn without_settings_viewers_get_nine_tenths_and_beats_a_reserve() {
        assert_eq!(of(None, None, 1_048_576), (943_713, 1_044_480, vec![]));
        assert_eq!(of(None, None, 20_000), (18_000, 19_000, vec![]));
        assert_eq!(of(None, None, 1024), (896, 896, vec![]));
        assert_eq!(of(None, None, 64), (32, 32, vec![]));
        assert_eq!(of(None, None, 1), (0, 0, vec![]));
    }

    #[test]
    fn what_leaves_no_reserve_is_lowered_and_says_so() {
        let (viewers, connections, lowered) = of(None, Some(20_000), 20_000);
        assert_eq!((viewers, connections), (18_000, 19_000));
        let said = "max_connections is lowered from 20000 to 19000: the limit of 20000 open files has to leave room for beats and files";
        assert_eq!(lowered, [said]);
        let (viewers, connections, lowered) = of(Some(500), Some(100), 20_000);
        assert_eq!((viewers, connections), (100, 100));
        assert_eq!(lowered, ["max_viewers is lowered from 500 to 100: there may be 100 connections"]);
        assert_eq!(of(None, Some(100), 20_000), (100, 100, vec![]), "nobody asked for more");
        assert_eq!(of(Some(50), Some(100), 20_000), (50, 100, vec![]));
    }
}
