//! The invariants of ARCHITECTURE.md that the source itself can show. Those about clocks, the
//! environment, tasks and queues are lints (clippy.toml).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Every source file and its text without comments and unit tests, by the module at the top. Files of
/// unit tests are left out.
fn modules() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let mut modules = files();
    let is_test = |path: &Path| path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs");
    let source = source();
    modules.values_mut().for_each(|files| files.retain(|(path, _)| !is_test(path.strip_prefix(&source).unwrap())));
    modules
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file as [`modules`] has it, with those of unit tests.
fn files() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let source = source();
    let mut modules: BTreeMap<String, Vec<_>> = BTreeMap::new();
    let mut folders = vec![source.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let name = path.strip_prefix(&source).unwrap().iter().next().unwrap().to_str().unwrap();
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let lines: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            modules.entry(name.trim_end_matches(".rs").to_owned()).or_default().push((path, lines.join("\n")));
        }
    }
    assert!(modules.len() > 10, "the source was found");
    modules
}

/// The modules of this crate that a text uses.
fn uses(text: &str) -> BTreeSet<String> {
    let paths = text.split("crate::").skip(1);
    let mut used = BTreeSet::new();
    for path in paths {
        if let Some(group) = path.strip_prefix('{') {
            let names = group.split('}').next().unwrap().split([',', '\n']);
            used.extend(names.map(first_word).filter(|name| !name.is_empty()));
        } else {
            used.insert(first_word(path));
        }
    }
    used
}

fn first_word(text: &str) -> String {
    text.trim().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

fn nobody_but(allowed: &[&str], names: &[&str]) {
    for (module, files) in modules() {
        for (path, text) in files {
            for name in names {
                let used = text.contains(name);
                assert!(!used || allowed.contains(&module.as_str()), "{} knows {name}", path.display());
            }
        }
    }
}

#[test]
fn wire_and_liveness_know_neither_runtime_nor_http_nor_clock() {
    let modules = modules();
    for (module, may_use) in [("wire", &[][..]), ("liveness", &["wire"])] {
        for (path, text) in &modules[module] {
            for name in ["tokio", "axum", "hyper", "reqwest", "Instant", "SystemTime", "std::fs", "std::net", "std::thread"]
            {
                assert!(!text.contains(name), "{} knows {name}", path.display());
            }
            let used: Vec<_> = uses(text).into_iter().filter(|name| !may_use.contains(&name.as_str())).collect();
            assert!(used.is_empty(), "{} uses {used:?}", path.display());
        }
    }
}

#[test]
fn only_wire_writes_json_and_sse() {
    nobody_but(&["wire"], &["serde_json", "\"data: ", "\"event: ", "\\ndata:"]);
}

#[test]
fn only_http_and_those_who_call_it_know_http() {
    nobody_but(&["http", "listener", "server"], &["axum::", "hyper::"]);
    nobody_but(&["cli", "demo", "event_source", "gateway"], &["reqwest::"]);
}

#[test]
fn only_the_store_knows_sql() {
    nobody_but(&["store"], &["rusqlite", "SELECT ", "INSERT "]);
}

#[test]
fn dependencies_point_one_way() {
    let modules = modules();
    let mut rest: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (module, files) in &modules {
        let used = files.iter().flat_map(|(_, text)| uses(text));
        let used = used.filter(|name| name != module && modules.contains_key(name));
        rest.insert(module, used.collect());
    }
    // Take away what depends on nothing, until nothing is left; a circle stays.
    while let Some(free) = rest.iter().find(|(_, used)| used.is_empty()).map(|(module, _)| (*module).to_owned()) {
        rest.remove(free.as_str());
        for used in rest.values_mut() {
            used.remove(&free);
        }
    }
    assert!(rest.is_empty(), "a circle among {rest:?}");
}

#[test]
fn files_are_small() {
    for (path, text) in files().into_values().flatten() {
        assert!(text.lines().count() <= 400, "{} is longer than anybody reads", path.display());
    }
}
