//! What a coding agent tells when it calls us at one of its hooks → where its transcript is, and the
//! events that are to be recorded. Its words, and those of whoever prompts it, are never among them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::event::ID_BYTES_MAX;
use crate::intake::events::Draft;
use crate::row::line_hash;

/// A sub-agent that has no name, or none that is one word.
const SUB_AGENT: &str = "sub-agent";

/// Names of sub-agents and of commands are no longer.
const NAME_BYTES_MAX: usize = 64;

/// What ends planning, and is only done once a person has agreed to the plan.
const END_OF_PLAN: &str = "ExitPlanMode";

/// The mode in which an agent plans and changes nothing.
const PLANNING: &str = "plan";

/// What belongs together is named by so many bytes of a SHA-256, in hex.
const HASH_BYTES: usize = 8;

/// One call of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The agent that calls.
    pub agent: &'static str,
    /// What happened, as the agent names it.
    pub event: String,
    /// The session as the agent names it.
    pub session: Option<String>,
    /// Where the session's transcript is.
    pub transcript: Option<PathBuf>,
    /// Where the transcript of a sub-agent is.
    pub sub_transcript: Option<PathBuf>,
    /// The folder that it works in.
    pub folder: Option<PathBuf>,
    /// The command that the prompt begins with, without its arguments.
    pub command: Option<String>,
    reason: Option<String>,
    sub_agent: Option<String>,
    sub_id: Option<String>,
    tool: Option<String>,
    mode: Option<String>,
}

impl Call {
    /// Reads what an agent handed us; None where it is no object.
    pub fn of(agent: &'static str, told: &Value) -> Option<Call> {
        told.as_object()?;
        let text = |keys: &[&str]| {
            let found = keys.iter().find_map(|key| told.get(*key)?.as_str());
            found.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let path = |key: &str| text(&[key]).map(PathBuf::from).filter(|it| it.is_absolute());
        let word = |keys: &[&str]| text(keys).filter(|it| is_word(it));
        Some(Call {
            agent,
            event: word(&["hook_event_name", "type"]).unwrap_or_default(),
            session: text(&["session_id", "thread-id"]).filter(|id| id.len() <= ID_BYTES_MAX),
            transcript: path("transcript_path"),
            sub_transcript: path("agent_transcript_path"),
            folder: path("cwd"),
            command: text(&["prompt"]).and_then(|it| command(&it).map(str::to_owned)),
            reason: word(&["reason", "source"]),
            sub_agent: word(&["agent_type"]),
            sub_id: text(&["agent_id"]),
            tool: word(&["tool_name"]),
            mode: word(&["permission_mode"]),
        })
    }

    /// Whether a turn has ended, or all of them have.
    pub fn is_end(&self) -> bool {
        let ends = ["Stop", "StopFailure", "SessionEnd", "AfterAgent", "agent-turn-complete"];
        ends.contains(&&*self.event)
    }

    /// Whether a file is the session's transcript.
    pub fn is_transcript(&self, path: &Path) -> bool {
        match (&self.transcript, &self.session) {
            (Some(transcript), _) => path == transcript,
            (None, Some(session)) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.contains(&**session)
            }
            (None, None) => false,
        }
    }

    /// The event to be recorded, if any. A command is one that the agent knows; whether a sub-agent
    /// has failed its transcript tells.
    pub fn draft(
        &self,
        correlation: Option<&str>,
        is_command: impl FnOnce(&str) -> bool,
        has_failed: impl FnOnce() -> bool,
    ) -> Option<Draft<'static>> {
        let mut draft = Draft { session: self.session.clone().map(Cow::Owned), ..Draft::default() };
        let mut attrs: BTreeMap<Cow<'static, str>, Cow<'static, str>> = BTreeMap::new();
        let own = |text: &str| Some(Cow::Owned(text.to_owned()));
        draft.correlation = correlation.and_then(own);
        match &*self.event {
            "SessionStart" | "SessionEnd" => {
                let has_begun = self.event == "SessionStart";
                draft.name = if has_begun { "session.started" } else { "session.ended" }.into();
                draft.agent = own(self.agent);
                let key = if has_begun { "source" } else { "reason" };
                attrs.extend(self.reason.as_deref().and_then(own).map(|it| (key.into(), it)));
            }
            "SubagentStart" | "SubagentStop" => {
                draft.agent = own(self.sub_agent.as_deref().unwrap_or(SUB_AGENT));
                attrs.insert("program".into(), self.agent.into());
                // Its id leads to its transcript.
                let id = self.sub_id.as_ref().map(|id| line_hash(id.as_bytes(), HASH_BYTES));
                draft.correlation = draft.correlation.or(id.map(Cow::Owned));
                draft.name = "agent.started".into();
                if self.event == "SubagentStop" {
                    let has_failed = has_failed();
                    draft.name = if has_failed { "agent.failed" } else { "agent.completed" }.into();
                    draft.success = Some(!has_failed);
                }
            }
            "UserPromptSubmit" => {
                draft.name = "command.executed".into();
                draft.agent = own(self.agent);
                let name = self.command.as_deref().filter(|name| is_command(name))?;
                draft.command = Some(Cow::Owned(format!("/{name}")));
            }
            // Who planned hands the work to whoever does it. (A sub-agent's work comes back.)
            "PostToolUse" if self.tool.as_deref() == Some(END_OF_PLAN) => {
                draft.name = "handoff.completed".into();
                draft.agent = own(self.agent);
                attrs.insert("from".into(), PLANNING.into());
                let mode = self.mode.as_deref().filter(|mode| *mode != PLANNING);
                attrs.extend(mode.and_then(own).map(|it| ("to".into(), it)));
            }
            _ => return None,
        }
        draft.attrs = attrs;
        Some(draft)
    }
}

/// What may be a name: one word.
fn is_word(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.chars().all(is_part)
}

/// The command that a prompt may begin with.
fn command(prompt: &str) -> Option<&str> {
    let word = prompt.strip_prefix('/')?.split_whitespace().next()?;
    // A dot would lead to other files than those of commands.
    is_word(word).then_some(word).filter(|word| !word.contains('.'))
}

/// Whether the last answer in the end of a transcript is an error of the service.
pub fn ends_in_error(end: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Line {
        r#type: String,
        #[serde(default)]
        is_api_error_message: bool,
    }
    let lines = end.rsplit(|byte| *byte == b'\n');
    let mut lines = lines.filter_map(|line| serde_json::from_slice::<Line>(line).ok());
    lines.find(|line| line.r#type == "assistant").is_some_and(|line| line.is_api_error_message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn draft(told: Value, failed: bool) -> Option<Draft<'static>> {
        Call::of("claude-code", &told)?.draft(None, |name| name == "review", || failed)
    }

    #[test]
    fn an_event_for_each_hook() {
        let name = |told: Value, failed| draft(told, failed).map(|it| it.name.into_owned());
        let event =
            |event: &str| json!({"hook_event_name": event, "session_id": "s", "agent_id": "a"});
        assert_eq!(name(event("SessionStart"), false).as_deref(), Some("session.started"));
        assert_eq!(name(event("SessionEnd"), false).as_deref(), Some("session.ended"));
        assert_eq!(name(event("SubagentStart"), false).as_deref(), Some("agent.started"));
        assert_eq!(name(event("SubagentStop"), false).as_deref(), Some("agent.completed"));
        assert_eq!(name(event("SubagentStop"), true).as_deref(), Some("agent.failed"));
        assert_eq!(name(event("Stop"), true), None);
        assert!(draft(json!([]), false).is_none());
    }

    #[test]
    fn the_end_of_a_plan_is_a_hand_off() {
        let attrs = |tool: &str, mode: &str| {
            let told = json!({"hook_event_name": "PostToolUse", "tool_name": tool,
                "permission_mode": mode, "tool_input": {"plan": "my secret"}});
            draft(told, false).map(|it| {
                assert_eq!(it.name, "handoff.completed");
                it.attrs.values().map(|it| it.to_string()).collect::<Vec<_>>().join(" ")
            })
        };
        assert_eq!(attrs("ExitPlanMode", "acceptEdits").as_deref(), Some("plan acceptEdits"));
        assert_eq!(attrs("ExitPlanMode", "plan").as_deref(), Some("plan"));
        assert_eq!(attrs("Bash", "default"), None);
    }

    #[test]
    fn of_a_prompt_only_the_command_is_taken() {
        let command = |prompt: &str| {
            let told = json!({"hook_event_name": "UserPromptSubmit", "prompt": prompt});
            draft(told, false).map(|it| it.command.unwrap().into_owned())
        };
        assert_eq!(command("/review my secret").as_deref(), Some("/review"));
        for prompt in ["review", "/etc/passwd", "/secret of mine", "/../x", "/", "go /review"] {
            assert_eq!(command(prompt), None, "{prompt}");
        }
    }

    #[test]
    fn the_last_answer_tells() {
        let failed = "{\"type\":\"assistant\",\"isApiErrorMessage\":true}";
        let well = "{\"type\":\"assistant\",\"message\":{}}";
        assert!(ends_in_error(
            format!("ut\"}}\n{well}\n{failed}\n{{\"type\":\"system\"}}\n").as_bytes()
        ));
        assert!(!ends_in_error(format!("{failed}\n{well}\n").as_bytes()));
        assert!(!ends_in_error(b""));
    }
}
