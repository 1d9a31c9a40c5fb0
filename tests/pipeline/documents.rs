//! What documents say exists.

use std::path::{Path, PathBuf};

use crate::world::{finish, telex};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Words in backquotes that look like paths: they hold a slash, or end in the name of a kind of file.
fn paths(text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let kinds = [".toml", ".md", ".rs", ".yml", "Makefile"];
    let likely = |w: &&str| {
        !w.contains([' ', '<', '>', '{', '*', ':', '$'])
            && !w.starts_with(['/', '-', '.'])
            && (w.starts_with("crates/")
                || w.starts_with("tests/")
                || w.starts_with("deploy/")
                || kinds.iter().any(|k| w.ends_with(k)))
    };
    quoted.filter(likely).map(str::to_owned).collect()
}

#[test]
fn the_paths_that_documents_name_exist() {
    for document in ["ARCHITECTURE.md", "README.md"] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        let named = paths(&text);
        // These are the user's own.
        let own = |p: &str| p == "telex.toml" || p.starts_with("my-topics/");
        let missing: Vec<&String> = named
            .iter()
            .filter(|p| !own(p) && !root().join(p).exists())
            .collect();
        assert!(
            missing.is_empty(),
            "{document} names what is not there: {missing:?}"
        );
    }
    assert!(paths(&std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap()).len() >= 12);
}

#[test]
fn every_crate_is_in_the_architecture() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            text.contains(&format!("`crates/{name}`")),
            "crates/{name} is not in ARCHITECTURE.md"
        );
    }
}

/// Every command that the README shows is understood.
#[test]
fn the_commands_of_the_readme_exist() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut seen = 0;
    for line in text.lines().map(str::trim).filter(|l| l.starts_with("telex ")) {
        let words: Vec<&str> = line
            .split_whitespace()
            .skip(1)
            .take_while(|w| !w.starts_with(['-', '|', '<', '>', '#', '\'', '"']))
            .collect();
        let commands: Vec<&str> = words
            .into_iter()
            .take(2)
            .filter(|w| w.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
            .collect();
        let out = finish(telex(&[&commands[..], &["--help"]].concat()));
        assert!(out.status.success(), "{line}");
        seen += 1;
    }
    assert!(seen >= 5, "{seen} commands");
}
