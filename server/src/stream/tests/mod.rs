//! Real reactors over real sockets, turn by turn, with a clock that stands still between two of them.

mod body;
mod ends;
mod far_end;
mod index;
mod load;
mod model;
mod opening;
mod random;
mod routes;
mod scene;
mod script;
mod slices;
mod time;
mod viewer;
