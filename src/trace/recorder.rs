//! What one rank notes: a tree of sums, and the events one after the other.
//!
//! The tree has a branch for each kind of span within the kind of span around it.

use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::time::Instant;

/// Events of a rank that are kept; those after them are in the sums only.
const MOST: usize = 1 << 20;

thread_local! {
    /// The recorder of the rank that this thread is, while somebody wants to know.
    pub(super) static HERE: RefCell<Option<Recorder>> = const { RefCell::new(None) };
}

/// A span that has a name, from [`mark`] until it is dropped.
#[must_use = "the span ends where this is dropped"]
pub struct Mark {
    on: bool,
    /// It belongs to the thread that has made it.
    here: PhantomData<*const ()>,
}

/// Gives a name to what this rank does until the result is dropped; marks nest.
///
/// It does nothing on a thread that is not traced.
pub fn mark(name: &str) -> Mark {
    let on = with(|recorder| recorder.enter_mark(name.to_owned())).is_some();
    Mark { on, here: PhantomData }
}

impl Drop for Mark {
    fn drop(&mut self) {
        if self.on {
            leave();
        }
    }
}

/// What a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// What a user has named.
    Mark,
    /// A block of a program.
    Block,
    /// A call that stays on its rank.
    Local,
    /// A call that communicates.
    Wire,
}

/// A kind of span.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub name: String,
    pub kind: Kind,
    /// The values of the plan that it makes.
    pub makes: String,
    /// What one such span should take; the seconds are none where nobody has foreseen them.
    pub seconds: Option<f64>,
    /// Bytes to and from memory, or sent.
    pub bytes: f64,
    /// Floating point operations.
    pub flops: f64,
}

/// Sums over all spans of one kind in one place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Branch {
    /// The branch around it; the root is its own.
    pub parent: usize,
    pub entry: usize,
    pub count: u64,
    pub nanos: u64,
}

/// One span, in nanoseconds since the trace began.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    pub branch: usize,
    pub begin: u64,
    pub end: u64,
}

/// All that a rank has noted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Track {
    pub rank: usize,
    pub entries: Vec<Entry>,
    pub branches: Vec<Branch>,
    pub events: Vec<Event>,
    /// Events for which there was no room.
    pub missing: u64,
}

impl Track {
    pub fn new(rank: usize) -> Self {
        let root = Branch { parent: 0, entry: 0, count: 1, nanos: 0 };
        let entries = vec![Entry::mark(String::new())];
        Track { rank, entries, branches: vec![root], events: Vec::new(), missing: 0 }
    }

    /// The branch of a kind of span within another branch.
    fn branch(&mut self, parent: usize, entry: usize) -> usize {
        let mut known = self.branches.iter().skip(1);
        let known = known.position(|b| (b.parent, b.entry) == (parent, entry));
        known.map_or_else(
            || {
                self.branches.push(Branch { parent, entry, count: 0, nanos: 0 });
                self.branches.len() - 1
            },
            |k| k + 1,
        )
    }
}

impl Entry {
    fn mark(name: String) -> Self {
        let (kind, makes) = (Kind::Mark, String::new());
        Entry { name, kind, makes, seconds: None, bytes: 0.0, flops: 0.0 }
    }
}

/// A track that grows.
pub(super) struct Recorder {
    id: u64,
    epoch: Instant,
    events: bool,
    track: Track,
    /// The branches around what happens, and when they began.
    open: Vec<(usize, u64)>,
}

impl Recorder {
    pub fn new(id: u64, epoch: Instant, events: bool, track: Track) -> Self {
        let mut recorder = Recorder { id, epoch, events, track, open: Vec::new() };
        recorder.open.push((0, recorder.now()));
        recorder
    }

    pub fn finish(mut self) -> Track {
        while !self.open.is_empty() {
            self.leave();
        }
        self.track
    }

    fn now(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    pub fn enter_mark(&mut self, name: String) {
        let known = |e: &Entry| e.kind == Kind::Mark && e.name == name;
        let entry = self.track.entries.iter().position(known).unwrap_or_else(|| {
            self.track.entries.push(Entry::mark(name));
            self.track.entries.len() - 1
        });
        self.enter(entry);
    }

    fn enter(&mut self, entry: usize) {
        let around = self.open.last().map_or(0, |(branch, _)| *branch);
        let branch = self.track.branch(around, entry);
        self.open.push((branch, self.now()));
    }

    fn leave(&mut self) {
        let end = self.now();
        if let Some((branch, begin)) = self.open.pop() {
            self.note(Event { branch, begin, end });
        }
    }

    fn span(&mut self, entry: usize, begin: u64) {
        let around = self.open.last().map_or(0, |(branch, _)| *branch);
        let branch = self.track.branch(around, entry);
        let end = self.now();
        self.note(Event { branch, begin, end });
    }

    fn note(&mut self, event: Event) {
        let branch = &mut self.track.branches[event.branch];
        branch.nanos += event.end - event.begin;
        if event.branch == 0 {
            return;
        }
        branch.count += 1;
        if self.events && self.track.events.len() < MOST {
            self.track.events.push(event);
        } else if self.events {
            self.track.missing += 1;
        }
    }
}

fn with<T>(act: impl FnOnce(&mut Recorder) -> T) -> Option<T> {
    HERE.with_borrow_mut(|here| here.as_mut().map(act))
}

/// Whether this thread notes what it does: the number of its trace.
pub(crate) fn is_on() -> Option<u64> {
    with(|recorder| recorder.id)
}

/// A place for spans of these kinds: the number of the first.
pub(crate) fn register(entries: impl IntoIterator<Item = Entry>) -> usize {
    let add = |recorder: &mut Recorder| {
        let first = recorder.track.entries.len();
        recorder.track.entries.extend(entries);
        first
    };
    with(add).unwrap_or(0)
}

/// Nanoseconds since the trace began.
pub(crate) fn now() -> u64 {
    with(|recorder| recorder.now()).unwrap_or(0)
}

/// A span begins.
pub(crate) fn enter(entry: usize) {
    with(|recorder| recorder.enter(entry));
}

/// The innermost span ends.
pub(crate) fn leave() {
    with(Recorder::leave);
}

/// A span within which nothing is noted, from its beginning until now.
pub(crate) fn span(entry: usize, begin: u64) {
    with(|recorder| recorder.span(entry, begin));
}
