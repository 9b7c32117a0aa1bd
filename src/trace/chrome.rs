//! A record as a file for Perfetto and Chrome (`chrome://tracing`): one line for each rank.
//!
//! The arguments of an event say what was foreseen beside what was measured.

use super::Record;
use super::recorder::{Entry, Event, Kind, Track};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

impl Record {
    /// The file's text, in the JSON format for trace events.
    pub fn chrome(&self) -> String {
        let mut out = String::from("{\"displayTimeUnit\": \"ns\", \"traceEvents\": [\n");
        let process = json!({"name": "process_name", "ph": "M", "pid": 0, "tid": 0,
            "args": {"name": "adjoin"}});
        let _ = write!(out, "{process}");
        for track in &self.tracks {
            let thread = json!({"name": "thread_name", "ph": "M", "pid": 0, "tid": track.rank,
                "args": {"name": format!("rank {}", track.rank), "missing": track.missing}});
            let _ = write!(out, ",\n{thread}");
            for event in &track.events {
                let _ = write!(out, ",\n{}", written(track, event));
            }
        }
        out.push_str("\n]}\n");
        out
    }
}

fn written(track: &Track, event: &Event) -> Value {
    let entry = &track.entries[track.branches[event.branch].entry];
    let micros = |nanos: u64| nanos as f64 / 1e3;
    json!({"name": entry.name, "cat": category(entry.kind), "ph": "X", "pid": 0,
        "tid": track.rank, "ts": micros(event.begin), "dur": micros(event.end - event.begin),
        "args": arguments(entry, micros(event.end - event.begin))})
}

fn category(kind: Kind) -> &'static str {
    match kind {
        Kind::Mark => "mark",
        Kind::Block => "block",
        Kind::Local => "local",
        Kind::Wire => "wire",
    }
}

/// What is known besides the times.
fn arguments(entry: &Entry, measured: f64) -> Map<String, Value> {
    let mut out = Map::new();
    if !entry.makes.is_empty() {
        out.insert("makes".into(), entry.makes.clone().into());
    }
    if let Some(seconds) = entry.seconds {
        // Picoseconds: more digits would be noise.
        out.insert("predicted_us".into(), ((seconds * 1e12).round() / 1e6).into());
        out.insert("measured_us".into(), measured.into());
    }
    for (name, amount) in [("bytes", entry.bytes), ("flops", entry.flops)] {
        if amount > 0.0 {
            out.insert(name.into(), amount.into());
        }
    }
    out
}
