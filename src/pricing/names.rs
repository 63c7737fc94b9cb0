//! Under which names a model may be listed: providers, clouds and agents write one model in many
//! ways. Each way is a rule; no name is found by a part of it, for that would price a new model like
//! an old one.

use crate::timestamp::Day;

/// What tools write where they do not know a model.
const NO_MODELS: [&str; 4] = ["", "<synthetic>", "unknown", "auto"];

/// What a cloud puts before the vendor, for where the model runs.
const REGIONS: [&str; 10] =
    ["us-gov.", "us.", "eu.", "apac.", "au.", "jp.", "in.", "global.", "ca.", "sa."];

/// What a cloud puts before the model.
const VENDORS: [&str; 13] = [
    "anthropic.",
    "openai.",
    "xai.",
    "google.",
    "mistral.",
    "qwen.",
    "deepseek.",
    "moonshotai.",
    "moonshot.",
    "zai.",
    "minimax.",
    "amazon.",
    "meta.",
];

/// Names that no rule finds.
const ALIASES: [(&str, &str); 4] = [
    ("gpt-5.3-codex-spark", "gpt-5.3-codex"),
    ("gemini-3-pro-high", "gemini-3-pro-preview"),
    ("grok-code-fast", "grok-code-fast-1"),
    ("k2p6", "kimi-k2.6"),
];

/// What `look` finds under the first of the names by which this model may be listed, lower case.
pub fn find<T>(model: &str, mut look: impl FnMut(&str) -> Option<T>) -> Option<T> {
    let lower = model.trim().to_ascii_lowercase();
    if NO_MODELS.contains(&&*lower) {
        return None;
    }
    // Each step takes something away; what is listed with it stands before what is listed without.
    let steps: [fn(&str) -> &str; 6] = [
        |name| name.rsplit('/').next().unwrap_or(name),
        without_brackets,
        without_cloud,
        without_version,
        |name| name.split(':').next().unwrap_or(name),
        |name| name.split('@').next().unwrap_or(name),
    ];
    let mut name = lower.as_str();
    let mut found = look(name);
    for step in steps {
        let next = step(name);
        if found.is_none() && next.len() < name.len() {
            found = look(next);
        }
        name = next;
    }
    if found.is_some() {
        return found;
    }
    let dotless = match name.starts_with("claude") {
        true => name.replace('.', "-"),
        false => name.to_owned(),
    };
    let bare = [Some(&*dotless), without_date(&dotless), dotless.strip_suffix("-latest")];
    for name in bare.into_iter().flatten() {
        let alias = ALIASES.iter().find(|(it, _)| *it == name).map(|(_, listed)| *listed);
        let turned = turned(name);
        for name in [Some(name), alias, turned.as_deref()].into_iter().flatten() {
            if let Some(found) = look(name) {
                return Some(found);
            }
        }
    }
    None
}

/// `claude-opus-4-6[1m]` → `claude-opus-4-6`.
fn without_brackets(name: &str) -> &str {
    let open = name.strip_suffix(']').and_then(|inner| inner.rfind('['));
    open.map_or(name, |open| &name[..open])
}

/// `us.anthropic.claude-opus-4` → `claude-opus-4`.
fn without_cloud(name: &str) -> &str {
    let cut = |name, prefixes: &[&str]| {
        let name: &str = name;
        prefixes.iter().find_map(|prefix| name.strip_prefix(prefix))
    };
    let local = cut(name, &REGIONS).and_then(|name| cut(name, &VENDORS));
    let name = local.or_else(|| cut(name, &VENDORS)).unwrap_or(name);
    name.strip_prefix("databricks-").unwrap_or(name)
}

/// `claude-3-opus-20240229-v1:0` → `claude-3-opus-20240229`.
fn without_version(name: &str) -> &str {
    let is_digit = |text: &str| text.len() == 1 && text.bytes().all(|b| b.is_ascii_digit());
    let cut = name.rsplit_once("-v").filter(|(_, version)| match version.split_once(':') {
        Some((major, minor)) => is_digit(major) && is_digit(minor),
        None => is_digit(version),
    });
    cut.map_or(name, |(before, _)| before)
}

/// Without `-20240229` or `-2024-02-29`: another number at the end is another model.
fn without_date(name: &str) -> Option<&str> {
    let cut = |length: usize| {
        let (before, date) = name.split_at_checked(name.len().checked_sub(length)?)?;
        Some((before.strip_suffix('-')?, date))
    };
    if let Some((before, date)) = cut(10)
        && Day::parse(date).is_some()
    {
        return Some(before);
    }
    let (before, date) = cut(8).filter(|(_, date)| date.is_ascii())?;
    let date = format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]);
    Day::parse(&date).map(|_| before)
}

/// A Claude model's name in the other order of its words: `claude-opus-3` ⇄ `claude-3-opus`.
fn turned(name: &str) -> Option<String> {
    let rest = name.strip_prefix("claude-")?;
    let is_word = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase());
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let (first, numbers) = rest.split_once('-')?;
    if is_word(first) && is_number(numbers) {
        return Some(format!("claude-{numbers}-{first}"));
    }
    let (numbers, last) = rest.rsplit_once('-')?;
    (is_word(last) && is_number(numbers)).then(|| format!("claude-{last}-{numbers}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_as_it_stands_comes_first() {
        let listed = ["us.anthropic.claude-opus-4-8", "claude-opus-4-8", "gpt-oss:20b", "acme-v2"];
        for (name, expected) in [
            ("us.anthropic.claude-opus-4-8", Some("us.anthropic.claude-opus-4-8")),
            ("bedrock/us.anthropic.claude-opus-4-8", Some("us.anthropic.claude-opus-4-8")),
            ("eu.anthropic.claude-opus-4-8", Some("claude-opus-4-8")),
            ("ollama/gpt-oss:20b", Some("gpt-oss:20b")),
            ("gpt-oss:120b", None),
            ("Acme-V2", Some("acme-v2")),
            (" acme-v2:free ", Some("acme-v2")),
        ] {
            assert_eq!(find(name, |it| listed.into_iter().find(|l| *l == it)), expected, "{name}");
        }
    }

    #[test]
    fn a_number_that_is_no_date_is_another_model() {
        for (name, bare) in [
            ("x-20241022", Some("x")),
            ("x-2024-10-22", Some("x")),
            ("x-20241332", None),
            ("x-2024-13-22", None),
            ("x-12345678", None),
            ("x20241022", None),
            ("größe-1", None),
            ("20241022", None),
        ] {
            assert_eq!(without_date(name), bare, "{name}");
        }
        assert_eq!(turned("claude-3-opus").as_deref(), Some("claude-opus-3"));
        assert_eq!(turned("claude-sonnet-4-5").as_deref(), Some("claude-4-5-sonnet"));
        assert_eq!(turned("claude-instant"), None);
    }
}
