//! `log-usage event -`: events that a running program pipes in. The program never waits for a disk or
//! a lock: one thread reads and checks, another writes, and between them a queue that has an end.

use std::io::{self, IsTerminal, Read};
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use usage_ledger::error::{Error, Result};
use usage_ledger::event::Event;
use usage_ledger::figures;
use usage_ledger::intake::events::{Checker, Draft, Gate};
use usage_ledger::ledger::events::Written;
use usage_ledger::redact::withheld::Withheld;
use usage_ledger::row::Refused;
use usage_ledger::timestamp::Timestamp;

use crate::record::{Sink, say_not_recorded, tell_torn, told};
use crate::redact;
use crate::voice;
use crate::world::{self, Target};
use crate::write::tell_withheld;

/// A write for so many costs each next to nothing.
const FLUSH_EVENTS: usize = 1_000;

/// Whoever looks at the events meanwhile sees those of a second ago.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

/// So many wait while the disk or the lock is slow: some 30 MB. More are dropped, and counted.
const QUEUE_EVENTS_MAX: usize = 100_000;

/// And of events as long as lines may be, so much text: some 4,000.
const QUEUE_TEXT_BYTES_MAX: usize = 64 << 20;

/// How long the program that pipes is held up, at most, where the queue is full: who writes as fast as
/// it can, from a file, loses nothing, and who writes to a disk that hangs does not hang with it.
const STALL: Duration = Duration::from_secs(1);

/// How much is read in one go; as much as a pipe holds.
const READ_BYTES: usize = 64 << 10;

/// Before its texts are cut a line may be longer than it is stored.
const LINE_BYTES_MAX: usize = 256 << 10;

/// How many bad lines are named.
const BAD_SHOWN_MAX: u64 = 20;

/// What every line has that does not say otherwise.
pub(crate) struct Every {
    pub(crate) correlation: Option<String>,
    pub(crate) session: Option<String>,
}

/// Between the thread that reads and the one that writes.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<Event>,
    /// How much text they hold.
    text_bytes: usize,
    /// How many found no room.
    lost: u64,
    /// There was no room for a while, and still is none.
    is_stalled: bool,
    /// Somebody wants to see what there is.
    is_flushed: bool,
    /// Nothing more will come.
    has_ended: bool,
    /// Everything that came is written, but for so many.
    failed: Option<u64>,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        // Counts and lists are whole, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, events: &mut Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let mut state = self.state();
        if !state.is_stalled {
            let text_bytes: usize = events.iter().map(Event::text_bytes).sum();
            let is_full = |state: &mut State| {
                let is_full = state.waiting.len() + events.len() > QUEUE_EVENTS_MAX
                    || state.text_bytes + text_bytes > QUEUE_TEXT_BYTES_MAX;
                is_full && !state.has_ended
            };
            let waited = self.changed.wait_timeout_while(state, STALL, is_full);
            let (after, wait) = waited.unwrap_or_else(PoisonError::into_inner);
            state = after;
            state.is_stalled = wait.timed_out();
        }
        let was_empty = state.waiting.is_empty();
        for event in events.drain(..) {
            let text_bytes = state.text_bytes + event.text_bytes();
            if state.waiting.len() < QUEUE_EVENTS_MAX && text_bytes <= QUEUE_TEXT_BYTES_MAX {
                state.text_bytes = text_bytes;
                state.waiting.push(event);
            } else {
                state.lost += 1;
            }
        }
        if was_empty || state.waiting.len() >= FLUSH_EVENTS {
            self.changed.notify_all();
        }
    }

    fn tell(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    /// Waits for events that are worth a write; whether more may come.
    fn take(&self) -> (Vec<Event>, bool) {
        let is_idle = |state: &mut State| state.waiting.is_empty() && !state.has_ended;
        let state = self.changed.wait_while(self.state(), is_idle);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let is_short = |state: &mut State| {
            state.waiting.len() < FLUSH_EVENTS && !state.has_ended && !state.is_flushed
        };
        let waited = self.changed.wait_timeout_while(state, FLUSH_AFTER, is_short);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (state.is_flushed, state.is_stalled) = (false, false);
        state.text_bytes = 0;
        let waiting = std::mem::take(&mut state.waiting);
        self.changed.notify_all();
        (waiting, !state.has_ended)
    }
}

/// What was written, and what was not.
#[derive(Default)]
struct Sum {
    written: Written,
    failed: u64,
    error: Option<Error>,
}

impl Sum {
    fn add(&mut self, written: Written) {
        self.written.written += written.written;
        self.written.dropped = self.written.dropped.plus(written.dropped);
        self.written.outcome.torn_bytes += written.outcome.torn_bytes;
        self.written.expired += written.expired;
    }
}

/// Writes what comes until nothing more will.
fn write(gate: &Gate<'_>, queue: &Queue) -> Sum {
    let mut sum = Sum::default();
    let mut untold = 0;
    loop {
        let (mut events, may_come) = queue.take();
        let lost = std::mem::take(&mut queue.state().lost);
        sum.failed += lost;
        untold += lost;
        if !events.is_empty() {
            match gate.append(&mut events, world::now(), untold) {
                Ok(written) => {
                    // Where the limits let none through, their tally tells it.
                    untold = 0;
                    sum.add(written);
                }
                Err(error) => {
                    let failed = events.len() as u64;
                    sum.failed += failed;
                    untold += failed;
                    sum.error = Some(error);
                }
            }
        }
        if !may_come {
            return sum;
        }
    }
}

/// Lines out of standard input, as they come.
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
    number: u64,
    is_too_long: bool,
}

impl Lines {
    /// Takes what was read, and gives each whole line with its number; None for one that is too long.
    fn push(&mut self, mut bytes: &[u8], line: &mut dyn FnMut(u64, Option<&[u8]>)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (rest, after) = (&bytes[..end], &bytes[end + 1..]);
            bytes = after;
            if self.begun.is_empty() && !self.is_too_long && rest.len() <= LINE_BYTES_MAX {
                self.number += 1;
                line(self.number, Some(rest));
            } else {
                self.go_on(rest);
                self.end(line);
            }
        }
        self.go_on(bytes);
    }

    fn go_on(&mut self, bytes: &[u8]) {
        self.is_too_long |= self.begun.len() + bytes.len() > LINE_BYTES_MAX;
        match self.is_too_long {
            true => self.begun.clear(),
            false => self.begun.extend_from_slice(bytes),
        }
    }

    /// The end of a line, or of the input.
    fn end(&mut self, line: &mut dyn FnMut(u64, Option<&[u8]>)) {
        if self.begun.is_empty() && !self.is_too_long {
            return;
        }
        self.number += 1;
        let whole = Some(&*self.begun).filter(|_| !self.is_too_long);
        line(self.number, whole);
        self.begun.clear();
        self.is_too_long = false;
    }
}

/// Reads standard input to its end.
struct Reader<'a> {
    checker: Checker<'a>,
    every: &'a Every,
    quiet: bool,
    withheld: Withheld,
    bad: u64,
}

impl Reader<'_> {
    fn read(&mut self, input: &mut dyn Read, found: &mut dyn FnMut(Vec<Event>)) -> io::Result<()> {
        let mut lines = Lines::default();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read = match input.read(&mut buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let mut events = Vec::new();
            let now = world::now();
            let mut line = |number: u64, line: Option<&[u8]>| {
                let checked = match line {
                    Some(line) if line.trim_ascii().is_empty() => return,
                    Some(line) => self.check(line, now),
                    None => Err(Refused::line("is longer than 256 KiB")),
                };
                match checked {
                    Ok(event) => events.push(event),
                    Err(refused) => self.skip(number, &refused),
                }
            };
            match read {
                0 => lines.end(&mut line),
                read => lines.push(&buffer[..read], &mut line),
            }
            found(events);
            if read == 0 {
                return Ok(());
            }
        }
    }

    fn check(&mut self, line: &[u8], now: Timestamp) -> Result<Event, Refused> {
        let mut draft = Draft::parse(line)?;
        let Every { correlation, session } = self.every;
        draft.correlation = draft.correlation.or(correlation.as_deref().map(Into::into));
        draft.session = draft.session.or(session.as_deref().map(Into::into));
        self.checker.check(&draft, now, &mut self.withheld)
    }

    fn skip(&mut self, number: u64, refused: &Refused) {
        self.bad += 1;
        if self.bad <= BAD_SHOWN_MAX && !self.quiet {
            voice::say(&format!("skipped  standard input:{number}: {refused}"));
        }
    }
}

pub(crate) fn run(
    target: &Target,
    every: &Every,
    is_rehearsal: bool,
    quiet: bool,
) -> Result<ExitCode> {
    let sink = Sink::beside(target)?;
    if let Some(why) = sink.refused().filter(|_| !is_rehearsal) {
        say_not_recorded(&why, quiet);
        // Who writes into a closed pipe is killed.
        return io::copy(&mut io::stdin().lock(), &mut io::sink())
            .map(|_| ExitCode::SUCCESS)
            .map_err(|error| Error::io("read", "standard input".as_ref(), &error));
    }
    let redactor = redact::redactor(&sink.config);
    let mut reader = Reader {
        checker: Checker::new(&redactor, sink.user.clone(), sink.key.as_ref()),
        every,
        quiet,
        withheld: Withheld::default(),
        bad: 0,
    };
    let refuse = |error: io::Error| Error::io("read", "standard input".as_ref(), &error);
    let mut input = io::stdin().lock();
    if is_rehearsal {
        let mut text = String::new();
        reader
            .read(&mut input, &mut |events| {
                for event in events {
                    event.write_line(&mut text);
                    text.push('\n');
                }
            })
            .map_err(refuse)?;
        tell_of(&reader, quiet);
        let printed = voice::print(text.as_bytes());
        return Ok(if reader.bad > 0 { ExitCode::from(3) } else { printed });
    }
    let queue = Arc::new(Queue::default());
    watch_signals(&queue);
    let gate = sink.gate();
    let (read, sum) = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let sum = write(&gate, &queue);
            queue.tell(|state| state.failed = Some(sum.failed));
            sum
        });
        let read = reader.read(&mut input, &mut |mut events| queue.push(&mut events));
        queue.tell(|state| state.has_ended = true);
        (read, writer.join())
    });
    let sum = sum.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    tell_of(&reader, quiet);
    if !quiet {
        tell_torn(&sum.written, &sink.place);
        if io::stderr().is_terminal() {
            voice::say(&told(&sum.written));
        }
    }
    read.map_err(refuse)?;
    if sum.failed > 0 {
        say_failed(sum.failed);
        let Some(error) = sum.error else { return Ok(ExitCode::from(1)) };
        return Err(error);
    }
    Ok(if reader.bad > 0 { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

/// What was kept out of texts, and how many bad lines are not named.
fn tell_of(reader: &Reader<'_>, quiet: bool) {
    if quiet {
        return;
    }
    tell_withheld(&reader.withheld);
    if let Some(more) = reader.bad.checked_sub(BAD_SHOWN_MAX).filter(|more| *more > 0) {
        voice::say(&format!("skipped  {} more lines", figures::thousands(more.into())));
    }
}

fn say_failed(failed: u64) {
    let noun = if failed == 1 { "event was" } else { "events were" };
    voice::say(&format!("warning: {} {noun} not written", figures::thousands(failed.into())));
}

/// Signals that say nothing about the program that pipes into us: a terminal sends them to both, and
/// the other may still have something to say. What waits is written at once.
#[cfg(unix)]
const FLUSHING: [i32; 2] = [signal::HANGUP, signal::INTERRUPT];

/// Numbers that every Unix agrees on.
#[cfg(unix)]
mod signal {
    pub(super) const HANGUP: i32 = 1;
    pub(super) const INTERRUPT: i32 = 2;
    pub(super) const TERMINATE: i32 = 15;
}

/// Whoever ends us, or presses Ctrl-C, loses nothing that was read. Where signals cannot be caught, what
/// is lost is what waits: a second's worth.
#[cfg(unix)]
fn watch_signals(queue: &Arc<Queue>) {
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicBool, Ordering};

    let Ok((mut caught, sent)) = UnixStream::pair() else { return };
    // Typed by hand, a line is no other program's.
    let ends = match io::stdin().is_terminal() {
        true => vec![signal::TERMINATE, signal::INTERRUPT],
        false => vec![signal::TERMINATE],
    };
    let is_ending = Arc::new(AtomicBool::new(false));
    for number in &ends {
        let _ = signal_hook::flag::register(*number, Arc::clone(&is_ending));
    }
    for number in ends.iter().chain(&FLUSHING) {
        let Ok(sent) = sent.try_clone() else { return };
        let _ = signal_hook::low_level::pipe::register(*number, sent);
    }
    let queue = Arc::clone(queue);
    thread::spawn(move || {
        let mut bytes = [0; 16];
        while caught.read(&mut bytes).is_ok_and(|read| read > 0) {
            if !is_ending.load(Ordering::SeqCst) {
                queue.tell(|state| state.is_flushed = true);
                continue;
            }
            queue.tell(|state| state.has_ended = true);
            let is_busy = |state: &mut State| state.failed.is_none();
            let state = queue.changed.wait_while(queue.state(), is_busy);
            let failed = state.unwrap_or_else(PoisonError::into_inner).failed;
            failed.filter(|failed| *failed > 0).into_iter().for_each(say_failed);
            let _ = signal_hook::low_level::emulate_default_handler(signal::TERMINATE);
        }
    });
}

#[cfg(not(unix))]
fn watch_signals(_: &Arc<Queue>) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_however_they_arrive() {
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        let text = format!("one\n\n{long}\nfour\nfive");
        for step in [1, 3, 7, 1_000, READ_BYTES, text.len()] {
            let mut lines = Lines::default();
            let mut seen = Vec::new();
            let mut line = |number: u64, line: Option<&[u8]>| {
                seen.push((number, line.map(|line| String::from_utf8_lossy(line).into_owned())));
            };
            text.as_bytes().chunks(step).for_each(|bytes| lines.push(bytes, &mut line));
            lines.end(&mut line);
            let whole = |number, text: &str| (number, Some(text.to_owned()));
            let (one, four, five) = (whole(1, "one"), whole(4, "four"), whole(5, "five"));
            assert_eq!(seen, [one, whole(2, ""), (3, None), four, five]);
        }
    }

    fn event() -> Event {
        let line = "{\"v\":1,\"id\":\"019c8c95-c8e3-7000-bfff-ffffffffffff\",\
            \"timestamp\":\"2026-02-23T22:19:12Z\",\"name\":\"a.b\",\"correlation\":\"c\"}";
        Event::parse(line).unwrap()
    }

    #[test]
    fn a_full_queue_counts_what_it_has_no_room_for() {
        let queue = Queue::default();
        queue.push(&mut vec![event(); QUEUE_EVENTS_MAX - 1]);
        queue.push(&mut vec![event(); 5]);
        assert!(queue.state().is_stalled);
        let (events, may_come) = queue.take();
        assert_eq!((events.len(), queue.state().lost, may_come), (QUEUE_EVENTS_MAX, 4, true));
        let mut long = event();
        long.error = Some("x".repeat(LINE_BYTES_MAX));
        let fit = QUEUE_TEXT_BYTES_MAX / LINE_BYTES_MAX;
        queue.push(&mut vec![long.clone(); fit + 5]);
        assert_eq!(queue.state().lost, 4 + 6, "each holds some bytes more");
        assert_eq!(queue.take().0.len(), fit - 1);
        queue.push(&mut vec![long; 2]);
        queue.tell(|state| state.has_ended = true);
        assert_eq!((queue.take().0.len(), queue.take().1), (2, false));
    }

    #[test]
    fn who_writes_as_fast_as_it_can_loses_nothing() {
        let queue = Queue::default();
        let taken = thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut taken = 0;
                loop {
                    let (events, may_come) = queue.take();
                    taken += events.len();
                    if !may_come {
                        return taken;
                    }
                }
            });
            let events = vec![event(); QUEUE_EVENTS_MAX / 10];
            (0..25).for_each(|_| queue.push(&mut events.clone()));
            queue.tell(|state| state.has_ended = true);
            writer.join().unwrap()
        });
        assert_eq!((taken, queue.state().lost), (25 * QUEUE_EVENTS_MAX / 10, 0));
    }
}
