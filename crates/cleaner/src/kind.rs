//! Tells what a page turned out to be.
//!
//! A story's text is the best sign of a story, so all other kinds need its absence: little text chosen, and words or
//! shapes that say why. A page that is none of these with certainty stays an article; its quality tells the rest.

use telex_model::Kind;

use crate::html::{Document, Tag};
use crate::meta::{Statements, fold, tidy};

/// Words of a story below which a page may be something else; the shortest news items have 40 to 80.
const FEW_WORDS: usize = 60;
/// Words below which a sold story is only its free beginning; openings have 30 to 200.
const FREE_WORDS: usize = 250;
/// Linked headings or list items that make a page of little text a list of stories.
const MANY_TEASERS: usize = 8;
/// Words on a page at most for it to be a message instead of a page.
const MESSAGE_WORDS: usize = 400;

/// What error pages and challenges for robots call themselves, folded.
const ERRORS: [&str; 30] = [
    "404",
    "403 forbidden",
    "500 internal",
    "502 bad gateway",
    "503 service",
    "not found",
    "page unavailable",
    "no longer available",
    "doesn t exist",
    "does not exist",
    "access denied",
    "access to this page has been denied",
    "forbidden",
    "just a moment",
    "attention required",
    "are you a robot",
    "are you human",
    "verify you are human",
    "security check",
    "captcha",
    "unusual traffic",
    "too many requests",
    "checking your browser",
    "seite nicht gefunden",
    "nicht gefunden",
    "page introuvable",
    "página no encontrada",
    "pagina non trovata",
    "pagina niet gevonden",
    "страница не найдена",
];

/// What pages that ask for consent say, folded.
const CONSENTS: [&str; 16] = [
    "before you continue",
    "we value your privacy",
    "your privacy",
    "accept cookies",
    "cookie consent",
    "manage consent",
    "cookie settings",
    "consent to",
    "use cookies",
    "cookies zustimmen",
    "einwilligung",
    "datenschutz",
    "accepter les cookies",
    "vie privée",
    "aceptar cookies",
    "toestemming",
];

/// What pages that ask for consent have for a headline: they speak to the reader. Folded.
const CONSENT_TITLES: [&str; 18] = [
    "we value your privacy",
    "your privacy",
    "before you continue",
    "votre vie privée",
    "vos données",
    "ihre privatsphäre",
    "ihre daten",
    "ihre einwilligung",
    "tu privacidad",
    "su privacidad",
    "la tua privacy",
    "uw privacy",
    "jouw privacy",
    "twoja prywatność",
    "vaše soukromí",
    "ваша конфиденциальность",
    "ваша приватність",
    "a sua privacidade",
];

/// Words that such a headline has at most, the site's name among them.
const CONSENT_TITLE_WORDS: usize = 9;

/// Parts of class names around offers to buy the rest of a story.
const BARRIERS: [&str; 7] = [
    "paywall",
    "regwall",
    "piano-",
    "subscribe-wall",
    "premium-content",
    "meteredcontent",
    "paid-content",
];

/// Tells the kind of a page from its statements and the number of words that are surely its story.
pub(crate) fn of_page(document: &Document<'_>, said: &Statements, words: usize) -> Kind {
    if words < FREE_WORDS && (said.is_sold || (words < FREE_WORDS / 2 && has_barrier(document))) {
        return Kind::Paywall;
    }
    // Such a page may stand in the site's whole frame, so its length says nothing; nor do headings, for the banners of
    // short stories have the same words in theirs.
    if !said.is_story && asks_for_consent(&title(document)) {
        return Kind::Consent;
    }
    if words >= FEW_WORDS * 2 {
        return Kind::Article;
    }
    let shown = document.text.split_whitespace().take(MESSAGE_WORDS + 1).count();
    if shown <= MESSAGE_WORDS
        && let Some(kind) = message(document)
    {
        return kind;
    }
    let is_listing = words < FEW_WORDS && !said.is_story && teasers(document) >= MANY_TEASERS;
    if is_listing { Kind::Listing } else { Kind::Article }
}

/// Reads a page of few words: an error, a challenge, a question for consent?
fn message(document: &Document<'_>) -> Option<Kind> {
    if lines(document).any(|line| ERRORS.iter().any(|sign| line.contains(sign))) {
        return Some(Kind::Error);
    }
    let all = fold(&document.text);
    let asked = CONSENTS.iter().filter(|sign| all.contains(*sign)).count();
    let mentions = all.matches("cookie").count();
    (asked >= 2 || (asked >= 1 && mentions >= 3)).then_some(Kind::Consent)
}

/// The title and the first headings of a page, folded.
fn lines<'a>(document: &'a Document<'_>) -> impl Iterator<Item = String> + 'a {
    let headings = document.blocks.iter().filter(|block| {
        document
            .path(block.node)
            .take(3)
            .any(|(_, node)| matches!(node.tag, Tag::H1 | Tag::H2))
    });
    std::iter::once(title(document)).chain(headings.take(5).map(|block| fold(document.block_text(block))))
}

/// A title that speaks to the reader and says little else; a story on privacy has a longer one.
fn asks_for_consent(title: &str) -> bool {
    CONSENT_TITLES.iter().any(|sign| title.starts_with(sign))
        && title.split_whitespace().count() <= CONSENT_TITLE_WORDS
}

fn title(document: &Document<'_>) -> String {
    document.title.map(|title| fold(&tidy(title))).unwrap_or_default()
}

fn has_barrier(document: &Document<'_>) -> bool {
    document.nodes.iter().any(|node| {
        [node.class, node.id].iter().any(|names| {
            let names = names.to_ascii_lowercase();
            BARRIERS.iter().any(|barrier| names.contains(barrier))
        })
    })
}

/// Counts lines that are one link and long enough to be a headline.
fn teasers(document: &Document<'_>) -> usize {
    let is_teaser = |block: &&crate::html::Block| {
        block.is_link() && document.block_text(block).split_whitespace().nth(3).is_some()
    };
    document.blocks.iter().filter(is_teaser).count()
}

#[cfg(test)]
mod tests {
    use telex_model::Kind;

    use crate::{Page, clean_html};

    fn kind(html: &str) -> Kind {
        clean_html(&Page { url: None, html }).kind
    }

    #[test]
    fn a_missing_page_and_a_challenge_are_errors() {
        assert_eq!(
            kind("<title>404 | The Bell</title><h1>Nothing here</h1><p>Try the search."),
            Kind::Error
        );
        assert_eq!(
            kind("<title>Just a moment...</title><p>We are checking your connection."),
            Kind::Error
        );
    }

    #[test]
    fn a_question_for_consent_is_told() {
        let html = "<title>The Bell</title><h2>We value your privacy</h2><p>We and our partners use cookies. Cookies help us. \
            You may accept cookies or change the cookie settings.</p>";
        assert_eq!(kind(html), Kind::Consent);
    }

    #[test]
    fn a_question_in_the_frame_of_the_site_is_told_and_a_banner_is_none() {
        let frame: String = (0..150)
            .map(|n| format!("<li><a href=/{n}>Mairie : le vote numéro {n} au conseil</a></li>"))
            .collect();
        let page = |title: &str, body: &str| {
            format!("<title>{title}</title><nav><ul>{frame}</ul></nav><main>{body}</main>")
        };
        let asked =
            "<h1>Votre vie privée nous importe</h1><p>Nous utilisons des traceurs. Acceptez-vous ?</p>";
        assert_eq!(
            kind(&page("Votre vie privée nous importe | La Cloche", asked)),
            Kind::Consent
        );
        let story = "<h2>Votre vie privée</h2><article><h1>Le bac est en retard</h1><p>Le bac du matin est arrivé avec une heure de \
            retard lundi, à cause du brouillard sur le fleuve. Les passagers ont attendu sur le quai.</p></article>";
        assert_ne!(
            kind(&page("Le bac est en retard | La Cloche", story)),
            Kind::Consent
        );
    }

    #[test]
    fn a_page_of_headlines_is_a_listing() {
        let teaser = |n: usize| format!("<h3><a href=/{n}>Ferry number {n} found on the shore</a></h3>");
        let html: String = (0..20).map(teaser).collect();
        assert_eq!(kind(&format!("<title>The Bell</title>{html}")), Kind::Listing);
    }

    #[test]
    fn the_beginning_of_a_sold_story_is_a_paywall() {
        let script = r#"<script type="application/ld+json">{"@type":"NewsArticle","isAccessibleForFree":false}</script>"#;
        assert_eq!(
            kind(&format!(
                "{script}<p>The ferry came back this morning, to the wonder of all.</p>"
            )),
            Kind::Paywall
        );
    }
}
