//! Claims about every script.

use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::rig::{Judge, Rig};
use crate::script::{Script, generations, one_generation, scripts};
use crate::stage::play;

/// So many times as many cases as `PROPTEST_CASES` says, which is 256 if it says nothing. A failure
/// is printed as the shortest script that still fails, and nothing is written to disk: it becomes
/// an example test instead.
pub(crate) fn cases(times: f64) -> Config {
    let usual = Config::default();
    // Never none: that would be a test that cannot fail.
    let cases = (f64::from(usual.cases) * times).ceil() as u32;
    Config { cases, failure_persistence: None, max_shrink_iters: 4000, ..usual }
}

fn hold(script: &Script, judge: Judge) -> Result<(), TestCaseError> {
    play(script, &mut Rig::new(judge)).map_err(TestCaseError::fail)
}

proptest! {
    #![proptest_config(cases(4.0))]

    #[test]
    fn the_machine_says_what_the_oracle_says(script in scripts(one_generation(), 60)) {
        hold(&script, Judge::Oracle)?;
    }

    #[test]
    fn the_machine_says_what_the_oracle_says_across_generations(script in scripts(generations(), 60)) {
        hold(&script, Judge::Oracle)?;
    }

    #[test]
    fn revisions_and_announcements_are_right_whatever_happens(script in scripts(any_generations(), 60)) {
        hold(&script, Judge::Invariants)?;
    }
}

/// Including those combinations of which the rules do not say how guilds move between them.
fn any_generations() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![one_generation(), generations(), Just(vec![1, 2, 4]), Just(vec![1, 3, 6])]
}
