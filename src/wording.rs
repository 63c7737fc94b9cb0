//! What the parsers of TOML and JSON say of a text → the field, what is wrong with it and what is
//! allowed there, in words of people.

/// What programmers call a kind of value, and what people do, with an example.
const KINDS: &[(&[&str], &str)] = &[
    (&["a string", "a borrowed string", "string"], "a text in quotes such as \"x\""),
    (&["a boolean"], "true or false"),
    (&["f64", "f32", "a JSON number"], "a number such as 0.5"),
    (&["u64", "u32", "u16", "u8", "usize", "i64"], "a whole number such as 10"),
    (&["a sequence"], "a list such as [\"x\"]"),
    (&["a map"], "a group of names and values"),
];

/// The message of a parser, and the name of the field that it is about.
pub fn plain(message: &str, field: Option<&str>) -> String {
    let message = message.lines().collect::<Vec<_>>().join(" ");
    let name = field.map_or(String::new(), |field| format!("{field}: "));
    if let Some((given, expected)) = split(&message, &["invalid type: ", "invalid value: "]) {
        return format!("{name}{} is not {}", value(given), kind(expected));
    }
    if let Some((given, expected)) = split(&message, &["unknown variant "]) {
        return format!("{name}\"{}\" is not {}", bare(given), choices(expected));
    }
    if let Some((given, expected)) = split(&message, &["unknown field "]) {
        let (given, names) = (bare(given), listed(expected));
        let meant = nearest(given, names.split(", "));
        let meant = meant.map_or(String::new(), |it| format!(" (did you mean {it}?)"));
        return format!("unknown field {given}{meant}; there are {names}");
    }
    if let Some(missing) = message.strip_prefix("missing field ") {
        return format!("{} is missing", bare(missing));
    }
    if let Some(twice) = message.strip_prefix("duplicate field ") {
        return format!("{} stands there twice", bare(twice));
    }
    // Our own messages begin with the field.
    message
}

/// More slips of the fingers make another word.
const SLIP_EDITS_MAX: usize = 2;

/// The word that was probably meant.
pub fn nearest<'a>(given: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = words.map(|word| (strsim::damerau_levenshtein(given, word), word));
    let (edits, word) = scored.min_by_key(|(edits, _)| *edits)?;
    (edits <= SLIP_EDITS_MAX && edits * 3 < word.len()).then_some(word)
}

/// What is the matter with a line that should be a JSON object.
pub fn of_json(error: &serde_json::Error, line: &[u8]) -> String {
    if error.is_eof() {
        return "no JSON object: it ends too early".to_owned();
    }
    if error.is_syntax() {
        return format!("no JSON object: look at byte {}", error.column());
    }
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(&*text, |(message, _)| message);
    plain(message, key_before(line, error.column()))
}

/// The key of the setting that a place in a TOML text is about.
pub fn key_of_line(text: &str, at: usize) -> Option<&str> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next()?;
    let key = line.split_once('=')?.0.trim();
    let is_key = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    (!key.is_empty() && key.bytes().all(is_key)).then_some(key)
}

/// The key before the value that ends at a column.
fn key_before(line: &[u8], column: usize) -> Option<&str> {
    let before = line.get(..column.min(line.len()))?;
    let colon = before.windows(2).rposition(|it| it == b"\":")?;
    let start = before[..colon].iter().rposition(|b| *b == b'"')? + 1;
    let key = std::str::from_utf8(&before[start..colon]).ok()?;
    let is_key = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    ((1..=64).contains(&key.len()) && key.bytes().all(is_key)).then_some(key)
}

fn split<'a>(message: &'a str, beginnings: &[&str]) -> Option<(&'a str, &'a str)> {
    let rest = beginnings.iter().find_map(|it| message.strip_prefix(it))?;
    rest.rsplit_once(", expected ").or(Some((rest, "")))
}

/// "integer `1`" → 1, "string "x"" → "x", "map" → a group.
fn value(given: &str) -> String {
    match given.split_once([' ']) {
        Some(("integer" | "boolean", value)) => bare(value).to_owned(),
        Some(("string", value)) => value.to_owned(),
        _ => match given {
            "sequence" => "a list".to_owned(),
            "map" => "a group of names and values".to_owned(),
            "null" => "null".to_owned(),
            other => match other.strip_prefix("floating point ") {
                Some(value) => bare(value).to_owned(),
                None => other.to_owned(),
            },
        },
    }
}

fn kind(expected: &str) -> &str {
    let is_it = |(names, _): &&(&[&str], &str)| names.contains(&expected);
    KINDS.iter().find(is_it).map_or(expected, |(_, words)| words)
}

/// "one of `a`, `b`" → one of a, b.
fn choices(expected: &str) -> String {
    format!("one of {}", listed(expected))
}

fn listed(expected: &str) -> String {
    let names = expected.trim_start_matches("one of ").replace(" or ", ", ");
    names.replace('`', "")
}

fn bare(text: &str) -> &str {
    text.trim_matches('`')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_field_and_what_is_allowed() {
        for (message, words) in [
            ("invalid type: string \"x\", expected f64", "f: \"x\" is not a number such as 0.5"),
            (
                "invalid type: integer `1`, expected a string",
                "f: 1 is not a text in quotes such as \"x\"",
            ),
            (
                "invalid type: floating point `0.5`, expected u64",
                "f: 0.5 is not a whole number such as 10",
            ),
            (
                "invalid type: map, expected a boolean",
                "f: a group of names and values is not true or false",
            ),
            (
                "invalid type: string \"x\", expected a sequence",
                "f: \"x\" is not a list such as [\"x\"]",
            ),
            (
                "unknown variant `OFF`, expected one of `off`, `ledger`",
                "f: \"OFF\" is not one of off, ledger",
            ),
            ("unknown variant `x`, expected `a` or `b`", "f: \"x\" is not one of a, b"),
            (
                "unknown field `colour`, expected one of `a`, `b`",
                "unknown field colour; there are a, b",
            ),
            (
                "unknown field `alerts`, expected one of `events`, `alert`",
                "unknown field alerts (did you mean alert?); there are events, alert",
            ),
            ("missing field `id`", "id is missing"),
            ("sample: 0 is not above 0, up to 1", "sample: 0 is not above 0, up to 1"),
        ] {
            assert_eq!(plain(message, Some("f")), words);
        }
        assert_eq!(key_of_line("a = 1\nceiling = \"OFF\"\n", 16), Some("ceiling"));
        assert_eq!(key_of_line("[a]\n", 1), None);
    }

    #[test]
    fn a_line_that_is_no_object_is_told_apart() {
        #[derive(Debug, serde::Deserialize)]
        struct Line {
            #[serde(rename = "role")]
            _role: String,
        }
        for (line, words) in [
            ("{\"role\":", "no JSON object: it ends too early"),
            ("nonsense", "no JSON object: look at byte 2"),
            ("{\"role\": 1}", "role: 1 is not a text in quotes such as \"x\""),
            ("{}", "role is missing"),
        ] {
            let error = serde_json::from_str::<Line>(line).unwrap_err();
            assert_eq!(of_json(&error, line.as_bytes()), words);
        }
    }
}
