use super::*;

#[test]
fn the_cap_leaves_no_half_rule() {
    let mut text = b"User-agent: *\nDisallow: /a\n".to_vec();
    assert_eq!(whole_lines(&text).len(), text.len());
    text.resize(MAX_BYTES - 10, b'#');
    text.extend_from_slice(b"\nDisallow: /");
    text.truncate(MAX_BYTES);
    let kept = whole_lines(&text);
    assert_eq!(kept.len(), MAX_BYTES - 10);
}

#[test]
fn weight_grows_with_the_rules() {
    let entry = |text: &[u8]| Entry {
        rules: Rules::Parsed(Arc::new(robotxt::Robots::parse(text, "telex"))),
        expires: Instant::now(),
    };
    let small = weight("http://a", &entry(b"User-agent: *\nDisallow: /a"));
    let large = weight(
        "http://a",
        &entry(&[b"User-agent: *\n".as_slice(), &b"Disallow: /abc\n".repeat(1000)].concat()),
    );
    assert!(small < 1000 && large > 50 * 1000, "{small} {large}");
}
