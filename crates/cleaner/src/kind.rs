//! Tells what a page turned out to be.

use telex_model::Kind;

use crate::html::Document;
use crate::meta::Statements;
use crate::select::Selected;

/// Tells the kind of a page from its text and its statements.
pub(crate) fn of_page(_document: &Document<'_>, said: &Statements, selected: &Selected) -> Kind {
    if selected.text.is_empty() && !said.is_story {
        Kind::Listing
    } else {
        Kind::Article
    }
}
