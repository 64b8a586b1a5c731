//! What was typed: the one definition of commands and flags, from which help, completions and the
//! manual come. No I/O, and nothing here knows what is possible on this host.

mod advise;
mod diff;
mod export;
mod list;
mod quiet;
mod record;
mod report;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::decode::cpu_list;
use crate::export as formats;

pub use self::export::Export;
pub use self::record::Record;
pub use self::report::Report;

pub use self::advise::{Advise, Why};
pub use self::diff::Diff;
pub use self::list::List;

const EXAMPLES: &str = "\
Examples:
  sudo netop                            the whole host, live
  sudo netop -p 9127 -e kfree_skb       one process, and drops counted exactly
  sudo netop -b -n 60 --format json -o before.json
                                        a minute of snapshots, a line each
  netop diff before.json after.json     what changed, and whether it is chance
  netop demo                            try it, without privileges
  netop doctor                          what works here, and how to get the rest";

/// Live profiler of the Linux network stack.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(
    name = "netop",
    version,
    max_term_width = 80,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = EXAMPLES
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Without a command: the live view of this host.
    #[command(flatten)]
    pub live: Live,
}

#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum Command {
    /// Check what works on this host, what does not, and how to fix it
    ///
    /// Exit code 0 when netop can do its full job here, 1 when something that the job needs is
    /// missing. When root, tracefs is mounted if it is not.
    Doctor(Doctor),
    /// Show the whole screen on a made-up busy machine; needs no privileges
    Demo(Box<Demo>),
    /// Show a recording of netop or of perf: the same screen, or with -b its summary
    ///
    /// A file of perf has no exact counts and no counters of the host: what cannot be known is
    /// shown as –, with the reason. Exit code 1 when the part that was asked for is empty.
    Report(Box<Report>),
    /// Write call stacks for other programs: folded lines or a flame graph
    ///
    /// Samples this host and writes where its CPUs spent their time, or the stacks of one
    /// function's hits; or reads them from a snapshot. Exit code 1 when there is no such stack.
    Export(Box<Export>),
    /// List what can be observed here, by the names that -e takes
    ///
    /// Functions with what else they are called, all tracepoints of this kernel, and with
    /// `uprobe:FILE:PATTERN` the functions of a program or library. A pattern that leaves one
    /// tracepoint shows its fields. Exit code 1 when nothing matches.
    List(List),
    /// List what should be changed on this host, with evidence and commands
    ///
    /// Looks for half a minute and prints every finding: what was seen, what was ruled out, the
    /// command to try and the one that undoes it. netop changes nothing by itself.
    Advise(Advise),
    /// Print one page on what is wrong here, worst loss first
    ///
    /// To be pasted into a ticket: losses, cost, advice, what was checked and is fine, what could
    /// not be seen. Exit code 1 when something is wrong.
    Why(Why),
    /// Compare two measurements: what changed, and whether it is more than chance
    ///
    /// A change is called one when it is more than the variance between seconds makes likely. What
    /// a packet costs is compared only under packet rates that differ by at most 10 %. Exit code 0
    /// also when nothing differs.
    Diff(Diff),
    /// Record samples and counts into a perf.data file, for netop, perf and other viewers
    ///
    /// Samples with call stacks of this host's network functions and of its CPU time, and the exact
    /// counts beside them, until Ctrl-C. perf report and perf script read the file too.
    Record(Box<Record>),
    /// Print the completion script of a shell
    Completions {
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Debug, Clone, PartialEq, Args)]
pub struct Doctor {
    /// How to print the answer
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"], default_value = "text")]
    pub format: String,
}

#[derive(Debug, Clone, PartialEq, Args)]
pub struct Demo {
    /// The same seed shows the same machine
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    #[command(flatten)]
    pub live: Live,
}

/// Everything that shows snapshots of a host takes these.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Live {
    /// Seconds between two snapshots, 0.05 to 3600
    #[arg(short = 'd', value_name = "SECS", value_parser = seconds, default_value = "1")]
    pub interval: Duration,

    /// Stop after this many snapshots [default: endless]
    #[arg(short = 'n', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    #[command(flatten)]
    pub what: What,

    #[command(flatten)]
    pub batch: Batch,

    #[command(flatten)]
    pub cost: Cost,

    #[command(flatten)]
    pub screen: Screen,

    /// What the advice compares with: a TOML file of lines like "A27.drops" = 5
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
}

/// Ids, ascending.
pub type Cpus = Arc<[u32]>;

#[derive(Debug, Clone, PartialEq, Args)]
#[command(next_help_heading = "What to watch")]
pub struct What {
    /// Only these processes, with all their threads
    #[arg(short = 'p', long = "pid", value_name = "PID,…", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..))]
    pub pids: Vec<u32>,

    /// Only the processes of this control group and those below it, as they come and go
    #[arg(short = 'G', long, value_parser = word, conflicts_with_all = ["pids", "children"])]
    pub cgroup: Option<String>,

    /// Forked children of those processes too
    #[arg(long, requires = "pids")]
    pub children: bool,

    /// What a PID means: owner, whose sockets the work is for; context, in whose context it ran
    #[arg(long, value_enum, default_value_t = By::Owner, hide_possible_values = true, value_name = "WHOSE")]
    pub by: By,

    /// Only packets of this network device
    #[arg(short = 'i', long = "device", value_name = "DEV", value_parser = word)]
    pub device: Option<String>,

    /// Only these CPUs, like 0-3,7: nothing is counted or sampled on others
    #[arg(short = 'C', long = "cpus", value_name = "CPUS", value_parser = cpus)]
    pub cpus: Option<Cpus>,

    /// Only stacks, stages and CPU time that passed through this kernel module (bpf: BPF programs),
    /// with a row for each of its functions; exact counts stay those of all modules
    #[arg(long, value_name = "NAME", value_parser = module)]
    pub module: Option<Arc<str>>,

    /// Count this exactly: a function (napi_gro_receive), a tracepoint (net:net_dev_xmit), one
    /// behind a filter ('net:net_dev_queue:len>1000'; without commas), a breakpoint
    /// (uprobe:libssl.so.3:SSL_write, uretprobe:…, kprobe:…); see netop list. May be given again
    #[arg(short = 'e', long = "event", value_name = "EVENT,…", value_delimiter = ',', value_parser = word)]
    pub events: Vec<String>,

    /// Time packets, softirqs and readers between events from the start on, as view 7 does while
    /// it is open
    #[arg(long)]
    pub latency: bool,

    /// CPU samples per second and CPU; 0 takes none
    #[arg(short = 'F', long = "frequency", value_name = "HZ", default_value_t = 199,
          value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub frequency: u32,
}

#[derive(Debug, Clone, PartialEq, Args)]
#[command(next_help_heading = "Batch")]
pub struct Batch {
    /// Print snapshots, without a screen
    #[arg(short = 'b', long)]
    pub batch: bool,

    /// How to print a snapshot
    #[arg(long, value_name = "FORMAT", requires = "batch", default_value = "text",
          value_parser = PossibleValuesParser::new(formats::FORMATS.iter().map(|f| f.name)))]
    pub format: String,

    /// Export every device and network namespace, also to the files that `w` writes. Without it: the 64
    /// busiest devices, up to 64 more that carry traffic, have a wire or lose something, and in JSON
    /// the sum of the others
    #[arg(long)]
    pub all: bool,

    /// Which table CSV prints
    #[arg(long, value_name = "NAME", requires = "batch", default_value = "functions",
          value_parser = PossibleValuesParser::new(formats::TABLES.iter().map(|t| t.name)))]
    pub table: String,

    /// Print to this file
    #[arg(short = 'o', long = "output", value_name = "FILE", requires = "batch")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Args)]
#[command(next_help_heading = "Cost")]
pub struct Cost {
    /// What netop may cost a CPU, in percent of the time that it is busy (of half of all time at
    /// least); 100: no limit
    #[arg(long, value_name = "PCT", value_parser = percent, default_value = "5")]
    pub max_overhead: f64,

    /// Who counts: the cheapest that works, or this one
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Counting::Auto)]
    pub counting: Counting,
}

#[derive(Debug, Clone, PartialEq, Args)]
#[command(next_help_heading = "Screen")]
pub struct Screen {
    /// Sort the functions by this column [default: the order of the path]
    #[arg(long, value_name = "KEY", value_parser = word, conflicts_with = "batch")]
    pub sort: Option<String>,

    /// Where `w` writes snapshots [default: the current directory]
    #[arg(long, value_name = "DIR")]
    pub snapshot_dir: Option<PathBuf>,

    /// When to use colours; auto heeds NO_COLOR
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,

    /// Draw with ASCII only
    #[arg(long)]
    pub ascii: bool,

    /// Colours of the screen
    #[arg(long, value_name = "NAME", value_parser = word)]
    pub theme: Option<String>,

    /// Keys to press, for tests and pictures
    #[arg(long, value_name = "KEYS", hide = true, allow_hyphen_values = true)]
    pub keys: Option<String>,

    /// Columns and rows of the picture that `--keys` leaves
    #[arg(long, value_name = "WxH", value_parser = size, hide = true)]
    pub size: Option<(u16, u16)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum By {
    Owner,
    Context,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Counting {
    Auto,
    Bpf,
    Perf,
    Proc,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

impl Cli {
    /// What was typed, or clap's answer to it: help, version, or a usage error (exit code 2).
    pub fn from_words<W>(words: impl IntoIterator<Item = W>) -> Result<Cli, clap::Error>
    where
        W: Into<OsString> + Clone,
    {
        let cli = Cli::try_parse_from(words)?;
        cli.check()?;
        Ok(cli)
    }

    /// What clap's own rules cannot say.
    fn check(&self) -> Result<(), clap::Error> {
        let batch = match &self.command {
            Some(Command::Demo(demo)) => &demo.live.batch,
            Some(Command::Report(report)) => &report.batch,
            Some(_) => return Ok(()),
            None => &self.live.batch,
        };
        if batch.table != "functions" && batch.format != "csv" {
            return Err(Cli::command().error(
                ErrorKind::ArgumentConflict,
                "--table chooses a table of CSV: add --format csv",
            ));
        }
        Ok(())
    }
}

fn seconds(typed: &str) -> Result<Duration, String> {
    match typed.parse::<f64>() {
        Ok(secs) if (0.05..=3600.0).contains(&secs) => Ok(Duration::from_secs_f64(secs)),
        _ => Err("seconds from 0.05 to 3600, like 0.5".to_owned()),
    }
}

fn half_a_minute(typed: &str) -> Result<Duration, String> {
    let most = Duration::from_secs(30);
    let length = seconds(typed).ok().filter(|length| *length <= most);
    length.ok_or_else(|| "seconds from 0.05 to 30, like 10".to_owned())
}

fn percent(typed: &str) -> Result<f64, String> {
    match typed.parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err("percent from 0 to 100, like 2.5".to_owned()),
    }
}

fn cpus(typed: &str) -> Result<Cpus, String> {
    let cpus = cpu_list(typed).map(Cpus::from);
    cpus.ok_or_else(|| "numbers of CPUs, like 0-3,7".to_owned())
}

/// As kallsyms has it: modprobe takes a dash for the underscore, too.
fn module(typed: &str) -> Result<Arc<str>, String> {
    let name = typed.trim().trim_matches(['[', ']']).replace('-', "_");
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.len() > 60 || !name.chars().all(is_word) {
        return Err("the name of a module, as lsmod prints it".to_owned());
    }
    Ok(name.into())
}

fn word(typed: &str) -> Result<String, String> {
    let word = typed.trim();
    if word.is_empty() {
        return Err("a name is missing".to_owned());
    }
    Ok(word.to_owned())
}

fn size(typed: &str) -> Result<(u16, u16), String> {
    typed
        .split_once('x')
        .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)))
        .ok_or_else(|| "columns and rows, like 80x24".to_owned())
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
