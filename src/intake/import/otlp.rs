//! OTLP JSON, as the collector's file exporter and many SDKs write it: spans of the generative AI
//! conventions. Spans of agents sum up those of their requests, so that only requests are counted.

use std::collections::BTreeMap;
use std::rc::Rc;

use hashbrown::HashSet;
use serde::Deserialize;

use crate::error::Result;
use crate::intake::import::cost::UNKNOWN_MODEL;
use crate::intake::import::homes::Homes;
use crate::intake::import::lenient::{Count, Maybe, Text};
use crate::intake::import::lines::LINE_BYTES_MAX;
use crate::intake::import::reading::{Names, Reading, hash};
use crate::intake::import::turn::{End, Request, Turn, Work, millis_between};
use crate::intake::import::usage::Usage;
use crate::intake::import::walk::{self, Group};
use crate::timestamp::Instant;

/// What the row's `source` tag says.
pub const NAME: &str = "otlp";

const ENDINGS: [&str; 3] = [".json", ".jsonl", ".ndjson"];

/// Operations that are one request each.
const REQUESTS: [&str; 3] = ["chat", "generate_content", "text_completion"];

const NANOS: u64 = 1_000_000_000;

/// The files that were named, all together: a trace may be spread over several.
pub fn find(homes: &Homes) -> Vec<Group> {
    let files: Vec<_> = homes.named.iter().flat_map(|path| walk::files(path, &ENDINGS)).collect();
    if files.is_empty() { Vec::new() } else { vec![Group { files, ..Group::default() }] }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Export<'a> {
    #[serde(borrow)]
    resource_spans: Vec<Maybe<Resource<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Resource<'a> {
    #[serde(borrow, alias = "instrumentationLibrarySpans")]
    scope_spans: Vec<Maybe<Scope<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Scope<'a> {
    #[serde(borrow)]
    spans: Vec<Maybe<Span<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Span<'a> {
    #[serde(borrow)]
    trace_id: Text<'a>,
    #[serde(borrow)]
    span_id: Text<'a>,
    start_time_unix_nano: Count,
    end_time_unix_nano: Count,
    status: Maybe<Status>,
    #[serde(borrow)]
    attributes: Vec<Maybe<Attribute<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    code: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attribute<'a> {
    #[serde(borrow)]
    key: Text<'a>,
    #[serde(borrow)]
    value: Maybe<Value<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Value<'a> {
    #[serde(borrow)]
    string_value: Text<'a>,
    int_value: Option<Count>,
    double_value: Option<Count>,
}

impl Span<'_> {
    fn value(&self, key: &str) -> Option<&Value<'_>> {
        let all = self.attributes.iter().filter_map(|it| it.0.as_ref());
        all.filter(|it| it.key.0 == key).find_map(|it| it.value.0.as_ref())
    }

    fn text(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| self.value(key)?.string_value.get())
    }

    /// The first of these that is told.
    fn count(&self, keys: &[&str]) -> Option<u64> {
        keys.iter().find_map(|key| {
            let value = self.value(key)?;
            value.int_value.or(value.double_value).map(|it| it.0)
        })
    }

    /// Input includes what was cached, and output what was thought; where it does not, it is less.
    fn usage(&self) -> Option<Usage> {
        let input = self.count(&["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"]);
        let output = self.count(&["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"]);
        if input.is_none() && output.is_none() {
            return None;
        }
        let read = self.count(&["gen_ai.usage.cache_read.input_tokens"]).unwrap_or(0);
        let written = self.count(&["gen_ai.usage.cache_creation.input_tokens"]).unwrap_or(0);
        let input = input.unwrap_or(0);
        let cached = read.saturating_add(written);
        Some(Usage {
            prompt: if cached > input { input.saturating_add(cached) } else { input },
            completion: output.unwrap_or(0),
            cache_read: read,
            cache_write: written,
            ..Usage::default()
        })
    }
}

/// One trace.
#[derive(Default)]
struct Trace {
    session: Option<String>,
    start: Option<Instant>,
    last: Option<Instant>,
    /// Whether the request that ended last failed, and when it ended.
    failed: Option<(Instant, bool)>,
    requests: Vec<Request>,
    work: Work,
    tool_errors: u64,
}

/// Reads groups of files.
///
/// # Errors
/// A file that was named cannot be read.
pub fn read(groups: &[Group], reading: &mut Reading<'_>) -> Result<Vec<Turn>> {
    let mut names = Names::default();
    let mut turns = Vec::new();
    for group in groups {
        let mut traces: BTreeMap<String, Trace> = BTreeMap::new();
        let mut seen = HashSet::new();
        for file in &group.files {
            // One object of many lines, or many of one line each.
            let whole = match file.bytes > LINE_BYTES_MAX as u64 || file.name().ends_with("l") {
                true => None,
                false => reading.whole(file)?,
            };
            if let Some(bytes) = &whole
                && let Ok(export) = serde_json::from_slice::<Export<'_>>(bytes)
            {
                take(&export, &mut traces, &mut seen, &mut names, reading);
                continue;
            }
            if whole.is_some() {
                // It is read again, line by line.
                reading.findings.files -= 1;
                reading.findings.bytes -= file.bytes;
            }
            reading.lines(file, &mut |reading, line_number, line| {
                if let Some(export) = reading.parse::<Export<'_>>(file, line_number, line) {
                    take(&export, &mut traces, &mut seen, &mut names, reading);
                }
            })?;
        }
        let of_group = traces.into_iter().filter(|(_, trace)| !trace.requests.is_empty());
        turns.extend(of_group.map(|(id, trace)| trace.turn(id, group.number)));
    }
    Ok(turns)
}

fn take(
    export: &Export<'_>,
    traces: &mut BTreeMap<String, Trace>,
    seen: &mut HashSet<u64>,
    names: &mut Names,
    reading: &mut Reading<'_>,
) {
    let resources = export.resource_spans.iter().filter_map(|it| it.0.as_ref());
    let scopes = resources.flat_map(|it| &it.scope_spans).filter_map(|it| it.0.as_ref());
    for span in scopes.flat_map(|it| &it.spans).filter_map(|it| it.0.as_ref()) {
        let operation = span.text(&["gen_ai.operation.name"]);
        let model = span.text(&["gen_ai.response.model", "gen_ai.request.model"]);
        if operation.is_none() && model.is_none() {
            continue;
        }
        let moment =
            |nanos: u64| Instant { seconds: (nanos / NANOS) as i64, nanos: (nanos % NANOS) as u32 };
        let (start, end) = (moment(span.start_time_unix_nano.0), moment(span.end_time_unix_nano.0));
        let trace = traces.entry(span.trace_id.0.to_string()).or_default();
        trace.start = Some(trace.start.unwrap_or(start).min(start));
        trace.last = trace.last.max(Some(end));
        if let Some(session) = span.text(&["gen_ai.conversation.id"]) {
            trace.session.get_or_insert_with(|| session.to_owned());
        }
        let is_failed = span.status.0.as_ref().is_some_and(|status| status.code.0 == 2)
            || span.value("error.type").is_some();
        match operation {
            Some("execute_tool") => {
                trace.work.tools = true;
                trace.tool_errors += u64::from(is_failed);
                continue;
            }
            Some(other) if !REQUESTS.contains(&other) => continue,
            _ => {}
        }
        let key = match span.text(&["gen_ai.response.id"]) {
            Some(response) => hash(&["response", response]),
            None => hash(&["span", &span.trace_id.0, &span.span_id.0]),
        };
        if !seen.insert(key) {
            reading.findings.repeated += 1;
            continue;
        }
        if trace.failed.is_none_or(|(at, _)| at <= end) {
            trace.failed = Some((end, is_failed));
        }
        reading.findings.responses += 1;
        trace.requests.push(Request {
            model: names.get(model.unwrap_or(UNKNOWN_MODEL)),
            at: end,
            usage: span.usage().unwrap_or_default(),
            count: 1,
            is_sub: false,
            cost: None,
        });
    }
}

impl Trace {
    fn turn(mut self, id: String, group: usize) -> Turn {
        self.requests.sort_by_key(|request| request.at);
        let model = self.requests.last().map(|request| request.model.clone());
        let start = self.start.unwrap_or(Instant { seconds: 0, nanos: 0 });
        let last = self.last.unwrap_or(start);
        let session: Rc<str> = self.session.as_deref().unwrap_or(&id).into();
        let is_failed = self.failed.is_some_and(|(_, failed)| failed);
        let errors = model.clone().filter(|_| self.tool_errors > 0);
        Turn {
            source: NAME,
            prefix: "",
            session,
            start,
            last,
            duration_ms: millis_between(start, last),
            end: if is_failed { End::Failed(Some("error")) } else { End::Done },
            is_followed: false,
            model,
            work: self.work,
            lacks_usage: self.requests.iter().all(|request| request.usage.total() == 0),
            is_last: false,
            requests: self.requests,
            tool_errors: errors.map(|model| (model, self.tool_errors)).into_iter().collect(),
            is_here: true,
            group,
            key: id,
        }
    }
}
