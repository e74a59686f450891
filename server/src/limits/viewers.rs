//! The places for streams: in all, for each principal, for each address.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Address;
use crate::auth::Holder;
use crate::config::Limits;
use crate::metrics::{Limit, Metrics};
use crate::wire::{Code, Problem};

/// How many streams are open, and how many may be.
#[derive(Debug)]
pub struct Viewers {
    most: usize,
    most_per_principal: Option<usize>,
    most_per_address: Option<usize>,
    metrics: Metrics,
    open: Mutex<Open>,
}

/// What is open now. Who has no stream open is not kept, nor is anybody for a limit that is off.
#[derive(Debug, Default)]
struct Open {
    all: usize,
    principals: HashMap<Holder, usize>,
    addresses: HashMap<Address, usize>,
}

/// The place of one open stream. It is given back when this is dropped.
#[derive(Debug)]
pub struct Place {
    viewers: Arc<Viewers>,
    principal: Option<Holder>,
    address: Option<Address>,
}

impl Viewers {
    /// Places for `most` streams, and for as many for one principal or address as the settings say.
    pub fn new(most: usize, limits: &Limits, metrics: Metrics) -> Self {
        Self {
            most,
            most_per_principal: limits.max_viewers_per_principal,
            most_per_address: limits.max_viewers_per_address,
            metrics,
            open: Mutex::default(),
        }
    }

    /// Takes a place.
    ///
    /// # Errors
    ///
    /// `too_many_viewers` when the server is full, `too_many_streams` when the principal or the
    /// address has its share.
    pub fn admit(self: &Arc<Self>, principal: &Holder, address: Address) -> Result<Place, Problem> {
        let place = self.take(principal, address);
        place.map_err(|(limit, problem)| {
            self.metrics.limit_reached(limit);
            problem
        })
    }

    fn take(self: &Arc<Self>, principal: &Holder, address: Address) -> Result<Place, (Limit, Problem)> {
        let mut open = self.lock();
        if open.all >= self.most {
            let detail = "the server has as many streams open as it can carry";
            return Err((Limit::Viewers, Problem::new(Code::TooManyViewers, detail)));
        }
        // All limits are looked at before anything is counted, so that a refusal leaves no trace.
        let principal = share(&open.principals, principal, self.most_per_principal)
            .map_err(|most| (Limit::Principal, too_many_streams("principal", most)))?;
        let address = share(&open.addresses, &address, self.most_per_address)
            .map_err(|most| (Limit::Address, too_many_streams("address", most)))?;
        open.all += 1;
        if let Some(principal) = &principal {
            *open.principals.entry(principal.clone()).or_default() += 1;
        }
        if let Some(address) = address {
            *open.addresses.entry(address).or_default() += 1;
        }
        Ok(Place { viewers: self.clone(), principal, address })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whom to count a stream for, if there is a limit; or the limit, if it is reached.
fn share<K: Clone + Eq + Hash>(open: &HashMap<K, usize>, who: &K, most: Option<usize>) -> Result<Option<K>, usize> {
    match most {
        Some(most) if open.get(who).is_some_and(|open| *open >= most) => Err(most),
        limit => Ok(limit.map(|_| who.clone())),
    }
}

fn too_many_streams(who: &str, most: usize) -> Problem {
    Problem::new(Code::TooManyStreams, format!("open streams per {who}: at most {most}; close one first"))
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.viewers.lock();
        open.all -= 1;
        give_back(&mut open.principals, self.principal.as_ref());
        give_back(&mut open.addresses, self.address.as_ref());
    }
}

fn give_back<K: Eq + Hash>(open: &mut HashMap<K, usize>, who: Option<&K>) {
    let Some(who) = who else { return };
    if let Some(count) = open.get_mut(who) {
        *count -= 1;
        if *count == 0 {
            open.remove(who);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn viewers(limits: &Limits) -> Arc<Viewers> {
        Arc::new(Viewers::new(3, limits, Metrics::default()))
    }

    fn somebody(name: &str) -> Holder {
        Holder::Viewer(name.into())
    }

    fn at(host: u8) -> Address {
        IpAddr::from([198, 51, 100, host]).into()
    }

    fn code(refused: Result<Place, Problem>) -> Code {
        refused.unwrap_err().code
    }

    #[test]
    fn a_full_server_has_a_place_again_when_a_stream_ends() {
        let viewers = viewers(&Limits::default());
        let mut places: Vec<_> = (0..3).map(|host| viewers.admit(&somebody("x"), at(host)).unwrap()).collect();
        assert_eq!(code(viewers.admit(&somebody("y"), at(9))), Code::TooManyViewers);
        places.pop();
        assert!(viewers.admit(&somebody("y"), at(9)).is_ok());
    }

    #[test]
    fn a_principal_and_an_address_have_their_share_and_a_refusal_takes_none() {
        let limits = Limits { max_viewers_per_principal: Some(1), max_viewers_per_address: Some(2), ..Limits::default() };
        let viewers = viewers(&limits);
        let first = viewers.admit(&somebody("x"), at(1)).unwrap();
        let detail = viewers.admit(&somebody("x"), at(2)).unwrap_err().detail;
        assert_eq!(detail, "open streams per principal: at most 1; close one first");
        // An operator of the same name is somebody else, and the refusals took no place here.
        let second = viewers.admit(&Holder::Operator(Some("x".into())), at(1)).unwrap();
        assert_eq!(code(viewers.admit(&somebody("z"), at(1))), Code::TooManyStreams);
        drop(first);
        assert!(viewers.admit(&somebody("z"), at(1)).is_ok());
        drop(second);
        let open = viewers.lock();
        assert_eq!((open.all, open.principals.len(), open.addresses.len()), (0, 0, 0), "nobody is remembered");
    }

    #[test]
    fn nothing_is_counted_for_a_limit_that_is_off() {
        let viewers = viewers(&Limits::default());
        let _place = viewers.admit(&somebody("x"), at(1)).unwrap();
        let open = viewers.lock();
        assert_eq!((open.all, open.principals.len(), open.addresses.len()), (1, 0, 0));
        drop(open);
    }
}
