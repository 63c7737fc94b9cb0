//! A terminal that follows a ledger as it grows. It sleeps until a file changes, a key is hit, the window is resized, or a day ends.

use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::path::{MAIN_SEPARATOR, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use notify::event::EventKind;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;
use terminal_size::{Height, Width, terminal_size};
use usage_ledger::error::{Error, Result};
use usage_ledger::render::glance::lines;
use usage_ledger::report::glance::Glance;

use crate::world;

/// The ledger is read at most so often, however fast it grows: people see no more.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// What a terminal shows that does not say how large it is.
const SIZE: (usize, usize) = (80, 24);

/// A screen of our own: what stood there comes back with the other one.
const OWN_SCREEN: &str = "\x1b[?1049h";
const USUAL_SCREEN: &str = "\x1b[?1049l";

const HIDE_CURSOR: &str = "\x1b[?25l";
const SHOW_CURSOR: &str = "\x1b[?25h";
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// Bytes of Ctrl-C and Ctrl-D.
const END_KEYS: [u8; 4] = [b'q', b'Q', 3, 4];

/// What wakes us.
enum Event {
    Changed,
    Resized,
    End,
}

/// What is followed.
pub(crate) struct Followed<'a> {
    /// Reads the ledger.
    pub(crate) look: &'a dyn Fn() -> Result<Glance>,
    /// The folders whose files it is made of; those that are not there yet are looked for again.
    pub(crate) folders: Vec<PathBuf>,
}

impl Followed<'_> {
    /// What went wrong, in one sentence, which is not to begin with a path that fills the line.
    fn told(&self, error: &Error) -> String {
        let told = error.to_string();
        let told = told.lines().next().unwrap_or_default().to_owned();
        let without = |told: String, folder: &PathBuf| {
            told.replace(&format!("{}{MAIN_SEPARATOR}", folder.display()), "")
        };
        self.folders.iter().fold(told, without)
    }
}

/// Follows a ledger until somebody ends it.
pub(crate) fn follow(followed: &Followed<'_>) -> Result<ExitCode> {
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return Err(Error::Usage {
            problem: "watch needs a terminal".to_owned(),
            fix: "usage-report, or usage-report --format table".to_owned(),
        });
    }
    // What cannot be read at all is said on a terminal as it was.
    let mut glance = (followed.look)()?;
    let (sender, events) = channel();
    let mut watched = Watched::begin(sender.clone()).map_err(|error| fail(&error))?;
    watched.follow(&followed.folders);
    let screen = Screen::begin().map_err(|error| io_fail(&error))?;
    listen(sender).map_err(|error| io_fail(&error))?;
    let mut read_at = Instant::now();
    let (mut due, mut is_stale) = (None, true);
    loop {
        // Where nobody looks any more, that is the end.
        if is_stale && screen.draw(&glance).is_err() {
            return Ok(ExitCode::SUCCESS);
        }
        is_stale = true;
        match next(&events, due) {
            Some(Event::End) => return Ok(ExitCode::SUCCESS),
            Some(Event::Resized) => {}
            Some(Event::Changed) => {
                due.get_or_insert(read_at + READ_AGAIN_AFTER);
                is_stale = false;
            }
            None => {
                (read_at, due) = (Instant::now(), None);
                watched.follow(&followed.folders);
                match (followed.look)() {
                    Ok(found) => glance = found,
                    // git takes files away for a moment: what comes back is a change too.
                    Err(error) => glance.problem = Some(followed.told(&error)),
                }
            }
        }
    }
}

/// The next event; None when it is time to read.
fn next(events: &Receiver<Event>, due: Option<Instant>) -> Option<Event> {
    let now = Instant::now();
    let wait = due.map_or_else(until_tomorrow, |due| due.saturating_duration_since(now));
    match events.recv_timeout(wait) {
        Ok(event) => Some(event),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => Some(Event::End),
    }
}

/// Until a little after midnight by the viewer's clock.
fn until_tomorrow() -> Duration {
    let now = world::now();
    let seconds = now.to_string();
    let clock = |at: usize| seconds.get(at..at + 2).and_then(|it| it.parse::<u64>().ok());
    let passed = clock(11).zip(clock(14)).zip(clock(17));
    let passed = passed.map_or(0, |((hour, minute), second)| hour * 3600 + minute * 60 + second);
    Duration::from_secs(24 * 3600 + 1 - passed)
}

/// Listens for keys and signals.
fn listen(sender: Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM, SIGWINCH])?;
    let of_signals = sender.clone();
    thread::spawn(move || {
        for signal in signals.forever() {
            let event = if signal == SIGWINCH { Event::Resized } else { Event::End };
            if of_signals.send(event).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        let mut key = [0];
        // A terminal that is gone gives no more keys.
        while matches!(io::stdin().read(&mut key), Ok(1)) && !END_KEYS.contains(&key[0]) {}
        let _ = sender.send(Event::End);
    });
    Ok(())
}

/// The folders that are watched.
struct Watched {
    watcher: RecommendedWatcher,
    folders: Vec<PathBuf>,
}

impl Watched {
    fn begin(sender: Sender<Event>) -> notify::Result<Watched> {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // To read a file is an event too, and we read.
            let is_change = event.is_ok_and(|it| !matches!(it.kind, EventKind::Access(_)));
            if is_change {
                let _ = sender.send(Event::Changed);
            }
        })?;
        Ok(Watched { watcher, folders: Vec::new() })
    }

    /// Watches those that are there.
    fn follow(&mut self, folders: &[PathBuf]) {
        for folder in folders {
            let is_new = !self.folders.contains(folder);
            if is_new && self.watcher.watch(folder, RecursiveMode::NonRecursive).is_ok() {
                self.folders.push(folder.clone());
            }
        }
    }
}

/// A terminal that gives single keys and shows no cursor, until it is dropped.
struct Screen {
    before: Termios,
}

impl Screen {
    fn begin() -> io::Result<Screen> {
        let before = tcgetattr(io::stdin().as_fd())?;
        let mut now = before.clone();
        now.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &now)?;
        let screen = Screen { before };
        let mut out = io::stdout().lock();
        write!(out, "{OWN_SCREEN}{HIDE_CURSOR}{HOME}{CLEAR_BELOW}")?;
        out.flush()?;
        Ok(screen)
    }

    fn draw(&self, glance: &Glance) -> io::Result<()> {
        let size = terminal_size();
        let size =
            size.map_or(SIZE, |(Width(width), Height(height))| (width.into(), height.into()));
        let lines = lines(glance, size);
        let text = lines.join(&format!("{CLEAR_LINE}\r\n"));
        let mut out = io::stdout().lock();
        write!(out, "{HOME}{text}{CLEAR_LINE}{CLEAR_BELOW}")?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut out = io::stdout().lock();
        let _ = write!(out, "{SHOW_CURSOR}{USUAL_SCREEN}");
        let _ = out.flush();
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Flush, &self.before);
    }
}

fn fail(error: &notify::Error) -> Error {
    io_fail(&io::Error::other(error.to_string()))
}

fn io_fail(error: &io::Error) -> Error {
    Error::io("watch", "the terminal".as_ref(), error)
}
