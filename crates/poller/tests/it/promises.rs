//! The table of promises in the crate's documentation names tests that exist.

use std::path::{Path, PathBuf};

fn sources(folder: &Path, out: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_promise_has_tests_that_exist() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = String::new();
    sources(&here.join("../../crates"), &mut all);
    sources(&here.join("../../tests"), &mut all);
    let text = std::fs::read_to_string(here.join("src/lib.rs")).unwrap();
    let rows: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("//! | "))
        .skip(1)
        .collect();
    assert!(rows.len() > 20, "{} rows", rows.len());
    for row in rows {
        let (_, tests) = row.split_once(" | ").unwrap();
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{row}");
        for name in names {
            assert!(all.contains(&format!("fn {name}(")), "there is no test {name}");
        }
    }
}
