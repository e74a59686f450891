//! The text of `/metrics`, read as strictly as OpenMetrics 1.0 puts it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::harness::{TestServer, operator};

/// A metric with all its series.
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) kind: String,
    pub(crate) unit: String,
    pub(crate) samples: Vec<Sample>,
}

/// One line with a number.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Family {
    /// The name by which it is asked for.
    pub(crate) fn series(&self) -> String {
        let suffix = match self.kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        format!("{}{suffix}", self.name)
    }

    /// The values of each of its labels, in the order in which they stand there.
    pub(crate) fn labels(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut labels: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in self.samples.iter().flat_map(|sample| &sample.labels) {
            labels.entry(name).or_default().push(value);
        }
        labels
    }

    fn check(&self) {
        let name = &self.name;
        assert!(!self.help.is_empty() && !self.samples.is_empty(), "{name} is not explained, or has no series");
        let suffixes: &[&str] = match self.kind.as_str() {
            "gauge" => &[""],
            "counter" => &["_total"],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_count", "_sum"],
            kind => panic!("{name} is a {kind}"),
        };
        for sample in &self.samples {
            let suffix = sample.name.strip_prefix(name.as_str());
            assert!(suffix.is_some_and(|suffix| suffixes.contains(&suffix)), "{sample:?} is none of {name}");
            assert!(sample.value >= 0.0, "{sample:?}");
            assert_eq!(sample.labels.contains_key("le"), suffix == Some("_bucket"), "{sample:?}");
        }
        if self.kind == "histogram" {
            self.check_buckets();
        }
    }

    fn check_buckets(&self) {
        let buckets: Vec<_> = self.samples.iter().filter(|sample| sample.name.ends_with("_bucket")).collect();
        let bound = |sample: &Sample| sample.labels["le"].replace("+Inf", "inf").parse::<f64>().unwrap();
        for pair in buckets.windows(2) {
            assert!(bound(pair[0]) < bound(pair[1]), "the buckets of {} are in order", self.name);
            assert!(pair[0].value <= pair[1].value, "the buckets of {} add up", self.name);
        }
        let last = buckets.last().expect("a histogram has buckets");
        let count = self.samples.iter().find(|sample| sample.name.ends_with("_count")).unwrap();
        assert_eq!((bound(last), last.value), (f64::INFINITY, count.value), "the last bucket of {} is all", self.name);
    }
}

/// Reads a whole text; what is wrong with it ends the test.
pub(crate) fn parse(text: &str) -> Vec<Family> {
    let body = text.strip_suffix("# EOF\n").expect("the text ends in `# EOF`");
    let mut families: Vec<Family> = Vec::new();
    for line in body.lines() {
        let words: Vec<_> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, help] => {
                let [name, help, kind, unit] = [name, help, "", ""].map(str::to_owned);
                families.push(Family { name, help, kind, unit, samples: Vec::new() });
            }
            ["#", field, name, value] => {
                let family = families.last_mut().filter(|family| family.name == name && family.samples.is_empty());
                let family = family.unwrap_or_else(|| panic!("{line} stands before the series of its own metric"));
                match field {
                    "TYPE" => value.clone_into(&mut family.kind),
                    "UNIT" if name.ends_with(&format!("_{value}")) => value.clone_into(&mut family.unit),
                    _ => panic!("{line}"),
                }
            }
            _ => families.last_mut().expect("a metric begins with its HELP").samples.push(sample(line)),
        }
    }
    families.iter().for_each(Family::check);
    let names: HashSet<_> = families.iter().map(|family| &family.name).collect();
    assert_eq!(names.len(), families.len(), "a metric stands there twice");
    let mut series = HashSet::new();
    for Sample { name, labels, .. } in families.iter().flat_map(|family| &family.samples) {
        assert!(series.insert((name, labels)), "{name} {labels:?} stands there twice");
    }
    families
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').expect(line);
    let (name, mut rest) = series.split_once('{').unwrap_or((series, "}"));
    assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
    let mut labels = BTreeMap::new();
    while rest != "}" {
        let (label, after) = rest.split_once("=\"").expect(line);
        let (value, after) = after.split_once('"').expect(line);
        assert!(!value.contains('\\'), "no value of ours needs an escape: {line}");
        assert!(labels.insert(label.to_owned(), value.to_owned()).is_none(), "{line}");
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    Sample { name: name.to_owned(), labels, value: value.parse().expect(line) }
}

/// What a server tells an operator.
pub(crate) async fn scrape(server: &TestServer) -> Vec<Family> {
    let request = server.client.get(server.url("/metrics")).bearer_auth(operator());
    parse(&request.send().await.unwrap().error_for_status().unwrap().text().await.unwrap())
}

/// Where a text names our metrics: each name, with the label matchers that stand behind it.
pub(crate) fn mentions(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let starts = text.match_indices("guildpulse_").map(|(start, _)| &text[start..]);
    let mention = |text: &str| {
        let end = text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let inside = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(inside, _)| inside);
        let matchers = inside.split(',').filter_map(|matcher| {
            let (label, value) = matcher.split_once('"')?;
            let label = label.trim().trim_end_matches(['=', '!', '~']);
            Some((label.to_owned(), value.trim_end_matches('"').to_owned()))
        });
        (name.to_owned(), matchers.collect())
    };
    starts.map(mention).collect()
}

/// Holds every metric and every value of a label that a text names against what there is.
pub(crate) fn check_mentions(text: &str, families: &[Family], what: &str) -> BTreeSet<String> {
    let samples: Vec<_> = families.iter().flat_map(|family| &family.samples).collect();
    let mut named = BTreeSet::new();
    for (name, matchers) in mentions(text) {
        let family = families.iter().any(|family| family.series() == name);
        assert!(family || samples.iter().any(|sample| sample.name == name), "{what}: there is no {name}");
        for (label, value) in matchers {
            let fits = |value: &str| {
                samples.iter().any(|one| one.name == name && one.labels.get(&label).is_some_and(|is| is == value))
            };
            assert!(value.split('|').all(fits), "{what}: there is no {name}{{{label}=\"{value}\"}}");
        }
        named.insert(name);
    }
    named
}

#[test]
fn what_is_not_openmetrics_is_noticed() {
    let good = "# HELP a A.\n# TYPE a counter\na_total{b=\"c\"} 1\na_total{b=\"d\"} 0\n# EOF\n";
    assert_eq!(parse(good)[0].labels()["b"], ["c", "d"]);
    let histogram =
        "# HELP h H.\n# TYPE h histogram\nh_sum 1.5\nh_count 2\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\n# EOF\n";
    assert_eq!(parse(histogram)[0].samples.len(), 4);
    for (text, from, to) in [
        (good, "# EOF\n", ""),
        (good, "# HELP a A.\n", ""),
        (good, "# TYPE a counter\n", ""),
        (good, "counter", "count"),
        (good, "a_total{b=\"c\"}", "a{b=\"c\"}"),
        (good, "\"d\"", "\"c\""),
        (good, "} 0", "} -1"),
        (good, "# EOF", "# HELP a A.\n# TYPE a counter\na_total{b=\"e\"} 1\n# EOF"),
        (histogram, "\"+Inf\"", "\"2.0\""),
        (histogram, "h_count 2", "h_count 3"),
        (histogram, "} 1\n", "} 3\n"),
        (histogram, "\"1.0\"", "\"+Inf\""),
    ] {
        let bad = text.replacen(from, to, 1);
        assert!(bad != text && std::panic::catch_unwind(|| parse(&bad)).is_err(), "{bad}");
    }
}
