//! Names in the forms that languages give them, by case, script and spelling: `fixtures/names.txt`.

use super::{CLASSIFIER, article};

#[test]
fn names_are_found_in_the_forms_of_each_language() {
    let mut missed = Vec::new();
    let names = include_str!("../../../fixtures/names.txt").lines();
    for line in names.filter(|line| !line.starts_with('#')) {
        let (key, forms) = line.split_once(": ").expect("forms");
        let (concept, language) = key.split_once(' ').expect("concept and language");
        for form in forms.split(", ") {
            let text = format!("{form}.");
            let found = CLASSIFIER.classify(&article("", &text, language)).concepts;
            if !found.iter().any(|named| named.id == concept) {
                missed.push((language, concept, form));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}
