//! The files of this world, built into the program.

use std::{collections::BTreeMap, io};

use include_dir::{Dir, include_dir};
use serde::de::DeserializeOwned;

use crate::{
    article::Article,
    paper::{Paper, Words},
};

static ARTICLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/articles");
static PAPERS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/papers");
static UI: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/ui");
static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// Reads the newspapers, in the order of their addresses.
pub(crate) fn papers() -> io::Result<Vec<Paper>> {
    let mut papers = texts(&PAPERS)
        .map(|(name, text)| parse(&name, text))
        .collect::<io::Result<Vec<Paper>>>()?;
    papers.sort_by_key(|paper| paper.address);
    Ok(papers)
}

/// Reads the words around articles, by language.
pub(crate) fn words() -> io::Result<BTreeMap<String, Words>> {
    texts(&UI)
        .map(|(name, text)| Ok((name.clone(), parse(&name, text)?)))
        .collect()
}

/// Reads the articles of a newspaper with their slugs.
pub(crate) fn articles(paper: &str) -> io::Result<Vec<(String, Article)>> {
    let folder = ARTICLES
        .get_dir(paper)
        .ok_or_else(|| invalid(paper, "has no folder of articles"))?;
    texts(folder)
        .map(|(slug, text)| Ok((slug.clone(), parse(&slug, text)?)))
        .collect()
}

/// Returns the templates with their file names.
pub(crate) fn templates() -> impl Iterator<Item = (&'static str, &'static str)> {
    TEMPLATES
        .files()
        .filter_map(|file| Some((file.path().file_name()?.to_str()?, file.contents_utf8()?)))
}

fn texts(folder: &'static Dir<'static>) -> impl Iterator<Item = (String, &'static str)> {
    folder.files().filter_map(|file| {
        Some((
            file.path().file_stem()?.to_str()?.to_owned(),
            file.contents_utf8().unwrap_or_default(),
        ))
    })
}

fn parse<T: DeserializeOwned>(name: &str, text: &str) -> io::Result<T> {
    toml::from_str(text).map_err(|error| invalid(name, error))
}

fn invalid(name: &str, error: impl std::fmt::Display) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("content of the news site: {name}: {error}"),
    )
}
