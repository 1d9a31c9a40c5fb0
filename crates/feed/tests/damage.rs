//! Feeds as they come: cut off, wrongly encoded, mistagged, or no feeds at all.
//!
//! Each row is one kind of damage seen in the wild, made from small feeds of our own. A row names what must survive.

#![allow(clippy::expect_used, reason = "tests stop at the first surprise")]

use telex_feed::{Error, Feed, Input, parse};

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/">
<channel><title>Harbour news</title><link>https://harbour.test/</link><description>All about ships</description>
"#;
const TAIL: &str = "</channel>\n</rss>\n";

/// One item with every common field; `title` is written as it stands.
fn item(number: usize, title: &str) -> String {
    format!(
        "<item><title>{title}</title><link>https://harbour.test/{number}</link><guid>https://harbour.test/{number}</guid>\
         <pubDate>Mon, 13 Jul 2026 10:0{number}:00 GMT</pubDate><dc:creator>Olena</dc:creator>\
         <description><![CDATA[<p>Text {number} with <b>markup</b></p>]]></description></item>\n"
    )
}

/// A feed of three items, with `change` made to the text.
fn rss(change: impl Fn(String) -> String) -> Vec<u8> {
    let items = item(1, "Ferry late") + &item(2, "Crane moved") + &item(3, "Pier closed");
    change(format!("{HEAD}{items}{TAIL}")).into_bytes()
}

const ALL: &[&str] = &["Ferry late", "Crane moved", "Pier closed"];

fn read(bytes: &[u8]) -> Feed {
    parse(&Input {
        bytes,
        content_type: None,
        url: Some("https://harbour.test/feed.xml"),
    })
    .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

/// The titles of the entries that are whole.
fn titles(feed: &Feed) -> Vec<&str> {
    let whole = feed.entries.iter().filter(|entry| !entry.truncated);
    whole
        .map(|entry| entry.title.as_deref().unwrap_or_default())
        .collect()
}

#[track_caller]
fn check(name: &str, bytes: &[u8], expected: &[&str]) {
    let feed = read(bytes);
    assert_eq!(
        titles(&feed),
        expected,
        "{name}: {}",
        String::from_utf8_lossy(bytes)
    );
}

/// Checks that the feed reads like the undamaged one in every field of every item, and says what it repaired.
#[track_caller]
fn same_as_whole(name: &str, change: impl Fn(String) -> String) {
    let (bytes, undamaged) = (rss(change), rss(|text| text));
    assert_ne!(bytes, undamaged, "{name}: nothing was damaged");
    let (damaged, whole) = (read(&bytes), read(&undamaged));
    assert!(whole.repairs.is_empty(), "{:?}", whole.repairs);
    assert_eq!(damaged.entries, whole.entries, "{name}");
}

#[test]
fn nothing_is_lost_to_what_surrounds_the_items() {
    same_as_whole("white space before the declaration", |text| {
        " \n".repeat(10_000) + &text
    });
    same_as_whole("two byte order marks", |text| format!("\u{FEFF}\u{FEFF}{text}"));
    same_as_whole("warnings of PHP", |text| {
        format!(
            "<br />\n<b>Warning</b>: mysqli_connect(): Access denied in <b>/srv/www/db.php</b> on line <b>12</b><br />\n{text}"
        )
    });
    same_as_whole("a notice in plain text", |text| {
        format!("Notice: Undefined index: page in /srv/www/a.php on line 3\n{text}")
    });
    same_as_whole("a comment and a style sheet", |text| {
        text.replacen(
            "<rss",
            "<!-- made by hand -- really --><?xml-stylesheet href=\"a.xsl\"?><rss",
            1,
        )
    });
    same_as_whole("headers of HTTP", |text| {
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n{text}")
    });
    same_as_whole("a declaration cut short", |text| {
        text.replacen("\"UTF-8\"?>", "\"UTF-8\"", 1)
    });
    same_as_whole("a declaration without its question mark", |text| {
        text.replacen("?>", ">", 1)
    });
    same_as_whole("two declarations", |text| {
        format!("<?xml version=\"1.0\"?>\n{text}")
    });
    same_as_whole("no declaration", |text| {
        text.split_once("?>").expect("has one").1.to_owned()
    });
    same_as_whole("an HTML document type", |text| {
        text.replacen("<rss", "<!DOCTYPE html>\n<rss", 1)
    });
    same_as_whole("the document type of RSS 0.91", |text| {
        text.replacen("<rss", "<!DOCTYPE rss PUBLIC \"-//Netscape//DTD RSS 0.91//EN\" \"http://my.netscape.com/rss.dtd\">\n<rss", 1)
    });
    same_as_whole("a script behind the end", |text| {
        text + "<script>var a = 1 < 2 && 3;</script>"
    });
    same_as_whole("a page around the feed", |text| {
        format!(
            "<html><body>{}</body></html>",
            text.split_once("?>").expect("has one").1
        )
    });
    same_as_whole("no end of the root", |text| text.replace("</rss>", ""));
    same_as_whole("no end of channel and root", |text| text.replace(TAIL, ""));
    same_as_whole("no channel", |text| {
        text.replace("<channel>", "").replace("</channel>", "")
    });
    same_as_whole("channel closed too early", |text| {
        text.replacen("<item>", "</channel><item>", 1)
    });
    same_as_whole("items in a list of their own", |text| {
        text.replacen("<item>", "<items><item>", 1)
            .replace("</channel>", "</items></channel>")
    });
    same_as_whole("an image without an end", |text| {
        text.replacen("<item>", "<image><title>Logo</title><url>/a.png</url><item>", 1)
    });
}

#[test]
fn every_version_and_namespace_is_read() {
    for version in ["0.91", "0.92", "0.93", "0.94", "1.0", "2", "2.0.1", "", "two"] {
        same_as_whole("version", |text| {
            text.replace("version=\"2.0\"", &format!("version=\"{version}\""))
        });
    }
    same_as_whole("no version", |text| text.replace(" version=\"2.0\"", ""));
    for namespace in [
        "http://backend.userland.com/rss2",
        "http://purl.org/rss/1.0/",
        "http://www.w3.org/2005/Atom",
        "http://www.w3.org/1999/xhtml",
        "http://search.yahoo.com/mrss/",
        "http://example.test/unknown",
        "",
    ] {
        same_as_whole("default namespace", |text| {
            text.replace("<rss ", &format!("<rss xmlns=\"{namespace}\" "))
        });
        same_as_whole("namespace on the channel", |text| {
            text.replace("<channel>", &format!("<channel xmlns=\"{namespace}\">"))
        });
        same_as_whole("namespace on each item", |text| {
            text.replace("<item>", &format!("<item xmlns=\"{namespace}\">"))
        });
    }
    same_as_whole("namespaces of the wrong address", |text| {
        text.replace("http://purl.org/", "https://www.purl.org/nowhere/")
    });
    same_as_whole("undeclared prefixes", |text| {
        text.replace("xmlns:dc=\"http://purl.org/dc/elements/1.1/\" ", "")
            .replace("xmlns:content=", "content=")
    });
    same_as_whole("a title of a picture does not count", |text| {
        text.replace(
            "<item>",
            "<item><media:content url=\"/a.jpg\"><media:title>Photo</media:title></media:content>",
        )
    });
    same_as_whole("an unknown vocabulary does not count", |text| {
        text.replace(
            "<item>",
            "<item><x:title>Wrong</x:title><x:box><title>Wrong</title></x:box>",
        )
    });
    same_as_whole("upper case", |text| {
        text.replace("item>", "ITEM>")
            .replace("title>", "TITLE>")
            .replace("pubDate", "PUBDATE")
    });
    same_as_whole("ends in another case", |text| {
        text.replace("</item>", "</Item>").replace("</title>", "</TITLE>")
    });
}

#[allow(clippy::too_many_lines, reason = "a table of cases")]
#[test]
fn one_wounded_item_costs_no_other() {
    same_as_whole("an item without an end", |text| text.replacen("</item>", "", 1));
    same_as_whole("no item has an end", |text| text.replace("</item>", ""));
    same_as_whole("a misspelt end of a title", |text| {
        text.replacen(
            "</title><link>https://harbour.test/1",
            "</titel><link>https://harbour.test/1",
            1,
        )
    });
    same_as_whole("a title without an end", |text| {
        text.replace("late</title>", "late")
    });
    same_as_whole("a link without an end", |text| {
        text.replace("</link><guid>", "<guid>")
    });
    same_as_whole("a date without an end", |text| text.replace("</pubDate>", ""));
    same_as_whole("a description without an end", |text| {
        text.replace("]]></description>", "]]>")
    });
    same_as_whole("swapped ends", |text| {
        text.replace("</description></item>", "</item></description>")
    });
    same_as_whole("an end too many", |text| {
        text.replacen("</item>", "</item></item>", 1)
    });
    same_as_whole("a section in lower case", |text| text.replace("CDATA", "cdata"));
    same_as_whole("a section without an end", |text| {
        text.replacen("</p>]]>", "</p>", 1)
    });
    same_as_whole("a section with half an end", |text| {
        text.replacen("</p>]]></", "</p>]></", 1)
            .replacen("</p>]>", "</p>", 1)
    });
    same_as_whole("no `>` of an end tag", |text| {
        text.replacen("</guid>", "</guid", 1)
    });
    same_as_whole("an unclosed comment", |text| {
        text.replacen("<item>", "<!-- ads <item>", 1)
    });
    same_as_whole("an unclosed thumbnail", |text| {
        text.replace("<item>", "<item><media:thumbnail url=\"/a.jpg\">")
    });
    same_as_whole("an unclosed line break between fields", |text| {
        text.replace("<guid>", "<br><guid>")
    });
    same_as_whole("a quote that never closes", |text| {
        text.replacen(
            "<guid>",
            "<enclosure url=\"https://harbour.test/a.mp3 type=\"audio/mpeg/><guid>",
            1,
        )
    });
    same_as_whole("attributes without quotes", |text| {
        text.replace("<guid>", "<guid isPermaLink=true checked>")
    });
    same_as_whole("the same attribute twice", |text| {
        text.replace("<guid>", "<guid isPermaLink=\"true\" isPermaLink=\"true\">")
    });
    same_as_whole("space in an end tag", |text| text.replace("</item>", "</ item >"));
    check(
        "a bare & and <",
        &rss(|text| text.replace("Ferry late", "Ferry & bus late: 5 < 6 <3")),
        &["Ferry & bus late: 5 < 6 <3", "Crane moved", "Pier closed"],
    );
    check(
        "control characters and NUL",
        &rss(|text| text.replace("Ferry late", "Fer\u{1}ry\u{b} \0late&#0;&#x1f;")),
        ALL,
    );
    check(
        "names of HTML",
        &rss(|text| text.replace("Ferry late", "Ferry&nbsp;late&hellip; &unknown; &eacute")),
        &["Ferry\u{a0}late… &unknown; &eacute", "Crane moved", "Pier closed"],
    );
    check(
        "numbers of windows-1252 and of UTF-16",
        &rss(|text| text.replace("Ferry late", "&#147;Ferry&#148; &#55357;&#56832;")),
        &["“Ferry” 😀", "Crane moved", "Pier closed"],
    );
    check(
        "an item that is empty",
        &rss(|text| text.replacen("<item>", "<item></item><item/><item>", 1)),
        ALL,
    );
}

#[test]
fn what_is_cut_off_keeps_what_came_before() {
    for end in [
        "<title>Pier cl",
        "<title>Pier closed</title><link>https://harbour.te",
        "<guid>https://harbour.test/3",
        "<![CDATA[<p>Text 3",
        "<pubDate>Mon, 13 Jul 2026 10:03",
    ] {
        let cut = rss(|text| {
            let at = text.rfind(end).expect("is there") + end.len();
            text.get(..at).expect("ASCII").to_owned()
        });
        let feed = read(&cut);
        assert_eq!(titles(&feed), ["Ferry late", "Crane moved"], "{end}");
        assert!(
            feed.repairs.contains(&telex_feed::Repair::Truncated),
            "{end}: {:?}",
            feed.repairs
        );
        for entry in feed.entries.iter().filter(|entry| entry.truncated) {
            assert_eq!(
                entry.link.as_deref(),
                Some("https://harbour.test/3"),
                "half a link is no link: {end}"
            );
        }
    }
}

fn in_encoding(encoding: &'static encoding_rs::Encoding, declared: &str, title: &str) -> Vec<u8> {
    let items = (1..4).map(|number| item(number, title)).collect::<String>();
    let text = format!("{HEAD}{items}{TAIL}")
        .replace("UTF-8", declared)
        .replace("Text", title);
    let (bytes, _, unmappable) = encoding.encode(&text);
    assert!(!unmappable);
    bytes.into_owned()
}

#[test]
fn text_is_never_mojibake() {
    use encoding_rs::{
        BIG5, EUC_KR, GBK, ISO_8859_2, KOI8_U, SHIFT_JIS, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252,
        WINDOWS_1253,
    };
    let rows = [
        (WINDOWS_1251, "Президент України прибув до Києва з візитом"),
        (WINDOWS_1251, "Министр обороны провёл встречу в Москве"),
        (KOI8_U, "Министр обороны провёл встречу в Москве"),
        (WINDOWS_1252, "Le président français a été réélu à l’Élysée"),
        (
            WINDOWS_1252,
            "Die Minister erörtern die Lage in München größtenteils",
        ),
        (WINDOWS_1250, "Prezydent złożył wizytę w Łodzi, późną jesienią"),
        (ISO_8859_2, "Vláda schválila příští rozpočet, řekl mluvčí"),
        (
            WINDOWS_1253,
            "Ο πρωθυπουργός μίλησε στη Βουλή για τον προϋπολογισμό",
        ),
        (SHIFT_JIS, "首相は国会で来年度の予算について説明した"),
        (GBK, "总理在议会谈到明年的预算和国防开支"),
        (BIG5, "總理在議會談到明年的預算和國防開支"),
        (EUC_KR, "총리는 국회에서 내년 예산에 대해 설명했다"),
    ];
    for (encoding, title) in rows {
        let right = in_encoding(encoding, encoding.name(), title);
        check(encoding.name(), &right, &[title; 3]);
        let wrong = in_encoding(encoding, "UTF-8", title);
        check("declared as UTF-8", &wrong, &[title; 3]);
        let unknown = in_encoding(encoding, "x-none", title);
        check("declared as nobody knows what", &unknown, &[title; 3]);
        let utf8 = in_encoding(encoding_rs::UTF_8, encoding.name(), title);
        check("UTF-8 declared as something else", &utf8, &[title; 3]);
        let header = format!("text/xml; charset=\"{}\"", encoding.name());
        let feed = parse(&Input {
            bytes: &unknown,
            content_type: Some(&header),
            url: None,
        })
        .expect("a feed");
        assert_eq!(titles(&feed), [title; 3]);
    }
    for (encoding, title) in rows
        .into_iter()
        .filter(|(encoding, _)| !["windows-1252", "windows-1250", "ISO-8859-2"].contains(&encoding.name()))
    {
        check(
            "declared as Latin-1",
            &in_encoding(encoding, "ISO-8859-1", title),
            &[title; 3],
        );
    }
}

#[test]
fn utf16_is_read_with_and_without_a_mark() {
    let text = String::from_utf8(rss(|text| text.replace("Ferry late", "Паром 😀"))).expect("UTF-8");
    let expected = ["Паром 😀", "Crane moved", "Pier closed"];
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let wide: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
    check("little endian", &little, &expected);
    check("big endian", &big, &expected);
    check(
        "little endian with a mark",
        &[&[0xFF, 0xFE], little.as_slice()].concat(),
        &expected,
    );
    check(
        "big endian with a mark",
        &[&[0xFE, 0xFF], big.as_slice()].concat(),
        &expected,
    );
    check("UTF-32", &wide, &expected);
    check(
        "declared, but UTF-8",
        text.replace("UTF-8", "UTF-16").as_bytes(),
        &expected,
    );
}

#[test]
fn a_few_wrong_bytes_do_not_change_the_encoding() {
    let mut bytes = rss(|text| {
        text.replace("Ferry late", "Паром запізнився")
            .replace("Crane moved", "Crane caf@ moved")
    });
    let at = bytes.iter().position(|byte| *byte == b'@').expect("is there");
    *bytes.get_mut(at).expect("is there") = 0xE9;
    check(
        "a letter of windows-1252",
        &bytes,
        &["Паром запізнився", "Crane café moved", "Pier closed"],
    );
    let bytes = rss(|text| text.replace("Ferry late", "Паром запізнився"))
        .replace_first("зап".as_bytes(), b"\xD0\xD0\xB0\xD0\xBF");
    check(
        "half a character",
        &bytes,
        &["Паром \u{FFFD}апізнився", "Crane moved", "Pier closed"],
    );
}

trait ReplaceFirst {
    fn replace_first(self, from: &[u8], to: &[u8]) -> Vec<u8>;
}

impl ReplaceFirst for Vec<u8> {
    fn replace_first(mut self, from: &[u8], to: &[u8]) -> Vec<u8> {
        let at = self
            .windows(from.len())
            .position(|window| window == from)
            .expect("is there");
        self.splice(at..at + from.len(), to.iter().copied());
        self
    }
}

#[test]
fn other_formats_survive_the_same() {
    let atom = r#"<feed xmlns="http://www.w3.org/2005/Atom"><title>Harbour</title>
        <entry><title type="text/plain">Ferry late</title><link href="/1"/><id>urn:1</id><updated>2026-07-13T10:00:00Z</updated>
            <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>One<br>two</div></content></entry>
        <entry><title>Crane & pier</title><link rel="alternate" href="/2?a=1&b=2"><id>urn:2</id><updated>2026-07-13T10:00:00Z</updated>
            <summary>Two</summary></entry>
        <entry><title><![CDATA[Pier closed]]></title><link href='/3' /><id>urn:3</id><modified>yesterday</modified></feed>"#;
    check(
        "Atom",
        atom.as_bytes(),
        &["Ferry late", "Crane & pier", "Pier closed"],
    );
    let feed = read(atom.as_bytes());
    let links: Vec<_> = feed
        .entries
        .iter()
        .filter_map(|entry| entry.link.as_deref())
        .collect();
    assert_eq!(
        links,
        [
            "https://harbour.test/1",
            "https://harbour.test/2?a=1&b=2",
            "https://harbour.test/3"
        ]
    );
    assert_eq!(
        feed.entries.first().and_then(|entry| entry.content.as_deref()),
        Some("<p>One<br />two</p>")
    );

    let no_namespace = atom.replace(" xmlns=\"http://www.w3.org/2005/Atom\"", "");
    check(
        "Atom without a namespace",
        no_namespace.as_bytes(),
        &["Ferry late", "Crane & pier", "Pier closed"],
    );
    let prefixed = "<a:feed xmlns:a='http://www.w3.org/2005/Atom'><a:entry><a:title>Ferry late</a:title><a:id>1</a:id></a:entry></a:feed>";
    check("Atom with a prefix", prefixed.as_bytes(), &["Ferry late"]);

    let draft = "<feed version='0.3' xmlns='http://purl.org/atom/ns#'><entry><title mode='escaped'>Ferry late</title>\
        <link rel='alternate' type='text/html' href='https://harbour.test/1'/><issued>2026-07-13T10:00:00Z</issued></entry></feed>";
    check("Atom 0.3", draft.as_bytes(), &["Ferry late"]);

    let rdf = "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/'>\
        <channel rdf:about='https://harbour.test/'><title>Harbour</title><items><rdf:Seq><rdf:li resource='/1'/></rdf:Seq></items></channel>\
        <item rdf:about='https://harbour.test/1'><title>Ferry late</title><link>https://harbour.test/1</link></item>\
        <item rdf:about='https://harbour.test/2'><title>Crane & pier</title><item><title>Pier closed";
    check("RDF", rdf.as_bytes(), &["Ferry late", "Crane & pier"]);
    check(
        "RDF without declarations",
        rdf.split_once('>')
            .map(|(_, rest)| format!("<rdf:RDF>{rest}"))
            .expect("has a root")
            .as_bytes(),
        &["Ferry late", "Crane & pier"],
    );

    let cdf = "<CHANNEL HREF='https://harbour.test/'><TITLE>Harbour</TITLE><ITEM HREF='/1' LASTMOD='2026-07-13T10:00'><TITLE>Ferry late</TITLE>\
        <ABSTRACT>Text</ABSTRACT></ITEM><ITEM><A HREF='/2'>Crane moved</A><TITLE>Crane moved</TITLE></ITEM></CHANNEL>";
    check("CDF", cdf.as_bytes(), &["Ferry late", "Crane moved"]);

    let fragment = item(1, "Ferry late") + &item(2, "Crane moved");
    check(
        "items without a root",
        fragment.as_bytes(),
        &["Ferry late", "Crane moved"],
    );

    let news = "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9' xmlns:news='http://www.google.com/schemas/sitemap-news/0.9'>\
        <url><loc>https://harbour.test/1</loc><news:news><news:publication><news:name>Harbour</news:name><news:language>en</news:language></news:publication>\
        <news:publication_date>2026-07-13</news:publication_date><news:title>Ferry & bus late</news:title></news:news></url>\
        <url><loc>https://harbour.test/about</loc></url></urlset>";
    check("a news sitemap", news.as_bytes(), &["Ferry & bus late"]);
}

#[test]
fn sloppy_json_feeds_are_read() {
    let rows = [
        r#"{"version":"https://jsonfeed.org/version/1.1","title":"H","items":[{"id":1,"title":"Ferry late","url":null,"tags":null,"author":"Olena","date_published":1784102400},{"id":"2","title":"Crane moved","content_text":"a < b"}]}"#,
        "\u{FEFF} \n{\"title\":\"H\",\"items\":[{\"id\":\"1\",\"title\":\"Ferry late\",},{\"id\":\"2\",\"title\":\"Crane\tmoved\",},],}",
        "{version:'https://jsonfeed.org/version/1',items:[{id:1,title:'Ferry late' url:'/1'},{id:2,title:'Crane moved'}] // end\n}",
        "{\"version\":\"https://jsonfeed.org/version/1\",\"items\":[{\"id\":\"1\",\"title\":\"Ferry late\"},{\"id\":\"2\",\"title\":\"Crane moved\"},{\"id\":\"3\",\"title\":\"Pier clo",
        "<b>Warning</b>: late\n{\"version\": \"https://jsonfeed.org/version/1\", \"items\":[{\"id\":\"1\",\"title\":\"Ferry late\"},{\"id\":\"2\",\"title\":\"Crane moved\"}]}<!-- 0.1 s -->",
        "{\"version\":\"https://jsonfeed.org/version/1\",\"items\":[{\"id\":\"1\",\"title\":\"Ferry late\",\"content_html\":\"a\nb\\\n\\xc\\u00e9\"},{\"id\":\"2\",\"title\":\"Crane moved\"}]}",
    ];
    for row in rows {
        let feed = read(row.as_bytes());
        let titles: Vec<String> = titles(&feed)
            .iter()
            .map(|title| title.replace('\t', " "))
            .collect();
        assert_eq!(titles, ["Ferry late", "Crane moved"], "{row}");
        assert_eq!(
            feed.entries.first().and_then(|entry| entry.id.as_deref()),
            Some("1"),
            "{row}"
        );
    }
}

#[test]
fn what_is_no_feed_is_called_by_its_name() {
    let rows: &[(&[u8], Error)] = &[
        (b"", Error::Empty),
        (b" \r\n\t", Error::Empty),
        (b"\xEF\xBB\xBF", Error::Empty),
        (b"\0\0\0\0", Error::Binary),
        (b"<!DOCTYPE html><html><head><title>Harbour</title></head><body><p>News</p></body></html>", Error::Html),
        (b"<?xml version='1.0'?><!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN' 'x'><html xmlns='http://www.w3.org/1999/xhtml'><head/></html>", Error::Html),
        (b"<HTML><HEAD><META HTTP-EQUIV=refresh CONTENT='0;url=/'></HEAD></HTML>", Error::Html),
        (b"<h1>404 Not Found</h1>", Error::Html),
        (b"<html><head><link rel='alternate' type='application/rss+xml' href='/feed'></head><body>a</body></html>", Error::Html),
        (b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body><script src='/cdn-cgi/challenge-platform/h/b'></script></body></html>", Error::Challenge),
        (b"<html><head><title>Attention Required! | Cloudflare</title></head></html>", Error::Challenge),
        (b"<html><body>Please verify you are human <div class='g-recaptcha'></div></body></html>", Error::Challenge),
        (br#"{"error":"not found","status":404}"#, Error::JsonError),
        (br#"{"message":"API rate limit exceeded"}"#, Error::JsonError),
        (br#"{"errors":[{"detail":"no"}]}"#, Error::JsonError),
        (br#"{"name":"harbour","ships":[]}"#, Error::Json),
        (b"[]", Error::Json),
        (b"[1,2,3]", Error::Json),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>", Error::XmlError),
        (b"<opml version='2.0'><body><outline text='Harbour' xmlUrl='https://harbour.test/feed'/></body></opml>", Error::Opml),
        (b"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'><url><loc>https://harbour.test/</loc></url></urlset>", Error::Sitemap),
        (b"<sitemapindex><sitemap><loc>https://harbour.test/a.xml</loc></sitemap></sitemapindex>", Error::Sitemap),
        (b"<catalog><ship name='a'/></catalog>", Error::Xml),
        (b"Service temporarily unavailable", Error::NotAFeed),
        (b"404 page not found\n", Error::NotAFeed),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", Error::Binary),
        (b"%PDF-1.7\n<</Type/Catalog>>", Error::Binary),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Error::Binary),
    ];
    for (bytes, expected) in rows {
        let result = parse(&Input {
            bytes,
            content_type: None,
            url: None,
        });
        assert_eq!(
            result.err(),
            Some(*expected),
            "{}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn an_empty_feed_is_a_feed() {
    check("RSS", format!("{HEAD}{TAIL}").as_bytes(), &[]);
    check(
        "Atom",
        b"<feed xmlns='http://www.w3.org/2005/Atom'><title>Harbour</title></feed>",
        &[],
    );
    check(
        "JSON Feed",
        br#"{"version":"https://jsonfeed.org/version/1.1","title":"Harbour","items":[]}"#,
        &[],
    );
}
