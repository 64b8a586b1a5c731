//! What the documents say is so: the tables of keys and rules are the program's own (`UPDATE_README=1` writes them anew), the
//! flags they name exist, and so does every file they or the code's comments refer to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Documents whose lines are commands of netop.
const WITH_COMMANDS: [&str; 5] = [
    "README.md",
    "docs/advice.md",
    "docs/guide.md",
    "docs/measuring.md",
    "docs/flight-recorder.md",
];

/// Bytes: what a visitor reads before the first scroll is tired.
const LONGEST_README: usize = 10_000;

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(at(path)).expect(path)
}

fn is_markdown(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| e == "md")
}

/// The repository's own Markdown files.
fn documents() -> Vec<String> {
    let names = |dir: &str| -> Vec<String> {
        let entries = fs::read_dir(at(dir)).expect(dir);
        let names = entries.map(|entry| entry.expect(dir).file_name().into_string());
        names.map(|name| name.expect("a name")).collect()
    };
    let docs = names("docs").into_iter().map(|name| format!("docs/{name}"));
    let mut all: Vec<String> = names(".").into_iter().chain(docs).collect();
    all.retain(|name| is_markdown(name));
    all
}

/// Files below a directory that are Rust or C source.
fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs" || e == "c") {
            found.push(path);
        }
    }
}

/// What the program itself says stands between two marks of a document.
fn is_the_programs_own(path: &str, mark: &str, own: &str) {
    let begin = format!("<!-- {mark}: written by UPDATE_README=1 cargo test --test readme -->\n");
    let end = format!("<!-- /{mark} -->\n");
    let text = read(path);
    let (before, rest) = text.split_once(&begin).expect("the mark before it");
    let (written, after) = rest.split_once(&end).expect("the mark behind it");
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(at(path), format!("{before}{begin}{own}{end}{after}")).expect("a file of ours");
    } else {
        assert_eq!(written, own, "UPDATE_README=1 cargo test --test readme");
    }
}

#[test]
fn the_tables_of_keys_and_rules_are_the_programs_own() {
    is_the_programs_own("docs/keys.md", "keys", &netop::tui::markdown());
    is_the_programs_own("docs/advice.md", "rules", &netop::advice::markdown());
}

#[test]
fn every_long_flag_that_the_documents_name_exists() {
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
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        words.map(str::to_owned).collect()
    };
    let known: std::collections::BTreeSet<String> = words(&help).into_iter().collect();
    let mut found = 0;
    for document in WITH_COMMANDS {
        let text = read(document);
        let lines = text
            .lines()
            .filter(|l| !l.contains("cargo") && !l.contains("apt-get"));
        for line in lines {
            for flag in words(line).iter().filter(|w| {
                w.starts_with("--") && w.len() > 2 && w.as_bytes()[2].is_ascii_lowercase()
            }) {
                assert!(known.contains(flag), "{document} names {flag}: {line}");
                found += 1;
            }
        }
    }
    assert!(found > 30, "{found}");
}

#[test]
fn every_picture_is_there_and_made_by_the_command() {
    let mut pictures = 0;
    for document in documents() {
        let text = read(&document);
        for rest in text.split("screenshots/").skip(1) {
            let Some((picture, _)) = rest.split_once(".svg)") else {
                continue;
            };
            let svg = read(&format!("screenshots/{picture}.svg"));
            assert!(svg.starts_with("<svg"), "{picture}");
            pictures += 1;
        }
    }
    assert!(pictures > 3, "{pictures}");
}

#[test]
fn every_file_that_a_document_links_to_is_there() {
    let mut links = 0;
    for document in documents() {
        let text = read(&document);
        let dir = at(&document).parent().expect("a directory").to_owned();
        for rest in text.split("](").skip(1) {
            let link = rest.split([')', '#']).next().unwrap_or_default();
            if link.is_empty() || link.contains("://") {
                continue;
            }
            assert!(dir.join(link).exists(), "{document} links to {link}");
            links += 1;
        }
    }
    assert!(links > 10, "{links}");
}

#[test]
fn every_document_that_the_code_refers_to_is_there() {
    let mut files = Vec::new();
    for dir in ["src", "tests", "assets"] {
        sources(&at(dir), &mut files);
    }
    let mut cited = 0;
    for file in files {
        let text = fs::read_to_string(&file).expect("UTF-8");
        let comments = text.lines().filter(|line| line.trim().starts_with("//"));
        let words = comments.flat_map(|line| {
            line.split(|c: char| !c.is_ascii_alphanumeric() && !"/_-.".contains(c))
        });
        for word in words {
            let name = word.trim_matches('.');
            if is_markdown(name) {
                let there = at(name).exists() || at("docs").join(name).exists();
                assert!(there, "{} refers to {name}", file.display());
                cited += 1;
            }
        }
    }
    assert!(cited > 20, "{cited}");
}

#[test]
fn readme_is_short() {
    let bytes = read("README.md").len();
    assert!(bytes <= LONGEST_README, "{bytes} bytes");
}
