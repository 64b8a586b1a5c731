//! `netop man`: the manual page in roff, from the one definition of the flags; the commands follow
//! the main page, so that one file has all of it.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_mangen::Man;

use crate::cli::Cli;

pub fn run(out: &mut impl Write) -> io::Result<()> {
    let mut command = Cli::command();
    command.build();
    let page = Man::new(command.clone()).date("").manual("User Commands");
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    for subcommand in command.get_subcommands() {
        if subcommand.get_name() != "help" {
            command_section(subcommand, out)?;
        }
    }
    page.render_extra_section(out)?;
    page.render_version_section(out)
}

/// One command as a section of the main page: what it does and how it is typed.
fn command_section(command: &clap::Command, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, ".SH NETOP {}", command.get_name().to_uppercase())?;
    let page = Man::new(command.clone());
    let mut body = Vec::new();
    page.render_description_section(&mut body)?;
    page.render_options_section(&mut body)?;
    // The headings of the command's own page would end the section; the text stays.
    for line in body.split_inclusive(|b| *b == b'\n') {
        if !line.starts_with(b".SH") {
            out.write_all(line)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_command_and_visible_flag() {
        let mut page = Vec::new();
        run(&mut page).expect("memory takes every write");
        let page = String::from_utf8(page)
            .expect("roff is text")
            .replace('\\', "");
        assert!(page.contains(".TH netop 1"));
        let command = Cli::command();
        for flag in command.get_arguments().filter(|a| !a.is_hide_set()) {
            if let Some(long) = flag.get_long() {
                assert!(page.contains(&format!("--{long}")), "no --{long}");
            }
        }
        for name in ["DOCTOR", "DEMO", "EXPORT", "COMPLETIONS", "MAN"] {
            assert!(page.contains(&format!(".SH NETOP {name}")), "no {name}");
        }
        assert!(!page.contains("--keys"), "hidden flags stay hidden");
    }
}
