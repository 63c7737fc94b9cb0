//! Our block of lines in somebody else's text: put in, found again, and cut out so that every byte
//! around it is as it was. Knows no files.

use crate::error::shell_word;

/// The line before our lines.
pub const BEGIN: &str = "# >>> log-usage >>>";

/// The line after our lines.
pub const END: &str = "# <<< log-usage <<<";

/// Marks a file as one that was not there before us, so that it goes when our block goes.
pub const MADE: &str = "# This file was made by: log-usage hooks install\n";

/// The block that calls us in a hook. `program` is where we stand on this machine, for a git that
/// was started without the user's PATH, as from a desktop; None in a file that others share.
///
/// What the hook reads from standard input stays unread for those after us, and standard error is
/// left open: it says at most one line.
pub fn for_hook(hook: &str, program: Option<&str>) -> String {
    let guard = "[ \"${LOG_USAGE_HOOKS:-1}\" != 0 ]";
    let call = |name: &str| format!("  {name} hook {hook} </dev/null >/dev/null || :\n");
    let elsewhere = program.map(shell_word).map_or_else(String::new, |program| {
        format!("elif {guard} && [ -x {program} ]; then\n{}", call(&program))
    });
    let found = format!("if {guard} && command -v log-usage >/dev/null 2>&1; then\n");
    framed(&format!("{found}{}{elsewhere}fi\n", call("log-usage")))
}

/// Lines between our markers.
pub fn framed(lines: &str) -> String {
    format!("{BEGIN}\n{lines}{END}\n")
}

/// The hook that takes the place of one that cannot hold our block: it does our part, then becomes
/// the other, which keeps its bytes and its mode under another name. A hook that git would not have
/// run is not run here either.
pub fn wrapper(hook: &str, block: &str) -> String {
    format!("#!/bin/sh\n{block}{}", becoming(hook))
}

/// A hook that holds nothing but our block.
pub fn whole_hook(block: &str) -> String {
    format!("#!/bin/sh\n{block}{MADE}")
}

/// What follows a hook's name where another takes its place.
pub const ORIGINAL: &str = ".log-usage-orig";

/// The name is written out: other tools rename hooks, and `$0` would follow them.
fn becoming(hook: &str) -> String {
    let original = format!("\"${{0%/*}}/{hook}{ORIGINAL}\"");
    format!("{MADE}if [ -x {original} ]; then exec {original} \"$@\"; fi\n")
}

/// What a text is once our block is cut out of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing but what we made.
    Nothing,
    /// Nothing but what makes a hook become the other one.
    Wrapper,
    /// Somebody's own lines.
    Own,
}

/// Judges what is left of a text.
pub fn rest(text: &[u8], hook: &str) -> Rest {
    let own = text.strip_prefix(b"#!/bin/sh\n").unwrap_or(text);
    match own {
        _ if own == MADE.as_bytes() => Rest::Nothing,
        _ if own == becoming(hook).as_bytes() => Rest::Wrapper,
        _ => Rest::Own,
    }
}

/// The lines of a text with the place of each, their ends included.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    text.split_inclusive(|byte| *byte == b'\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line))
    })
}

/// Where our block stands, from the first byte of its first line to the last of its last.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// There is none.
    None,
    /// It is here.
    At(std::ops::Range<usize>),
    /// One of its two markers is gone, so that nobody knows which lines are ours.
    Damaged,
}

/// Finds our block.
pub fn find(text: &[u8]) -> Found {
    let marker = |line: &[u8], marker: &str| line.trim_ascii_end() == marker.as_bytes();
    let mut begin = None;
    for (at, line) in lines(text) {
        match begin {
            None if marker(line, END) => return Found::Damaged,
            None if marker(line, BEGIN) => begin = Some(at),
            Some(_) if marker(line, BEGIN) => return Found::Damaged,
            Some(begin) if marker(line, END) => return Found::At(begin..at + line.len()),
            _ => {}
        }
    }
    begin.map_or(Found::None, |_| Found::Damaged)
}

/// The text with the block in it: in place of the one that is there, else at that byte. Behind a
/// line without an end the block brings the end along and has none of its own, so that what is cut
/// out is what was put in.
pub fn put(text: &[u8], block: &str, at: usize) -> Vec<u8> {
    let (from, to) = match find(text) {
        Found::At(range) => (range.start, range.end),
        _ => (at, at),
    };
    let (before, after) = (&text[..from], &text[to..]);
    let is_last = after.is_empty() && !before.is_empty();
    match before.last() {
        Some(last) if *last != b'\n' => {
            [before, b"\n", block.trim_end().as_bytes(), after].concat()
        }
        // It stood so before.
        _ if is_last && to > from && !text.ends_with(b"\n") => {
            [before, block.trim_end().as_bytes()].concat()
        }
        _ => [before, block.as_bytes(), after].concat(),
    }
}

/// The text without our block; None where there is none.
pub fn cut(text: &[u8]) -> Option<Vec<u8>> {
    let Found::At(range) = find(text) else { return None };
    let (mut before, after) = (&text[..range.start], &text[range.end..]);
    if !text[range].ends_with(b"\n") {
        before = before.strip_suffix(b"\n").unwrap_or(before);
    }
    Some([before, after].concat())
}

/// Whether some line of the text, not a comment, calls us: the user's own, or our block.
pub fn calls(text: &[u8], hook: &str) -> bool {
    let call = format!("log-usage hook {hook}");
    lines(text).any(|(_, line)| {
        let line = line.trim_ascii();
        !line.starts_with(b"#") && memchr::memmem::find(line, call.as_bytes()).is_some()
    })
}

/// The word, as a shell takes it, by which our block calls us where the path does not lead to us.
pub fn fallback(text: &[u8]) -> Option<&str> {
    let Found::At(range) = find(text) else { return None };
    let (_, rest) = std::str::from_utf8(&text[range]).ok()?.split_once("&& [ -x ")?;
    rest.split_once(" ]; then").map(|(word, _)| word)
}

/// The word that a shell would make of this text, where it is one that [`shell_word`] may have
/// written. No shell is asked: the text may stand in a file that somebody else committed.
pub fn word(text: &str) -> Option<String> {
    let mut word = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        rest = match first {
            '\'' => {
                let (quoted, after) = after.split_once('\'')?;
                word += quoted;
                after
            }
            '\\' => {
                word.push('\'');
                after.strip_prefix('\'')?
            }
            plain => {
                let plain = plain.to_string();
                if shell_word(&plain) != plain {
                    return None;
                }
                word += &plain;
                after
            }
        };
    }
    Some(word).filter(|word| !word.is_empty())
}

/// Shells that read our block as it is meant.
const SHELLS: [&[u8]; 6] = [b"sh", b"bash", b"dash", b"zsh", b"ksh", b"mksh"];

/// The byte after the `#!` line of a shell's script; None where the text is not one.
pub fn after_shebang(text: &[u8]) -> Option<usize> {
    let (_, first) = lines(text).next()?;
    let mut words = first.strip_prefix(b"#!")?.split(u8::is_ascii_whitespace);
    let mut word = || words.find(|word| !word.is_empty());
    let name = |path: &[u8]| path.rsplit(|byte| *byte == b'/').next().map(<[u8]>::to_vec);
    let mut program = name(word()?)?;
    if program == b"env" {
        // `env -S bash -e` and `env NAME=value bash` name the program later.
        let is_program = |word: &&[u8]| !word.starts_with(b"-") && !word.contains(&b'=');
        program = name(std::iter::from_fn(word).find(is_program)?)?;
    }
    let program = program.strip_suffix(b".exe").unwrap_or(&program);
    SHELLS.contains(&program).then_some(first.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_block_is_this() {
        assert_eq!(
            for_hook("pre-commit", None),
            "# >>> log-usage >>>\n\
             if [ \"${LOG_USAGE_HOOKS:-1}\" != 0 ] && command -v log-usage >/dev/null 2>&1; then\n  \
             log-usage hook pre-commit </dev/null >/dev/null || :\nfi\n# <<< log-usage <<<\n"
        );
        let with = for_hook("post-commit", Some("/my apps/log-usage"));
        assert!(with.contains("[ -x '/my apps/log-usage' ]; then\n  '/my apps/log-usage' hook"));
        assert_eq!(fallback(with.as_bytes()), Some("'/my apps/log-usage'"));
        assert!(calls(with.as_bytes(), "post-commit") && !calls(with.as_bytes(), "pre-commit"));
    }

    proptest! {
        #[test]
        fn a_word_is_read_as_it_was_written(text in "\\PC{1,20}") {
            prop_assert_eq!(word(&shell_word(&text)), Some(text));
        }
    }

    #[test]
    fn what_a_shell_would_do_more_with_is_no_word() {
        for text in [
            "", "''", "$HOME/a", "$(a)", "`a`", "a b", "a;b", "'a", "\\a", "\"a\"", "~/a", "a*",
            "'a' b",
        ] {
            assert_eq!(word(text), None, "{text}");
        }
    }

    #[test]
    fn shells_are_known_by_their_first_line() {
        for text in [
            "#!/bin/sh\n",
            "#!/bin/sh",
            "#! /bin/bash -e\necho\n",
            "#!/usr/bin/env bash\r\n",
            "#!/usr/bin/env -S zsh -f\n",
            "#!/usr/bin/env A=1 ksh\n",
            "#!/usr/local/bin/dash\n",
            "#!C:/Git/usr/bin/sh.exe\n",
        ] {
            let end = text.find('\n').map_or(text.len(), |at| at + 1);
            assert_eq!(after_shebang(text.as_bytes()), Some(end), "{text}");
        }
        for text in [
            "",
            "echo\n",
            "#!/usr/bin/env python3\n",
            "#!/usr/bin/env node\n",
            "#!/usr/bin/env -S\n",
            "#!/usr/bin/fish\n",
            "#!/bin/csh\n",
            "#!\n",
            "\u{FEFF}#!/bin/sh\n",
            "# a comment\n#!/bin/sh\n",
        ] {
            assert_eq!(after_shebang(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_block_that_lost_a_marker_is_not_guessed_at() {
        let whole = put(b"#!/bin/sh\n", &framed("ours\n"), 10);
        assert_eq!(find(&whole), Found::At(10..whole.len()));
        for text in [
            format!("{BEGIN}\nours\n"),
            format!("ours\n{END}\n"),
            format!("{BEGIN}\nours\n{BEGIN}\nours\n{END}\n"),
        ] {
            assert_eq!(find(text.as_bytes()), Found::Damaged, "{text}");
            assert_eq!(cut(text.as_bytes()), None);
        }
        assert_eq!(find(b"echo '# >>> log-usage >>>'\n"), Found::None);
    }

    #[test]
    fn what_is_ours_alone_is_known() {
        let block = framed("ours\n");
        let left = |text: String| rest(&cut(text.as_bytes()).unwrap(), "pre-commit");
        assert_eq!(left(whole_hook(&block)), Rest::Nothing);
        assert_eq!(left(wrapper("pre-commit", &block)), Rest::Wrapper);
        assert_eq!(left(format!("{block}{MADE}")), Rest::Nothing);
        assert_eq!(left(format!("{}echo\n", whole_hook(&block))), Rest::Own);
        assert_eq!(left(format!("#!/bin/sh\n{block}")), Rest::Own);
    }

    proptest! {
        #[test]
        fn what_was_put_in_is_cut_out_again(
            text in prop::collection::vec(prop_oneof![
                Just(b'\n'), Just(b'\r'), Just(b'#'), Just(b'a'), any::<u8>()
            ], 0..60),
            at_line in 0usize..6,
        ) {
            let ends: Vec<usize> = lines(&text).map(|(at, line)| at + line.len()).collect();
            let at = if at_line == 0 { 0 } else { ends.get(at_line - 1).copied().unwrap_or(text.len()) };
            let first = put(&text, &framed("ours\n"), at);
            prop_assert_eq!(cut(&first).unwrap(), text.clone());
            prop_assert_eq!(put(&first, &framed("ours\n"), 0), first.clone());
            let other = put(&first, &framed("other\nlines\n"), 0);
            prop_assert_eq!(cut(&other).unwrap(), text);
        }
    }
}
