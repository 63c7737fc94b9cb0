//! Our entry in the settings of coding agents: it lets each of them call us when a turn has ended.
//! What else is in their settings stays byte for byte.

pub mod json;
pub mod change;
pub mod notify;

use serde_json::{Value, json};

use crate::error::shell_word;
use crate::hooks::agents::change::{Change, MEND, Trouble};
use crate::hooks::agents::json::Node;

/// A coding agent, and what its settings look like.
#[derive(Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its name, as `log-usage hook` knows it.
    pub name: &'static str,
    /// Its settings in a project.
    pub project: &'static str,
    /// Those of a user, in the agent's own folder.
    pub user: &'static str,
    /// What it calls the ends of turns and sessions.
    ends: &'static [&'static str],
    /// What else is recorded as events, where there is consent.
    told: &'static [&'static str],
    /// The same of one tool alone: the event, and the tool.
    told_of: Option<(&'static str, &'static str)>,
    /// How long it waits for us, in its own unit.
    timeout: u64,
    /// Whether its hooks have names.
    has_names: bool,
    /// Whether it allows comments in its settings.
    has_comments: bool,
}

/// Every agent that can call us.
pub const AGENTS: [Agent; 3] = [
    Agent {
        name: "claude-code",
        project: ".claude/settings.json",
        user: "settings.json",
        ends: &["Stop", "SessionEnd"],
        told: &["SessionStart", "SubagentStart", "SubagentStop", "UserPromptSubmit"],
        told_of: Some(("PostToolUse", "ExitPlanMode")),
        timeout: 20,
        has_names: false,
        has_comments: false,
    },
    Agent {
        name: "codex",
        project: ".codex/hooks.json",
        user: "config.toml",
        ends: &["Stop"],
        told: &["SessionStart", "SubagentStart", "SubagentStop"],
        told_of: None,
        timeout: 20,
        has_names: false,
        has_comments: false,
    },
    Agent {
        name: "gemini",
        project: ".gemini/settings.json",
        user: "settings.json",
        ends: &["AfterAgent", "SessionEnd"],
        told: &["SessionStart"],
        told_of: None,
        timeout: 20_000,
        has_names: true,
        has_comments: true,
    },
];

/// The agent of that name.
pub fn agent(name: &str) -> Option<&'static Agent> {
    AGENTS.iter().find(|agent| agent.name == name)
}

/// Which settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Those of a project, which may be committed.
    Project,
    /// Those of a user.
    User,
}

/// What our entry is to be.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Which settings they are.
    pub level: Level,
    /// What starts us: a name or a path.
    pub program: &'a str,
    /// Whether to be called for what is recorded as events, too.
    pub has_events: bool,
}

impl Agent {
    fn is_toml(&self, level: Level) -> bool {
        self.name == "codex" && level == Level::User
    }

    /// The settings with our entry.
    ///
    /// # Errors
    /// They are broken, or hold something else in its place.
    pub fn install(&self, text: &str, wanted: &Wanted<'_>) -> Result<Change, Trouble> {
        if self.is_toml(wanted.level) {
            return notify::install(text, wanted.program);
        }
        let is_new = text.trim().is_empty();
        let mut new = if is_new { "{}\n".to_owned() } else { text.to_owned() };
        let told = self.told.iter().map(|event| (*event, None));
        let told = told.chain(self.told_of.map(|(event, tool)| (event, Some(tool))));
        let told = told.filter(|_| wanted.has_events);
        for (event, tool) in self.ends.iter().map(|event| (*event, None)).chain(told) {
            let root = self.parse(&new)?;
            if self.calls(&root)?.iter().any(|it| it.event == event) {
                continue;
            }
            let entry = self.entry(wanted, tool);
            new = match root.get("hooks") {
                None => json::add(&new, &root, Some("hooks"), &json!({event: [entry]})),
                Some(hooks) => match hooks.get(event) {
                    None => json::add(&new, hooks, Some(event), &json!([entry])),
                    Some(list) => json::add(&new, list, None, &entry),
                },
            };
        }
        Ok(if new == text { Change::None } else { Change::Write(new) })
    }

    /// The settings without any entry of ours.
    ///
    /// # Errors
    /// They are broken.
    pub fn uninstall(&self, text: &str, level: Level) -> Result<Change, Trouble> {
        if self.is_toml(level) {
            return notify::uninstall(text);
        }
        if text.trim().is_empty() {
            return Ok(Change::None);
        }
        let mut new = text.to_owned();
        loop {
            let root = self.parse(&new)?;
            let Some(call) = self.calls(&root)?.into_iter().next() else { break };
            // What holds nothing but ours goes with it.
            let (container, part) = call.largest();
            new = json::remove(&new, container, part);
        }
        Ok(match &*new {
            _ if new == text => Change::None,
            "{}\n" => Change::Remove,
            _ => Change::Write(new),
        })
    }

    /// When it calls us, and by which command; empty where it does not.
    ///
    /// # Errors
    /// The settings are broken.
    pub fn called(&self, text: &str, level: Level) -> Result<Vec<(String, String)>, Trouble> {
        if self.is_toml(level) {
            let command = notify::command(text)?;
            return Ok(command.into_iter().map(|it| ("notify".to_owned(), it)).collect());
        }
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        let root = self.parse(text)?;
        Ok(self.calls(&root)?.into_iter().map(|it| (it.event, it.command)).collect())
    }

    fn parse(&self, text: &str) -> Result<Node, Trouble> {
        let root = json::parse(text, self.has_comments)?;
        match root.kind {
            json::Kind::Object(_) => Ok(root),
            _ => Err(strange("it is no object in braces")),
        }
    }

    fn entry(&self, wanted: &Wanted<'_>, tool: Option<&str>) -> Value {
        let mut hook = serde_json::Map::new();
        if self.has_names {
            hook.insert("name".to_owned(), "log-usage".into());
        }
        hook.insert("type".to_owned(), "command".into());
        hook.insert("command".to_owned(), self.command(wanted).into());
        hook.insert("timeout".to_owned(), self.timeout.into());
        match tool {
            Some(tool) => json!({"matcher": tool, "hooks": [hook]}),
            None => json!({"hooks": [hook]}),
        }
    }

    /// The command, for the agent's shell. Settings of a project reach people who have no log-usage.
    fn command(&self, wanted: &Wanted<'_>) -> String {
        let call = format!("{} hook {}", shell_word(wanted.program), self.name);
        match wanted.level {
            Level::Project if cfg!(unix) => {
                let program = shell_word(wanted.program);
                format!("command -v {program} > /dev/null && {call} || true")
            }
            _ => call,
        }
    }

    /// Every entry of ours.
    fn calls<'a>(&self, root: &'a Node) -> Result<Vec<Call<'a>>, Trouble> {
        let Some(hooks) = root.get("hooks") else { return Ok(Vec::new()) };
        let json::Kind::Object(members) = &hooks.kind else {
            return Err(strange("hooks is no object in braces"));
        };
        let member = |node: &Node, of: &Node| match &of.kind {
            json::Kind::Object(all) => all.iter().position(|(.., it)| it == node).unwrap_or(0),
            _ => 0,
        };
        let mut calls = Vec::new();
        for (at, (event, _, list)) in members.iter().enumerate() {
            let is_ours = |it: &&str| *it == event.as_str();
            let groups = match list.elements() {
                Some(groups) => groups,
                None if self.ends.iter().chain(self.told).any(is_ours)
                    || self.told_of.iter().any(|(event, _)| is_ours(event)) =>
                {
                    return Err(strange(&format!("hooks.{event} is no list in brackets")));
                }
                None => continue,
            };
            for (group, node) in groups.iter().enumerate() {
                let Some(handlers) = node.get("hooks") else { continue };
                for (handler, it) in handlers.elements().unwrap_or_default().iter().enumerate() {
                    let command = it.get("command").and_then(Node::text).unwrap_or_default();
                    if is_call(command, self.name) {
                        calls.push(Call {
                            event: event.clone(),
                            command: command.to_owned(),
                            way: [
                                (root, member(hooks, root)),
                                (hooks, at),
                                (list, group),
                                (handlers, handler),
                            ],
                        });
                    }
                }
            }
        }
        Ok(calls)
    }
}

/// An entry of ours.
struct Call<'a> {
    event: String,
    command: String,
    /// From the root to the entry: what holds what, and as which part.
    way: [(&'a Node, usize); 4],
}

impl<'a> Call<'a> {
    /// The outermost thing, but for the root, that holds nothing but this entry.
    fn largest(&self) -> (&'a Node, usize) {
        let size = |node: &Node| match &node.kind {
            json::Kind::Object(members) => members.len(),
            json::Kind::Array(elements) => elements.len(),
            json::Kind::Text(_) | json::Kind::Other => 0,
        };
        let mut way = self.way.into_iter().rev();
        let mut largest = way.next().unwrap_or(self.way[0]);
        for outer in way {
            if size(largest.0) > 1 {
                break;
            }
            largest = outer;
        }
        largest
    }
}

fn strange(problem: &str) -> Trouble {
    Trouble { line: None, problem: problem.to_owned(), fix: MEND }
}

/// Whether a command calls us for this agent.
fn is_call(command: &str, agent: &str) -> bool {
    let call = format!(" hook {agent}");
    command.match_indices(&call).any(|(at, _)| {
        let before = command[..at].trim_end_matches(['"', '\'']);
        let behind = command[at + call.len()..].chars().next();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
        before.trim_end_matches(".exe").ends_with("log-usage") && !behind.is_some_and(is_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: Wanted<'static> =
        Wanted { level: Level::User, program: "log-usage", has_events: false };

    fn written(change: Change) -> String {
        match change {
            Change::Write(text) => text,
            other => panic!("{other:?}"),
        }
    }

    /// Install, install again, and uninstall.
    fn there_and_back(agent: &Agent, text: &str, has_events: bool) -> String {
        let wanted = Wanted { level: Level::Project, has_events, ..USER };
        let new = written(agent.install(text, &wanted).unwrap());
        assert_eq!(agent.install(&new, &wanted), Ok(Change::None));
        let back = agent.uninstall(&new, Level::Project).unwrap();
        match back {
            Change::Remove => assert!(text.trim().is_empty() || text == "{}\n", "{text}"),
            back => assert_eq!(written(back), text),
        }
        new
    }

    #[test]
    fn whatever_is_there_is_there_afterwards() {
        for agent in &AGENTS {
            for text in [
                "",
                "{}\n",
                "{\"model\": \"opus\", \"x\": {\"hooks\": 1}}",
                "{\n    \"permissions\": {\"allow\": []},\n    \"hooks\": {\n        \"Stop\": [\n            {\"hooks\": [{\"type\": \"command\", \"command\": \"say log-usage\"}]}\n        ]\n    }\n}\n",
                "{\"hooks\":{\"AfterAgent\":[{\"matcher\":\"*\",\"hooks\":[{\"command\":\"./a.sh\"}]}]},\"z\":1}",
                "{\r\n\t\"hooks\": {\r\n\t\t\"Other\": 1\r\n\t}\r\n}",
            ] {
                let few = there_and_back(agent, text, false);
                let many = there_and_back(agent, text, true);
                assert!(many.len() > few.len());
                assert_eq!(agent.called(&few, Level::Project).unwrap().len(), agent.ends.len());
            }
        }
    }

    #[test]
    fn what_we_were_put_beside_stays() {
        let text = r#"{"hooks":{"Stop":[{"hooks":[{"command":"a"},{"command":"\"/x y/log-usage\" hook claude-code"},{"command":"b"}]}]}}"#;
        let left = written(AGENTS[0].uninstall(text, Level::User).unwrap());
        assert_eq!(left, r#"{"hooks":{"Stop":[{"hooks":[{"command":"a"},{"command":"b"}]}]}}"#);
    }

    #[test]
    fn only_a_call_of_ours_is_one() {
        assert!(is_call("log-usage hook codex", "codex"));
        assert!(is_call("'/a b/log-usage' hook codex || true", "codex"));
        assert!(!is_call("log-usage hook codex-2", "codex"));
        assert!(!is_call("my-log-hook hook codex", "codex"));
        assert!(!is_call("log-usage import codex", "codex"));
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        for text in ["[1]", "{\"hooks\": 1}", "{\"hooks\": {\"Stop\": {}}}", "{\n\"a\" 1}"] {
            assert!(AGENTS[0].install(text, &USER).is_err(), "{text}");
        }
        assert_eq!(AGENTS[0].install("{\n\"a\" 1}", &USER).unwrap_err().line, Some(2));
        // What is no place of ours is left alone.
        assert!(AGENTS[0].install("{\"hooks\": {\"Foreign\": {}}}", &USER).is_ok());
    }
}
