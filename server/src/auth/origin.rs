//! Whether a request that carries a cookie comes from one of our own pages.
//!
//! A browser adds the cookie whoever's page asks. So a cookie counts only from pages that we know:
//! `Sec-Fetch-Site` says it where the browser sends it (W3C Fetch Metadata), else `Origin`.

use crate::config::{Config, Origin};

/// What a request says of the page it comes from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Source<'a> {
    /// The `Sec-Fetch-Site` header.
    pub site: Option<&'a str>,
    /// The `Origin` header.
    pub origin: Option<&'a str>,
    /// The `Host` header.
    pub host: Option<&'a str>,
}

/// The pages whose cookies count.
#[derive(Debug)]
pub struct OriginPolicy {
    public: Option<Origin>,
    allowed: Vec<Origin>,
}

impl OriginPolicy {
    /// The policy of the configuration.
    pub fn new(config: &Config) -> Self {
        Self { public: config.public_url.clone(), allowed: config.cors_origins.clone() }
    }

    /// Whether browsers reach the server over TLS.
    pub fn is_https(&self) -> bool {
        self.public.as_ref().is_some_and(|origin| origin.as_str().starts_with("https://"))
    }

    /// Whether a cookie from there counts.
    pub fn trusts(&self, source: Source<'_>) -> bool {
        let listed = source.origin.is_some_and(|origin| self.allowed.iter().any(|allowed| allowed.as_str() == origin));
        match (source.site, source.origin) {
            (Some("same-origin" | "none"), _) => true,
            (Some(_), _) => listed,
            // Browsers send `Origin` with everything whose answer another site could read.
            (None, None) => true,
            (None, Some(origin)) => listed || self.is_own(origin, source.host),
        }
    }

    fn is_own(&self, origin: &str, host: Option<&str>) -> bool {
        match &self.public {
            Some(public) => public.as_str() == origin,
            None => {
                let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
                authority.is_some() && authority == host
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(public: Option<&str>) -> OriginPolicy {
        let allowed = vec!["https://dash.example".parse().unwrap()];
        OriginPolicy { public: public.map(|origin| origin.parse().unwrap()), allowed }
    }

    #[test]
    fn the_fetch_metadata_decides_where_it_is_sent() {
        let from = |site, origin| Source { site: Some(site), origin, host: Some("us.example") };
        let policy = policy(Some("https://us.example"));
        assert!(policy.trusts(from("same-origin", None)));
        assert!(policy.trusts(from("none", None)));
        assert!(!policy.trusts(from("cross-site", None)));
        assert!(!policy.trusts(from("same-site", Some("https://us.example"))));
        assert!(!policy.trusts(from("cross-site", Some("https://evil.example"))));
        assert!(policy.trusts(from("same-site", Some("https://dash.example"))));
    }

    #[test]
    fn without_it_the_origin_must_be_ours_or_listed() {
        let from = |origin, host| Source { site: None, origin, host };
        let configured = policy(Some("https://us.example"));
        assert!(configured.trusts(from(None, None)));
        assert!(configured.trusts(from(Some("https://us.example"), Some("127.0.0.1:3001"))));
        assert!(configured.trusts(from(Some("https://dash.example"), None)));
        for foreign in ["https://evil.example", "null", "http://us.example", "https://us.example.evil"] {
            assert!(!configured.trusts(from(Some(foreign), Some("us.example"))), "{foreign}");
        }
        let bare = policy(None);
        assert!(bare.trusts(from(Some("http://127.0.0.1:3001"), Some("127.0.0.1:3001"))));
        assert!(!bare.trusts(from(Some("http://127.0.0.1:3002"), Some("127.0.0.1:3001"))));
        assert!(!bare.trusts(from(Some("null"), None)));
    }
}
