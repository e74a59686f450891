//! A stream leaves HTTP: the real router and the real hyper on real sockets, of which a test says how
//! much they take, and a real reactor behind them.
#![expect(clippy::disallowed_methods, reason = "a test is a shell of its own: it spawns and reads clocks")]

mod between;
mod cuts;
mod places;
mod requests;
mod stage;
mod stopping;
mod valve;
mod viewer;
