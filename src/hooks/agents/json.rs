//! JSON that somebody else wrote, changed at one place: every byte elsewhere stays as it is.

use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

/// Nobody nests settings deeper.
const DEPTH_MAX: usize = 100;

/// Where nothing shows by how much lines are indented.
const INDENT: &str = "  ";

/// What stands between two bytes of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its first byte.
    pub start: usize,
    /// The byte behind its last.
    pub end: usize,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Members: a key, where it begins, and the value.
    Object(Vec<(String, usize, Node)>),
    /// Elements.
    Array(Vec<Node>),
    /// A string.
    Text(String),
    /// A number, true, false or null.
    Other,
}

/// Where a text is broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The line, the first being 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: &'static str,
}

impl Node {
    /// The value of a key; of several the last, which is the one that programs read.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Object(members) => {
                members.iter().rev().find(|(name, ..)| name == key).map(|(.., node)| node)
            }
            _ => None,
        }
    }

    /// The elements; None where it is no array.
    pub fn elements(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// What a string says.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Where its parts begin and end.
    fn parts(&self) -> Vec<(usize, usize)> {
        match &self.kind {
            Kind::Object(members) => members.iter().map(|(_, key, it)| (*key, it.end)).collect(),
            Kind::Array(elements) => elements.iter().map(|it| (it.start, it.end)).collect(),
            Kind::Text(_) | Kind::Other => Vec::new(),
        }
    }
}

/// Reads a whole text. Some programs allow comments in theirs.
///
/// # Errors
/// It is no JSON.
pub fn parse(text: &str, has_comments: bool) -> Result<Node, Broken> {
    let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut reader = Reader { text, at, has_comments };
    let node = reader.value(0)?;
    reader.space()?;
    match reader.at == text.len() {
        true => Ok(node),
        false => Err(reader.broken("something follows behind the end")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    has_comments: bool,
}

impl Reader<'_> {
    fn broken(&self, problem: &'static str) -> Broken {
        let before = &self.text.as_bytes()[..self.at.min(self.text.len())];
        Broken { line: before.iter().filter(|byte| **byte == b'\n').count() + 1, problem }
    }

    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) -> Result<(), Broken> {
        loop {
            while matches!(self.next(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
                self.at += 1;
            }
            let rest = &self.text[self.at..];
            if !self.has_comments || !rest.starts_with("//") && !rest.starts_with("/*") {
                return Ok(());
            }
            let (end, past) = if rest.starts_with("//") { ("\n", 1) } else { ("*/", 2) };
            self.at += match (rest[2..].find(end), past) {
                (Some(length), past) => 2 + length + past,
                (None, 1) => rest.len(),
                (None, _) => return Err(self.broken("a comment has no end")),
            };
        }
    }

    fn expect(&mut self, byte: u8, problem: &'static str) -> Result<(), Broken> {
        self.space()?;
        if self.next() != Some(byte) {
            return Err(self.broken(problem));
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Node, Broken> {
        self.space()?;
        let start = self.at;
        let kind = match self.next() {
            _ if depth > DEPTH_MAX => return Err(self.broken("it is nested too deeply")),
            Some(b'{') => Kind::Object(self.parts(b'}', |reader| {
                let key = reader.at;
                let name = reader.string()?;
                reader.expect(b':', "a colon is missing")?;
                Ok((name, key, reader.value(depth + 1)?))
            })?),
            Some(b'[') => Kind::Array(self.parts(b']', |reader| reader.value(depth + 1))?),
            Some(b'"') => Kind::Text(self.string()?),
            _ => {
                let is_end = |c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c);
                let rest = &self.text[start..];
                let word = &rest[..rest.find(is_end).unwrap_or(rest.len())];
                if serde_json::from_str::<IgnoredAny>(word).is_err() {
                    return Err(self.broken("a value is missing"));
                }
                self.at += word.len();
                Kind::Other
            }
        };
        Ok(Node { start, end: self.at, kind })
    }

    fn parts<T>(
        &mut self,
        close: u8,
        mut part: impl FnMut(&mut Self) -> Result<T, Broken>,
    ) -> Result<Vec<T>, Broken> {
        let mut parts = Vec::new();
        self.at += 1;
        self.space()?;
        if self.next() == Some(close) {
            self.at += 1;
            return Ok(parts);
        }
        loop {
            self.space()?;
            parts.push(part(self)?);
            self.space()?;
            match self.next() {
                Some(b',') => self.at += 1,
                Some(byte) if byte == close => {
                    self.at += 1;
                    return Ok(parts);
                }
                _ => return Err(self.broken("a comma or a closing bracket is missing")),
            }
        }
    }

    fn string(&mut self) -> Result<String, Broken> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        if self.next() != Some(b'"') {
            return Err(self.broken("a string is missing"));
        }
        let mut at = start + 1;
        loop {
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => at += 2,
                Some(b'\n') | None => return Err(self.broken("a string has no end")),
                Some(_) => at += 1,
            }
        }
        let text = serde_json::from_str(&self.text[start..=at]);
        let text = text.map_err(|_| self.broken("a string has characters that it may not have"))?;
        self.at = at + 1;
        Ok(text)
    }
}

/// Adds a part behind the last one of an object (then with its key) or of an array, laid out as the
/// text is.
pub fn add(text: &str, container: &Node, key: Option<&str>, value: &Value) -> String {
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let unit = unit(text);
    let parts = container.parts();
    let own = indent(text, container.start);
    // What stands before the last part stands before the new one, too.
    let space = match parts.last() {
        Some((start, _)) => {
            let before = &text[..*start];
            before[before.trim_end_matches([' ', '\t', '\r', '\n']).len()..].to_owned()
        }
        None => format!("{line_end}{own}{unit}"),
    };
    let base = space.rsplit_once('\n').map(|(_, base)| base);
    let value = match base {
        Some(base) => pretty(value, unit).replace('\n', &format!("{line_end}{base}")),
        None => value.to_string(),
    };
    let key = key.map(|key| format!("{}: ", Value::from(key))).unwrap_or_default();
    match parts.last() {
        Some((_, end)) => format!("{},{space}{key}{value}{}", &text[..*end], &text[*end..]),
        None => format!(
            "{}{space}{key}{value}{line_end}{own}{}",
            &text[..=container.start],
            &text[container.end - 1..]
        ),
    }
}

/// Takes a part of an object or an array away, with what parts it from its neighbour.
pub fn remove(text: &str, container: &Node, part: usize) -> String {
    let parts = container.parts();
    let (start, end) = match part {
        _ if parts.len() == 1 => (container.start + 1, container.end - 1),
        0 => (parts[0].0, parts[1].0),
        _ => (parts[part - 1].1, parts[part].1),
    };
    text[..start].to_owned() + &text[end..]
}

/// A value on several lines.
fn pretty(value: &Value, unit: &str) -> String {
    let mut bytes = Vec::new();
    let formatter = PrettyFormatter::with_indent(unit.as_bytes());
    match value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter)) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => value.to_string(),
    }
}

/// What stands before the first word of the line around a byte.
fn indent(text: &str, at: usize) -> &str {
    let line = &text[text[..at].rfind('\n').map_or(0, |end| end + 1)..at];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// By how much a text indents: as its first indented line.
fn unit(text: &str) -> &str {
    let indents =
        text.lines().map(|line| &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]);
    indents.clone().find(|it| !it.is_empty()).unwrap_or(INDENT)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Adds, and takes away again.
    fn changed(text: &str, added: &str) {
        let root = parse(text, true).unwrap();
        let new = add(text, &root, Some("k"), &json!({"a": [1]}));
        assert_eq!(new, added);
        let root = parse(&new, true).unwrap();
        assert_eq!(root.get("k").unwrap().get("a").unwrap().elements().unwrap().len(), 1);
        assert_eq!(remove(&new, &root, root.parts().len() - 1), text);
    }

    #[test]
    fn what_is_there_stays_byte_for_byte() {
        changed("{}", "{\n  \"k\": {\n    \"a\": [\n      1\n    ]\n  }\n}");
        changed("{\"x\":1e3}\n", "{\"x\":1e3,\"k\": {\"a\":[1]}}\n");
        changed(
            "{\n\t\"x\" : \"\\u00e9\", // why\n\t\"y\":[ ]\n}",
            "{\n\t\"x\" : \"\\u00e9\", // why\n\t\"y\":[ ],\n\t\"k\": {\n\t\t\"a\": [\n\t\t\t1\n\t\t]\n\t}\n}",
        );
        changed(
            "{\r\n    \"x\": 1\r\n}\r\n",
            "{\r\n    \"x\": 1,\r\n    \"k\": {\r\n        \"a\": [\r\n            1\r\n        ]\r\n    }\r\n}\r\n",
        );
    }

    #[test]
    fn any_part_can_go() {
        for (part, left) in [(0, "[2, 3]"), (1, "[1, 3]"), (2, "[1, 2]")] {
            let text = "[1, 2, 3]";
            assert_eq!(remove(text, &parse(text, false).unwrap(), part), left);
        }
    }

    #[test]
    fn what_is_broken_has_a_line() {
        let line = |text: &str| parse(text, false).unwrap_err().line;
        assert_eq!(line("{\n\"a\": 1\n\"b\": 2}"), 3);
        assert_eq!(line("{\n\"a\": }"), 2);
        assert_eq!(line("{\"a\": 1}\n}"), 2);
        assert_eq!(line("{\n// a\n}"), 2);
        assert_eq!(line("{\"a\": \"x\n\"}"), 1);
        assert_eq!(line(""), 1);
        assert_eq!(line("{\"a\": 1,}"), 1);
        assert_eq!(line("{\"a\": \"\\"), 1);
        assert_eq!(line(&"[".repeat(1_000)), 1);
        assert!(parse("\u{feff}{\"a\": [1, -2.5e3, null, true]} ", false).is_ok());
    }
}
