//! Makes transcripts of which the truth is known: responses streamed in pieces, copied into other
//! sessions, replayed by sub-agents; prompts, tools and lines that are cut off.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        (self.roll() >> 11) % bound
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn name(&mut self, beginning: &str) -> String {
        format!("{beginning}{:016x}{:08x}", self.roll(), self.roll() >> 32)
    }
}

/// What the transcripts hold of one folder's sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Truth {
    pub(crate) prompt: u64,
    pub(crate) completion: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_write: u64,
    pub(crate) cache_write_1h: u64,
    pub(crate) responses: u64,
    pub(crate) malformed: u64,
    pub(crate) by_model: BTreeMap<String, (u64, u64)>,
}

struct Session {
    id: String,
    folder: usize,
    text: String,
    agent: String,
    agent_text: String,
    second: u64,
}

const MODELS: [&str; 3] =
    ["claude-opus-4-5-20251101", "claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001"];

fn time(second: u64) -> String {
    let (day, rest) = (second / 86_400, second % 86_400);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("2020-10-{:02}T{hour:02}:{minute:02}:{second:02}.123Z", day + 1)
}

/// Writes sessions of two folders below `home`, and gives the truth of each folder. `pad` is about
/// how long texts are; so many turns are made.
pub(crate) fn claude_code(
    home: &Path,
    folders: [&str; 2],
    turns: usize,
    pad: usize,
    seed: u64,
) -> [Truth; 2] {
    let mut dice = Dice::new(seed);
    let mut truth = [Truth::default(), Truth::default()];
    let mut sessions: Vec<Session> = (0..8)
        .map(|number| Session {
            id: dice.name("session-"),
            folder: number % 2,
            text: "{\"type\":\"summary\",\"summary\":\"x\"}\n".to_owned(),
            agent: dice.name("agent-"),
            agent_text: String::new(),
            second: dice.below(20 * 86_400),
        })
        .collect();
    for _ in 0..turns {
        let at = dice.below(8) as usize;
        let other = (at + 2) % 8;
        let folder = sessions[at].folder;
        let of_agent = dice.chance(15);
        let is_inline = dice.chance(50);
        let cwd = folders[folder];
        let truth = &mut truth[folder];
        let envelope = |session: &mut Session, dice: &mut Dice| {
            session.second += 1 + dice.below(8);
            format!(
                "\"isSidechain\":{of_agent},\"sessionId\":\"{}\",\"cwd\":\"{cwd}\",\"uuid\":\"{}\",\
                 \"timestamp\":\"{}\"",
                session.id,
                dice.name(""),
                time(session.second)
            )
        };
        let mut lines = Vec::new();
        let text = "x".repeat(dice.below(pad as u64) as usize);
        let words = envelope(&mut sessions[at], &mut dice);
        lines.push(format!(
            "{{\"type\":\"user\",{words},\"message\":{{\"role\":\"user\",\"content\":\"do {text}\"}}}}"
        ));
        if dice.chance(2) {
            let cut = 20 + dice.below(60) as usize;
            lines.push(lines[0][..cut].to_owned());
            truth.malformed += 1;
        }
        let model = MODELS[if of_agent { 2 } else { dice.below(2) as usize }];
        for _ in 0..=dice.below(2) {
            let (input, read, output) =
                (2 + dice.below(60), dice.below(180_000), 40 + dice.below(2_400));
            let (five, hour) = (dice.below(6_000), dice.below(3) * 1_000);
            let (id, request) = (dice.name("msg_"), dice.name("req_"));
            let pieces = 1 + dice.below(3);
            let mut copies = Vec::new();
            for piece in 0..pieces {
                let is_last = piece + 1 == pieces;
                // What is streamed grows.
                let output = if is_last { output } else { output / (pieces - piece + 2) };
                let request = match dice.chance(70) {
                    true => format!("\"requestId\":\"{request}\","),
                    false => String::new(),
                };
                let stop = if is_last { "\"end_turn\"" } else { "null" };
                let words = envelope(&mut sessions[at], &mut dice);
                let text = "y".repeat(dice.below(pad as u64) as usize);
                copies.push(format!(
                    "{{\"type\":\"assistant\",{request}{words},\"message\":{{\"id\":\"{id}\",\
                     \"model\":\"{model}\",\"stop_reason\":{stop},\"content\":[{{\"type\":\"text\",\
                     \"text\":\"{text}\"}}],\"usage\":{{\"input_tokens\":{input},\
                     \"cache_creation_input_tokens\":{},\"cache_read_input_tokens\":{read},\
                     \"output_tokens\":{output},\"cache_creation\":{{\"ephemeral_5m_input_tokens\":\
                     {five},\"ephemeral_1h_input_tokens\":{hour}}},\"iterations\":[{{\
                     \"input_tokens\":{input},\"output_tokens\":{output}}}]}}}}}}",
                    five + hour
                ));
            }
            truth.responses += 1;
            truth.prompt += input + read + five + hour;
            truth.completion += output;
            truth.cache_read += read;
            truth.cache_write += five;
            truth.cache_write_1h += hour;
            let of_model =
                truth.by_model.entry(model.rsplit_once('-').unwrap().0.to_owned()).or_default();
            of_model.0 += input + read + five + hour;
            of_model.1 += output;
            lines.extend(copies.iter().cloned());
            if dice.chance(10) {
                // Another session of the same folder was forked from this one.
                let fork = copies.join("\n") + "\n";
                lines.push(String::new());
                sessions[other].text.push_str(&fork);
            }
            if dice.chance(10) {
                // A sub-agent replays it, under another request.
                let replay = copies[0]
                    .replace(&request, "req_other")
                    .replace(&format!("\"isSidechain\":{of_agent}"), "\"isSidechain\":true");
                if !of_agent {
                    sessions[at].agent_text.push_str(&(replay + "\n"));
                }
            }
        }
        let session = &mut sessions[at];
        let text = if of_agent && !is_inline { &mut session.agent_text } else { &mut session.text };
        for line in lines {
            let _ = writeln!(text, "{line}");
        }
    }
    for session in &sessions {
        let folder = home.join(format!(".claude/projects/p{}", session.folder));
        fs::create_dir_all(folder.join(&session.id).join("subagents")).unwrap();
        fs::write(folder.join(format!("{}.jsonl", session.id)), &session.text).unwrap();
        let agent = format!("{}/subagents/{}.jsonl", session.id, session.agent);
        fs::write(folder.join(agent), &session.agent_text).unwrap();
    }
    truth
}
