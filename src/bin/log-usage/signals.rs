//! Waits for a child as if it stood in our place: a signal sent to us alone goes on to it, one from
//! the terminal it has got itself, and where it stops, we stop. Both are in one process group, so
//! that the shell's job control sees them as one.

use std::fs::File;
use std::io::{self, Read};
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use rustix::process::{getpgrp, kill_process, waitid};
use rustix::termios::tcgetpgrp;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGSTOP, SIGTERM};
use signal_hook::consts::{SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level;
use signal_hook::low_level::siginfo::Origin;

/// What is meant for the child, and would end or stop us if we did not take it.
const PASSED_ON: [i32; 8] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH];

/// The shell continues a whole group in one go, but not at one instant: a child that is stopped for
/// longer was stopped alone.
const GROUP_CONTINUES_WITHIN: Duration = Duration::from_millis(20);

/// What became of a child.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Stopped,
    Ended,
}

/// Listens for signals.
pub(crate) struct Watch {
    signals: SignalsInfo<WithOrigin>,
    /// What is listened for as soon as the child has started.
    later: Vec<i32>,
}

impl Watch {
    /// Begins to listen, before the child is started. A signal that we were told to ignore, as
    /// nohup does it, the child must be told to ignore, too; it would not be if we took it now.
    pub(crate) fn begin() -> io::Result<Watch> {
        let ignored = ignored();
        let is_later = |signal: &i32| ignored.is_none_or(|mask| mask >> (signal - 1) & 1 == 1);
        let (later, mut now): (Vec<i32>, Vec<i32>) = PASSED_ON.into_iter().partition(is_later);
        now.push(SIGCHLD);
        Ok(Watch { signals: SignalsInfo::new(now)?, later })
    }

    /// Waits for the child's end.
    pub(crate) fn wait(mut self, child: &mut Child) -> io::Result<ExitStatus> {
        for signal in &self.later {
            self.signals.add_signal(*signal)?;
        }
        let pid = Pid::from_child(child);
        let mut is_stopping = false;
        loop {
            match state(pid)? {
                State::Ended => return child.wait(),
                // Without a shell that waits for us nobody would let us continue.
                State::Stopped if is_stopping || is_in_foreground() => {
                    stop_with(pid)?;
                    is_stopping = false;
                    continue;
                }
                State::Stopped | State::Running => {}
            }
            for origin in self.signals.wait() {
                is_stopping |= origin.signal == SIGTSTP;
                if is_for_us_alone(&origin, pid)
                    && let Some(signal) = Signal::from_named_raw(origin.signal)
                {
                    // It may have ended by now.
                    let _ = kill_process(pid, signal);
                }
            }
        }
    }
}

/// Whether the child has not got it. The kernel sends what comes from the terminal to the whole
/// group, and so does a child that ends all around it with `kill 0`.
fn is_for_us_alone(origin: &Origin, child: Pid) -> bool {
    let is_from = |it: &signal_hook::low_level::siginfo::Process| it.pid != child.as_raw_pid();
    origin.signal != SIGCHLD && origin.process.as_ref().is_some_and(is_from)
}

/// Looks at the child, and leaves it to be waited for.
fn state(child: Pid) -> io::Result<State> {
    let options = WaitIdOptions::EXITED
        | WaitIdOptions::STOPPED
        | WaitIdOptions::NOHANG
        | WaitIdOptions::NOWAIT;
    Ok(match waitid(WaitId::Pid(child), options)? {
        None => State::Running,
        Some(status) if status.stopped() => State::Stopped,
        Some(_) => State::Ended,
    })
}

/// Stops as the child did, so that the shell takes the terminal back; and continues it when the
/// shell continues us.
fn stop_with(child: Pid) -> io::Result<()> {
    thread::sleep(GROUP_CONTINUES_WITHIN);
    if state(child)? != State::Stopped {
        return Ok(());
    }
    low_level::raise(SIGSTOP)?;
    if state(child)? == State::Stopped {
        let _ = kill_process(child, Signal::CONT);
    }
    Ok(())
}

/// Whether a shell gave us the terminal.
fn is_in_foreground() -> bool {
    let group = File::open("/dev/tty").ok().and_then(|terminal| tcgetpgrp(terminal).ok());
    group == Some(getpgrp())
}

/// The signals that we ignore, the first in the lowest bit; None where the system does not say.
fn ignored() -> Option<u64> {
    // In one piece, which is told its length by nobody.
    let mut status = String::with_capacity(4 << 10);
    File::open("/proc/self/status").ok()?.read_to_string(&mut status).ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}
