//! Parse, run, report.

use std::io::Write;

use netop::cli::Cli;
use netop::error::{self, Error};
use netop::mode;
use netop::sys::{
    Allocator, bound_allocator, close_in_child, exit_now, expect_room, set_aside_rights,
};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() {
    bound_allocator();
    let code = match Cli::from_words(std::env::args_os()) {
        Ok(cli) => match run(&cli) {
            Ok(()) => 0,
            Err(error) => {
                mode::say_error(&error);
                error.exit_code()
            }
        },
        Err(answer) => {
            mode::answer(&answer);
            if answer.use_stderr() {
                error::EXIT_USAGE
            } else {
                0
            }
        }
    };
    let _flushed = std::io::stdout().flush();
    close_in_child();
    exit_now(code);
}

fn run(cli: &Cli) -> Result<(), Error> {
    expect_room();
    set_aside_rights().map_err(|error| {
        Error::failed(
            format!("cannot set capabilities aside: {error}"),
            "getcap $(command -v netop)",
        )
    })?;
    mode::run(cli)
}
