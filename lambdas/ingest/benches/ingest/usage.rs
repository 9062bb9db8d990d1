//! CPU time by process (proc(5)).
//!
//! Invariant: the time of a process that ended counts with its parent, which has waited for it.

use std::collections::HashMap;
use std::fs;

/// Clock ticks a second (USER_HZ, fixed on Linux).
const TICKS_PER_SEC: f64 = 100.0;

/// Processor seconds since the machine started.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    server_secs: f64,
    own_secs: f64,
    busy_secs: f64,
    all_secs: f64,
}

/// CPU time between two readings.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    pub(crate) server_cpu_secs: f64,
    /// Share of the machine that other programs used.
    pub(crate) others_share: f64,
}

impl Usage {
    /// Reads the usage of this process, its descendants and the server among them.
    pub(crate) fn read(server: u32) -> Self {
        let processes = processes();
        let (busy_secs, all_secs) = machine();
        Self {
            server_secs: tree_secs(&processes, server),
            own_secs: tree_secs(&processes, std::process::id()),
            busy_secs,
            all_secs,
        }
    }

    pub(crate) fn until(self, later: Self) -> Used {
        let own = later.own_secs - self.own_secs;
        let others = (later.busy_secs - self.busy_secs - own).max(0.0);
        Used {
            server_cpu_secs: later.server_secs - self.server_secs,
            others_share: others / (later.all_secs - self.all_secs).max(1.0 / TICKS_PER_SEC),
        }
    }
}

struct Process {
    parent: u32,
    /// Its own and those of its children that ended.
    secs: f64,
}

fn processes() -> HashMap<u32, Process> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            // A process that ended meanwhile is counted with its parent.
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let (_, after_name) = stat.rsplit_once(')')?;
            let fields: Vec<&str> = after_name.split_whitespace().collect();
            let ticks = fields.get(11..15)?.iter();
            let ticks: f64 = ticks.filter_map(|text| text.parse::<f64>().ok()).sum();
            let process = Process {
                parent: fields.get(1)?.parse().ok()?,
                secs: ticks / TICKS_PER_SEC,
            };
            Some((id, process))
        })
        .collect()
}

fn tree_secs(processes: &HashMap<u32, Process>, root: u32) -> f64 {
    let is_below = |mut id: u32| {
        while id != root {
            match processes.get(&id) {
                Some(process) => id = process.parent,
                None => return false,
            }
        }
        true
    };
    let below = processes.iter().filter(|(id, _)| is_below(**id));
    below.map(|(_, process)| process.secs).sum()
}

/// Busy and all processor seconds of the machine; time stolen by other machines counts as busy.
fn machine() -> (f64, f64) {
    let stat = fs::read_to_string("/proc/stat").unwrap();
    let line = stat.lines().next().unwrap();
    let ticks: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .take(8)
        .map(|ticks| ticks.parse().unwrap())
        .collect();
    let all: f64 = ticks.iter().sum();
    let idle: f64 = ticks[3..5].iter().sum();
    ((all - idle) / TICKS_PER_SEC, all / TICKS_PER_SEC)
}

/// Peak memory of a process.
pub(crate) fn peak_rss_mib(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<f64>().unwrap() / 1_024.0
}
