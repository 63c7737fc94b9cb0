//! Work that is shared among threads: each takes the next piece until none is left.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// More threads would need more memory than they save time.
const THREADS_MAX: usize = 8;

/// How many threads this process may run at once.
pub fn count() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX)
}

/// Does something to each, side by side; what comes of it, in order.
pub fn each<T: Send, U: Send>(items: Vec<T>, work: impl Fn(T) -> U + Sync) -> Vec<U> {
    let work = &work;
    match items.len() {
        0 | 1 => items.into_iter().map(work).collect(),
        _ => thread::scope(|scope| {
            let begun: Vec<_> =
                items.into_iter().map(|item| scope.spawn(move || work(item))).collect();
            begun
                .into_iter()
                .map(|it| it.join().unwrap_or_else(|panic| resume_unwind(panic)))
                .collect()
        }),
    }
}

/// Gives every piece to one of the workers, in order; the workers, with what they have done.
pub fn share<T: Sync, W: Send>(
    threads: usize,
    pieces: &[T],
    worker: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, usize, &T) + Sync,
) -> Vec<W> {
    let next = AtomicUsize::new(0);
    let run = || {
        let mut worker = worker();
        while let number = next.fetch_add(1, Ordering::Relaxed)
            && let Some(piece) = pieces.get(number)
        {
            work(&mut worker, number, piece);
        }
        worker
    };
    match threads.min(pieces.len()) {
        0 | 1 => vec![run()],
        threads => thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
            let mut workers = vec![run()];
            for other in others {
                workers.push(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            workers
        }),
    }
}
