//! New keys and secrets for a server that runs.

use std::sync::Arc;

use crate::auth::SecretsError;
use crate::config::Config;
use crate::http::App;

/// Hands a running server new keys and secrets. Clones reach the same server.
#[derive(Debug, Clone)]
pub struct Reloader {
    /// None of a gateway, which has no keys of its own.
    pub(super) app: Option<Arc<App>>,
    pub(super) started: Arc<Config>,
}

/// What came of new settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// What was made in the data folder, in words.
    pub made: Vec<String>,
    /// The settings that have changed and count from the next start on.
    pub waiting: Vec<String>,
}

impl Reloader {
    /// Takes the keys, secrets and bot tokens of these settings, and nothing else of them. Files
    /// are read again. Open streams go on.
    ///
    /// # Errors
    ///
    /// When the data folder or a file of keys cannot be used, or the server keeps nothing on disk;
    /// then the old ones stay in force.
    pub fn reload(&self, config: &Config) -> Result<Reloaded, SecretsError> {
        if self.started.demo {
            return Err(SecretsError::InMemory);
        }
        let waiting = config.waiting_for_restart(&self.started);
        let own = |app: &Arc<App>| app.auth.reload(&Config { data: self.started.data.clone(), ..config.clone() });
        let made = self.app.as_ref().map(own).transpose()?.unwrap_or_default();
        Ok(Reloaded { made, waiting })
    }

    /// Does something with it that may have to wait for a disk, and holds up nothing meanwhile.
    ///
    /// # Panics
    ///
    /// When that panics.
    pub async fn aside<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> T + Send + 'static) -> T {
        let reloader = self.clone();
        tokio::task::spawn_blocking(move || work(&reloader)).await.expect("a reload does not panic")
    }
}
