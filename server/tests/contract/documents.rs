//! The documents of the contract, and what the types of `wire` know of themselves.

use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A file of the repository.
pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(name)
}

/// The text of a file of the repository.
pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names of all fixtures, in order.
pub(crate) fn fixtures() -> Vec<String> {
    let entries = std::fs::read_dir(path("protocol/fixtures")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "README.md");
    names.sort();
    names
}

/// The names of the fixtures that begin so, in order.
pub(crate) fn fixtures_of(prefix: &str, extension: &str) -> Vec<String> {
    let mut names = fixtures();
    names.retain(|name| name.starts_with(prefix) && name.ends_with(extension));
    assert!(!names.is_empty(), "no fixture is called {prefix}…{extension}");
    names
}

/// A fixture, byte for byte.
pub(crate) fn fixture(name: &str) -> String {
    text(&format!("protocol/fixtures/{name}"))
}

/// What the server writes as the body of this fixture: one line, whose end belongs to the file.
pub(crate) fn body(name: &str) -> String {
    let text = fixture(name);
    let body = text.strip_suffix('\n').unwrap_or_else(|| panic!("{name} has no line break at its end"));
    assert!(!body.contains('\n'), "{name} is more than one line");
    body.to_owned()
}

/// A file of the repository as JSON.
pub(crate) fn json_file(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A fixture as JSON.
pub(crate) fn json(name: &str) -> Value {
    json_file(&format!("protocol/fixtures/{name}"))
}

/// The words that an enum of `wire` is written as. serde names all of them when it is given
/// another.
pub(crate) fn words<T: DeserializeOwned>() -> Vec<String> {
    let Err(error) = serde_json::from_str::<T>("\"?\"") else { panic!("`?` is a word of the contract") };
    let message = error.to_string();
    let (_, expected) = message.split_once("expected one of ").expect("serde lists what it knows");
    expected.split('`').skip(1).step_by(2).map(String::from).collect()
}

/// The word that a value of such an enum is written as.
pub(crate) fn word(value: &impl Serialize) -> String {
    let word = serde_json::to_value(value).unwrap();
    word.as_str().expect("the enum is written as a word").to_owned()
}
