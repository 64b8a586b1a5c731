//! What was typed: the one definition of commands and flags, from which help, completions and the
//! manual come. No I/O, and nothing here knows what is possible on this host.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::export;

const EXAMPLES: &str = "\
Examples:
  sudo netop                            the whole host, live
  sudo netop -p 9127 -e kfree_skb       one process, and drops counted exactly
  sudo netop -b -n 10 --format json     ten snapshots, one JSON object a line
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
    /// Say what works on this host, what does not, and the command that mends it
    ///
    /// Exit code 0 when netop can do its full job here, 1 when something that the job needs is
    /// missing. When root, tracefs is mounted if it is not.
    Doctor(Doctor),
    /// Show the whole screen on a made-up busy machine; needs no privileges
    Demo(Box<Demo>),
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
pub struct List {
    /// Part of a name, or with * and ? the whole of it
    #[arg(value_name = "PATTERN", value_parser = word)]
    pub pattern: Option<String>,

    /// The files that these processes see
    #[arg(short = 'p', long = "pid", value_name = "PID,…", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..))]
    pub pids: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Args)]
pub struct Demo {
    /// The same seed shows the same machine
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    #[command(flatten)]
    pub live: Live,
}

#[derive(Debug, Clone, PartialEq, Args)]
pub struct Export {
    /// A snapshot written by `w` or `-b --format json`; it holds the 50 heaviest stacks of its
    /// last interval [default: sample this host]
    #[arg(value_name = "FILE", conflicts_with_all =
          ["duration", "pids", "children", "frequency", "max_overhead", "counting", "demo"])]
    pub file: Option<PathBuf>,

    /// folded: `frame;frame;… weight` a line, for flamegraph.pl, inferno, speedscope (weights in
    /// µs of CPU time, or hits); svg: a flame graph for a browser; firefox: for
    /// profiler.firefox.com; pprof: for `go tool pprof`, Pyroscope, Parca (gzipped); json: the
    /// stacks as a snapshot has them
    #[arg(long, value_name = "FORMAT",
          value_parser = PossibleValuesParser::new(export::STACK_FORMATS.iter().map(|f| f.name)))]
    pub to: String,

    /// Write to this file
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Stacks of this function's hits instead of CPU time, e.g. kfree_skb
    #[arg(long, value_name = "NAME", value_parser = word)]
    pub function: Option<String>,

    /// Seconds to sample, 0.05 to 30
    #[arg(long, value_name = "SECS", value_parser = half_a_minute, default_value = "10")]
    pub duration: Duration,

    /// Only what ran in these processes
    #[arg(short = 'p', long = "pid", value_name = "PID,…", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..))]
    pub pids: Vec<u32>,

    /// Forked children of those processes too
    #[arg(long, requires = "pids")]
    pub children: bool,

    /// CPU samples per second and CPU
    #[arg(short = 'F', long = "frequency", value_name = "HZ", default_value_t = 199,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub frequency: u32,

    /// The made-up machine of `netop demo` instead of this host
    #[arg(long)]
    pub demo: bool,

    #[command(flatten)]
    pub cost: Cost,
}

impl Export {
    /// What the same run in batch would have been asked for.
    pub fn live(&self) -> Live {
        Live {
            interval: Duration::from_secs(1),
            count: None,
            what: What {
                cgroup: None,
                pids: self.pids.clone(),
                children: self.children,
                by: By::Context,
                device: None,
                events: self.function.iter().cloned().collect(),
                // Hits have stacks of their own.
                frequency: if self.function.is_some() {
                    0
                } else {
                    self.frequency
                },
            },
            batch: Batch {
                batch: true,
                format: "text".to_owned(),
                table: "functions".to_owned(),
                output: None,
            },
            cost: self.cost.clone(),
            screen: Screen {
                sort: None,
                snapshot_dir: None,
                color: Color::Never,
                ascii: false,
                theme: None,
                keys: None,
                size: None,
            },
        }
    }
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
}

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

    /// Count this exactly: a function (napi_gro_receive), a tracepoint (net:net_dev_xmit), one
    /// behind a filter ('net:net_dev_queue:len>1000'; without commas), a breakpoint
    /// (uprobe:libssl.so.3:SSL_write, uretprobe:…, kprobe:…); see netop list. May be given again
    #[arg(short = 'e', long = "event", value_name = "EVENT,…", value_delimiter = ',', value_parser = word)]
    pub events: Vec<String>,

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
          value_parser = PossibleValuesParser::new(export::FORMATS.iter().map(|f| f.name)))]
    pub format: String,

    /// Which table CSV prints
    #[arg(long, value_name = "NAME", requires = "batch", default_value = "functions",
          value_parser = PossibleValuesParser::new(export::TABLES.iter().map(|t| t.name)))]
    pub table: String,

    /// Print to this file
    #[arg(short = 'o', long = "output", value_name = "FILE", requires = "batch")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Args)]
#[command(next_help_heading = "Cost")]
pub struct Cost {
    /// What netop may cost the busiest CPU, in percent of it; 100: no limit
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
        let live = match &self.command {
            Some(Command::Demo(demo)) => &demo.live,
            Some(_) => return Ok(()),
            None => &self.live,
        };
        if live.batch.table != "functions" && live.batch.format != "csv" {
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
