//! README says what the program says: the key table, and the flags it names. `UPDATE_README=1`
//! writes the key table anew.

use std::fs;
use std::process::Command;

const BEGIN: &str = "<!-- keys: written by UPDATE_README=1 cargo test --test readme -->\n";
const END: &str = "<!-- /keys -->\n";

fn path() -> String {
    format!("{}/README.md", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_key_table_is_the_programs_own() {
    let readme = fs::read_to_string(path()).expect("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("the table's begin");
    let (table, after) = rest.split_once(END).expect("the table's end");
    let own = netop::tui::markdown();
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(path(), format!("{before}{BEGIN}{own}{END}{after}")).expect("README.md is ours");
    } else {
        assert_eq!(table, own, "UPDATE_README=1 cargo test --test readme");
    }
}

#[test]
fn every_long_flag_that_readme_names_exists() {
    let readme = fs::read_to_string(path()).expect("README.md");
    let mut help = String::new();
    for words in [
        &["--help"][..],
        &["demo", "--help"],
        &["doctor", "--help"],
        &["export", "--help"],
        &["record", "--help"],
        &["report", "--help"],
        &["diff", "--help"],
        &["why", "--help"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_netop"))
            .args(words)
            .output()
            .expect("it runs");
        help += &String::from_utf8_lossy(&output.stdout);
    }
    for line in readme
        .lines()
        .filter(|l| l.contains("netop") && !l.contains("cargo") && !l.contains("apt-get"))
    {
        let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        for flag in words.filter(|w| w.starts_with("--") && w.len() > 2) {
            assert!(help.contains(flag), "README names {flag}: {line}");
        }
    }
}

#[test]
fn every_picture_is_there_and_made_by_the_command() {
    let readme = fs::read_to_string(path()).expect("README.md");
    let pictures: Vec<&str> = readme
        .split("](screenshots/")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .collect();
    assert!(!pictures.is_empty());
    for picture in pictures {
        let file = format!("{}/screenshots/{picture}", env!("CARGO_MANIFEST_DIR"));
        assert!(
            fs::read_to_string(file).expect(picture).starts_with("<svg"),
            "{picture}"
        );
    }
}
