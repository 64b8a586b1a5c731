//! `netop completions SHELL`: the completion script, from the one definition of the flags.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::cli::Cli;

pub fn run(shell: Shell, out: &mut impl Write) -> io::Result<()> {
    // clap_complete panics when a write fails, so it writes to memory and a broken pipe stays ours.
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "netop", &mut script);
    out.write_all(&script)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands_and_flags() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            run(*shell, &mut script).expect("memory takes every write");
            let script = String::from_utf8(script).expect("scripts are text");
            for word in [
                "netop",
                "doctor",
                "demo",
                "export",
                "folded",
                "max-overhead",
            ] {
                assert!(script.contains(word), "{shell}: no {word}");
            }
        }
    }

    #[test]
    fn a_closed_pipe_is_an_error_and_no_panic() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let refused = run(Shell::Bash, &mut Closed).expect_err("the pipe is closed");
        assert_eq!(refused.kind(), io::ErrorKind::BrokenPipe);
    }
}
