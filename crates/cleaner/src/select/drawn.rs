//! Stories that a page does not show but has its scripts draw: the markup stands in a string of their data.
//!
//! Single-page applications send what they draw as JSON, some in another string. Running scripts was rejected: it takes
//! a browser. So was reading the data of each framework by its own layout: those change with every version.

/// How markup begins that holds paragraphs, in a string (where frameworks write `<` as an escape) and unescaped.
const MARKS: [&str; 3] = ["\\u003cp", "\\u003Cp", "<p"];

/// Bytes below which a string is no story.
const LEAST: usize = 500;

/// How deep strings may stand in strings.
const NESTED: usize = 2;

/// Finds the longest string of paragraphs in the scripts of a page. Takes time linear in their length.
pub(super) fn markup(scripts: &[&str]) -> Option<String> {
    let longest = longest(scripts.iter().flat_map(|script| strings(script)))?;
    let mut decoded = decode(longest)?;
    for _ in 1..NESTED {
        // A string of data holds strings of its own.
        let Some(inner) = self::longest(strings(&decoded)).filter(|inner| inner.len() < decoded.len()) else {
            break;
        };
        match decode(inner) {
            Some(inner) if inner.contains("<p") => decoded = inner,
            _ => break,
        }
    }
    decoded.contains("<p").then_some(decoded)
}

fn longest<'a>(strings: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    strings
        .filter(|string| string.len() >= LEAST && MARKS.iter().any(|mark| string.contains(mark)))
        .max_by_key(|string| string.len())
}

/// Cuts a script at the quotes that are not escaped; every second piece is a string, and which, the marks tell.
fn strings(script: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    script.split(move |letter| {
        let cuts = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        cuts
    })
}

/// Decodes the inside of a string of JSON.
fn decode(string: &str) -> Option<String> {
    serde_json::from_str(&format!("\"{string}\"")).ok()
}

#[cfg(test)]
mod tests {
    use super::markup;

    fn story() -> String {
        "<p class=\"a\">The ferry that was lost in the storm has been found.</p>\n".repeat(12)
    }

    #[test]
    fn finds_the_longest_string_of_paragraphs() {
        let json = |value: &str| serde_json::to_string(value).unwrap_or_default();
        let once = format!(
            "window.data = {{\"title\":\"Ferry\",\"body\":{},\"n\":1}}",
            json(&story())
        );
        assert_eq!(markup(&["x = 'a\"'", &once]), Some(story()));
        let escaped = once.replace('<', "\\u003c").replace('>', "\\u003e");
        assert_eq!(markup(&[&escaped]), Some(story()));
        let twice = format!("push([1,{}])", json(&escaped));
        assert_eq!(markup(&[&twice]), Some(story()));
    }

    #[test]
    fn takes_no_code_for_a_story() {
        let code = "if (a<p) { b = \"<p>x</p>\"; }".repeat(100);
        assert_eq!(markup(&[&code, "", "\"", "\\"]), None);
    }
}
