//! Parse, run, report.

use std::io::Write;

use netop::cli::Cli;
use netop::sys::{bound_allocator, exit_now, linger};
use netop::{error, mode};

fn main() {
    bound_allocator();
    let code = match Cli::from_words(std::env::args_os()) {
        Ok(cli) => match mode::run(&cli) {
            Ok(()) => 0,
            Err(error) => {
                // A closed standard error leaves the exit code to speak.
                let _nobody_reads =
                    writeln!(std::io::stderr(), "netop: {error}\n  try: {}", error.hint());
                error.exit_code()
            }
        },
        Err(answer) => {
            let _nobody_reads = answer.print();
            if answer.use_stderr() {
                error::EXIT_USAGE
            } else {
                0
            }
        }
    };
    let _flushed = std::io::stdout().flush();
    linger();
    exit_now(code);
}
