//! What a tool prints while somebody else reads it: whether it will tell of its result, and as much of
//! it as is kept.

use crate::intake::import::printed::outcome::{Outcome, outcomes};

/// The tools whose results are known, by the names of their programs.
const TOOLS: [&str; 4] = ["claude", "codex", "gemini", "cursor-agent"];

/// How they are asked for them.
const ASKED: [&str; 6] = [
    "--output-format json",
    "--output-format=json",
    "--output-format stream-json",
    "--output-format=stream-json",
    "-o json",
    "exec --json",
];

/// Whether a command line, its words parted by spaces, asks one of the tools for a result that is
/// known here.
pub fn is_asked_for(command: &str) -> bool {
    let is_of_codex = command.contains("exec") && command.contains(" --json");
    TOOLS.iter().any(|tool| command.contains(tool))
        && (is_of_codex || ASKED.iter().any(|words| command.contains(words)))
}

/// What a tool prints while it runs: as much of it as its result may stand in.
#[derive(Debug, Default)]
pub struct Heard {
    head: Vec<u8>,
    tail: Vec<u8>,
    is_cut: bool,
}

/// The first lines name the session and the model.
const HEAD_BYTES: usize = 256 << 10;

/// No result is longer than this.
const TAIL_BYTES: usize = 8 << 20;

impl Heard {
    /// Hears more.
    pub fn add(&mut self, bytes: &[u8]) {
        let of_head = bytes.len().min(HEAD_BYTES - self.head.len());
        self.head.extend_from_slice(&bytes[..of_head]);
        self.tail.extend_from_slice(&bytes[of_head..]);
        if self.tail.len() > 2 * TAIL_BYTES {
            self.tail.drain(..self.tail.len() - TAIL_BYTES);
            self.is_cut = true;
        }
    }

    /// The last result in it that tells of tokens.
    pub fn outcome(mut self) -> Option<Outcome> {
        if self.is_cut {
            // What stood between them is no line of either.
            self.head.push(b'\n');
        }
        self.head.append(&mut self.tail);
        outcomes(&self.head).into_iter().rfind(|outcome| !outcome.models.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_tool_is_asked() {
        for command in [
            "claude -p --output-format json x",
            "/bin/sh -c 'cursor-agent -p --output-format=stream-json'",
            "codex exec --skip-git-repo-check --json x",
            "npx gemini -o json",
        ] {
            assert!(is_asked_for(command), "{command}");
        }
        for command in ["claude -p x", "npm ls --json", "make", "codex --json"] {
            assert!(!is_asked_for(command), "{command}");
        }
    }

    #[test]
    fn a_result_behind_much_else_is_heard_in_bounded_memory() {
        let mut heard = Heard::default();
        heard.add(b"{\"type\":\"system\",\"model\":\"m\"}\n");
        let noise =
            [b"{\"type\":\"x\",\"y\":\"".to_vec(), vec![b'z'; 100_000], b"\"}\n".to_vec()].concat();
        for _ in 0..400 {
            heard.add(&noise);
            assert!(heard.head.len() + heard.tail.len() <= HEAD_BYTES + 2 * TAIL_BYTES);
        }
        heard.add(b"{\"type\":\"result\",\"subtype\":\"success\",\"usage\":{\"inputTokens\":5}}\n");
        let outcome = heard.outcome().unwrap();
        assert_eq!((outcome.models[0].0.as_str(), outcome.models[0].1.prompt), ("m", 5));
        assert_eq!(Heard::default().outcome(), None);
    }
}
