//! The house rules that a program can check: who imports whom, where `unsafe` and clocks may be,
//! how long a file may get, how it begins. Reads the sources as text; macros are not expanded.

use std::fs;
use std::path::{Path, PathBuf};

/// Who may import whom (ARCHITECTURE.md). A room is a folder
/// or a file of src/; one that is not here fails the test.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("decode", &[]),
    ("model", &[]),
    ("sys", &["error", "decode"]),
    ("perfdata", &["decode"]),
    // It opens files in a directory that others may have prepared.
    ("flight", &["sys", "decode", "perfdata"]),
    ("host", &["sys", "decode", "error"]),
    // Its threads run in the background.
    ("symbol", &["sys", "decode", "model", "error"]),
    ("probe", &["decode", "model"]),
    (
        "source",
        &["sys", "decode", "perfdata", "flight", "host", "error"],
    ),
    ("advice", &["model"]),
    (
        "engine",
        &[
            "source", "probe", "symbol", "advice", "model", "decode", "error",
        ],
    ),
    ("export", &["model", "decode"]),
    ("tui", &["model"]),
    (
        "mode",
        &[
            "cli", "plan", "error", "decode", "model", "sys", "perfdata", "flight", "host",
            "symbol", "probe", "source", "advice", "engine", "export", "tui",
        ],
    ),
    // Its help lists the formats and tables: export's registries are where they are written down.
    // A list of CPUs is read by decode as the kernel's own are.
    ("cli", &["decode", "export"]),
    // Typed → possible: it asks the host (sys) and fills in the engine's settings and registry.
    (
        "plan",
        &[
            "cli", "error", "decode", "model", "sys", "probe", "symbol", "engine", "advice",
        ],
    ),
    ("error", &[]),
    // Declares the rooms, imports none.
    ("lib", &[]),
    // Parse, run, report, leave.
    ("main", &["cli", "mode", "error", "sys"]),
];

/// Rooms that may read clocks (time is an input: ARCHITECTURE.md). `symbol` limits how often it
/// reads the host's lists again, `source/demo` paces a screen in real time, `mode` frames.
const READ_CLOCKS: &[&str] = &["sys", "source/live", "source/demo", "symbol", "mode"];

/// Cohesion decides how long a file is; what is longer than
/// this is looked at.
const LONGEST: usize = 600;

/// One type's own functions stand in so many files at most.
const FILES_OF_A_TYPE: usize = 2;

/// Two folders of a room that do import each other: a view draws the state, and the state's rows are
/// those of its view.
const ONE_THING: &[[&str; 2]] = &[["tui/state", "tui/view"]];

/// What a long file says in its header.
const EXCUSE: &str = "long because";

struct Source {
    /// Below src/.
    path: PathBuf,
    /// Names, numbers and signs outside comments, strings and `#[cfg(test)]`.
    tokens: Vec<String>,
}

impl Source {
    fn new(path: PathBuf, text: &str) -> Source {
        let tokens = without_tests(&tokens(text));
        Source { path, tokens }
    }

    fn room(&self) -> String {
        let first = self.path.iter().next().expect("a file has a name");
        let first = first.to_str().expect("plain names");
        first.trim_end_matches(".rs").to_owned()
    }

    /// How many `super` lead to the crate's root.
    fn depth(&self) -> usize {
        let parts = self.path.iter().count();
        parts - usize::from(self.path.ends_with("mod.rs"))
    }

    fn is_below(&self, rooms: &[&str]) -> bool {
        rooms
            .iter()
            .any(|room| self.path.starts_with(room) || self.room() == *room)
    }

    fn has(&self, wanted: &[&str]) -> bool {
        self.tokens.windows(wanted.len()).any(|w| w == wanted)
    }

    /// The folder of its room that it stands in, if it stands in one: `tui/state`.
    fn folder(&self) -> Option<String> {
        let mut parts = self
            .path
            .iter()
            .map(|part| part.to_str().expect("plain names"));
        let (room, folder, _) = (parts.next()?, parts.next()?, parts.next()?);
        Some(format!("{room}/{folder}"))
    }

    /// What it names of its own room, as `crate::room::name` or through enough `super`s.
    fn names_of_its_room(&self) -> Vec<String> {
        let room = self.room();
        let mut found = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            let rest = &self.tokens[at..];
            let after = match token.as_str() {
                "crate" if rest.len() > 4 && rest[1] == "::" && rest[2] == room => 3,
                "super" => {
                    let path = rest.chunks(2).take_while(|p| p == &["super", "::"]);
                    let supers = path.count();
                    if supers + 1 != self.depth() {
                        continue;
                    }
                    2 * supers - 1
                }
                _ => continue,
            };
            if rest.get(after).is_some_and(|t| t == "::") {
                found.extend(heads(&rest[after + 1..]));
            }
        }
        found
    }

    /// The rooms it names, as `crate::room`, `crate::{room, …}` or through enough `super`s.
    fn imports(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            let rest = &self.tokens[at..];
            let root = match token.as_str() {
                "crate" => 1,
                // In main.rs the library has its name.
                "netop" if self.room() == "main" => 1,
                "super" => {
                    let path = rest.chunks(2).take_while(|p| p == &["super", "::"]);
                    let supers = path.count();
                    if supers < self.depth() {
                        continue;
                    }
                    2 * supers - 1
                }
                _ => continue,
            };
            if rest.get(root).is_some_and(|t| t == "::") {
                found.extend(heads(&rest[root + 1..]));
            }
        }
        found.sort();
        found.dedup();
        found
    }
}

/// The first name of each path in `name…` or `{name…, name::{…}}`.
fn heads(tokens: &[String]) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut fresh = true;
    for token in tokens {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => fresh = true,
            name if fresh => {
                heads.push(name.to_owned());
                fresh = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    heads
}

/// Rust as far as this test needs it: comments and literals are left out, `::` is one sign.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let c = at(i);
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            i += 2;
            while i < chars.len() && !(at(i) == '*' && at(i + 1) == '/') {
                i += 1;
            }
            i += 2;
        } else if let Some(hashes) = raw_string(&chars[i..]) {
            // r##"…"##, with or without the b.
            i += chars[i..].iter().position(|&c| c == '"').unwrap_or(0) + 1;
            let end = |i: usize| at(i) == '"' && (1..=hashes).all(|n| at(i + n) == '#');
            while i < chars.len() && !end(i) {
                i += 1;
            }
            i += 1 + hashes;
        } else if c == '"' || (c == '\'' && (at(i + 1) == '\\' || at(i + 2) == '\'')) {
            // A single ' begins a lifetime.
            i = after_quoted(&chars, i);
        } else if is_name(c) {
            let start = i;
            while is_name(at(i)) {
                i += 1;
            }
            tokens.push(chars[start..i].iter().collect());
        } else if c == ':' && at(i + 1) == ':' {
            tokens.push("::".to_owned());
            i += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            i += 1;
        }
    }
    tokens
}

/// Does a raw string begin here, and with how many `#`?
fn raw_string(chars: &[char]) -> Option<usize> {
    let rest = chars.strip_prefix(&['b']).unwrap_or(chars);
    let rest = rest.strip_prefix(&['r'])?;
    let hashes = rest.iter().take_while(|&&c| c == '#').count();
    (rest.get(hashes) == Some(&'"')).then_some(hashes)
}

/// Where the text or character that begins at `start` is over.
fn after_quoted(chars: &[char], start: usize) -> usize {
    let quote = chars[start];
    let mut i = start + 1;
    while i < chars.len() && chars[i] != quote {
        i += 1 + usize::from(chars[i] == '\\');
    }
    i + 1
}

/// Leaves out the items under `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if tokens[i..].len() < MARK.len() || tokens[i..i + MARK.len()] != MARK {
            kept.push(tokens[i].clone());
            i += 1;
            continue;
        }
        let mut depth = 0;
        loop {
            let token = tokens.get(i).map_or("", String::as_str);
            match token {
                "{" | "[" | "(" => depth += 1,
                "}" | "]" | ")" => depth -= 1,
                _ => {}
            }
            i += 1;
            if (depth == 0 && matches!(token, ";" | "}")) || i >= tokens.len() {
                break;
            }
        }
    }
    kept
}

/// Is the file, by its name, of tests only?
fn is_test(path: &Path) -> bool {
    path.iter().any(|part| {
        let name = part.to_str().expect("plain names").trim_end_matches(".rs");
        is_test_module(name)
    })
}

fn is_test_module(name: &str) -> bool {
    matches!(name, "tests" | "fixture") || name.ends_with("_test") || name.ends_with("_tests")
}

fn all_files() -> Vec<(PathBuf, String)> {
    let files = files_below("src");
    assert!(files.len() > 100, "only {} sources found", files.len());
    files
}

/// Every Rust file below a folder of the repository, with its text; paths are from there.
fn files_below(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("sources are text");
                let below = path.strip_prefix(&root).expect("found below it");
                files.push((below.to_owned(), text));
            }
        }
    }
    files.sort();
    files
}

fn sources() -> Vec<Source> {
    all_files()
        .into_iter()
        .filter(|(path, _)| !is_test(path))
        .map(|(path, text)| Source::new(path, &text))
        .collect()
}

/// Every offence at once.
fn hold(rule: &str, check: impl Fn(&Source) -> Vec<String>) {
    let broken: Vec<String> = sources()
        .iter()
        .flat_map(|source| {
            let path = source.path.display().to_string();
            let found = check(source).into_iter();
            found.map(move |what| format!("  src/{path}: {what}"))
        })
        .collect();
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

fn bad_imports(source: &Source) -> Vec<String> {
    let room = source.room();
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == room) else {
        return vec![format!(
            "the room {room} is not in the table of tests/layering.rs"
        )];
    };
    source
        .imports()
        .into_iter()
        .filter(|import| *import != room && !allowed.contains(&import.as_str()))
        .map(|import| format!("{room} may not import {import}"))
        .collect()
}

fn bad_macros(source: &Source) -> Vec<String> {
    [
        "todo",
        "unimplemented",
        "dbg",
        "print",
        "println",
        "eprint",
        "eprintln",
    ]
    .into_iter()
    .filter(|name| source.has(&[name, "!"]))
    .map(|name| format!("{name}! has no place in src"))
    .collect()
}

fn bad_unsafe(source: &Source) -> Vec<String> {
    if source.is_below(&["sys"]) {
        return Vec::new();
    }
    ["unsafe", "unsafe_code"]
        .into_iter()
        .filter(|word| source.has(&[word]))
        .map(|word| format!("{word} outside src/sys"))
        .collect()
}

fn bad_clocks(source: &Source) -> Vec<String> {
    if source.is_below(READ_CLOCKS) {
        return Vec::new();
    }
    let reads: [&[&str]; 6] = [
        &["Instant", "::", "now"],
        &["SystemTime"],
        &["clock_gettime"],
        &["Timestamp", "::", "now"],
        &["Zoned", "::", "now"],
        &[".", "elapsed", "("],
    ];
    reads
        .into_iter()
        .filter(|read| source.has(read))
        .map(|read| format!("{} reads a clock", read.concat()))
        .collect()
}

fn bad_length(text: &str) -> Option<String> {
    let lines = text.lines().count();
    let mut header = text.lines().take_while(|line| line.starts_with("//!"));
    (lines > LONGEST && !header.any(|line| line.contains(EXCUSE)))
        .then(|| format!("{lines} lines, and the header does not say \"{EXCUSE} …\""))
}

/// `None < Some(_)` is true: a comparison of that kind passes where the figure is missing.
fn passes_without_a_figure(text: &str) -> Vec<usize> {
    let is_less = |line: &str| {
        let code = line.split("//").next().unwrap_or_default();
        ["< Some(", "<= Some("]
            .iter()
            .any(|less| code.contains(less))
    };
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| is_less(line))
        .map(|(at, _)| at + 1)
        .collect()
}

#[test]
fn no_comparison_is_passed_by_a_figure_that_is_missing() {
    let mut found = Vec::new();
    for folder in ["src", "tests"] {
        for (path, text) in files_below(folder) {
            if folder == "tests" && path == Path::new("layering.rs") {
                continue;
            }
            let path = path.display();
            let lines = passes_without_a_figure(&text).into_iter();
            found.extend(lines.map(|line| format!("  {folder}/{path}:{line}")));
        }
    }
    let what = "None < Some(_) is true; demand the figure: is_some_and, or expect";
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn rooms_import_only_what_the_table_allows() {
    hold("imports against the table", bad_imports);
}

#[test]
fn nothing_unfinished_and_nothing_printed() {
    hold("macros of unfinished or chatty code", bad_macros);
}

#[test]
fn unsafe_has_one_address() {
    hold("unsafe code", bad_unsafe);
}

#[test]
fn only_few_rooms_read_clocks() {
    hold("time is an input", bad_clocks);
}

#[test]
fn test_files_are_declared_under_cfg_test() {
    hold("a file named as a test in the program", |source| {
        source
            .tokens
            .windows(2)
            .filter(|w| w[0] == "mod" && is_test_module(&w[1]))
            .map(|w| format!("mod {} lacks #[cfg(test)]", w[1]))
            .collect()
    });
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    for (path, text) in all_files() {
        let path = path.display();
        assert!(text.starts_with("//! "), "src/{path} has no //! header");
    }
}

#[test]
fn files_are_small_or_say_why_not() {
    let files = all_files();
    let long: Vec<String> = files
        .iter()
        .filter_map(|(path, text)| Some(format!("  src/{}: {}", path.display(), bad_length(text)?)))
        .collect();
    assert!(long.is_empty(), "long files:\n{}", long.join("\n"));
}

/// The types that the tokens declare, and those whose own functions (`impl NAME {`) they have.
fn types(tokens: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut declared, mut implemented) = (Vec::new(), Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        let mut rest = tokens[at + 1..].iter().map(String::as_str).peekable();
        match token.as_str() {
            "struct" | "enum" | "union" => declared.extend(rest.next().map(str::to_owned)),
            "impl" => {
                let mut depth = 0;
                let mut head: Vec<&str> = Vec::new();
                for word in rest {
                    match word {
                        "<" => depth += 1,
                        ">" => depth -= 1,
                        "{" => break,
                        _ if depth == 0 => head.push(word),
                        _ => {}
                    }
                }
                // `impl Trait for Type` and `impl Trait` as a type are something else.
                if let [name] = head[..] {
                    implemented.push(name.to_owned());
                }
            }
            _ => {}
        }
    }
    (declared, implemented)
}

#[test]
fn the_functions_of_a_type_stand_together() {
    let sources = sources();
    let all: Vec<_> = (sources.iter())
        .map(|source| (source, types(&source.tokens)))
        .collect();
    let mut found = Vec::new();
    for (home, (declared, _)) in &all {
        for name in declared {
            let elsewhere = all.iter().filter(|(source, (own, implemented))| {
                source.room() == home.room() && !own.contains(name) && implemented.contains(name)
            });
            let files = 1 + elsewhere.count();
            if files > FILES_OF_A_TYPE {
                found.push(format!("{}: {name} in {files} files", home.path.display()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_two_folders_of_a_room_import_each_other() {
    let sources = sources();
    let mut imports: Vec<(String, String)> = Vec::new();
    for source in &sources {
        let Some(folder) = source.folder() else {
            continue;
        };
        let room = source.room();
        for name in source.names_of_its_room() {
            let other = format!("{room}/{name}");
            if other != folder && !imports.contains(&(folder.clone(), other.clone())) {
                imports.push((folder.clone(), other));
            }
        }
    }
    assert!(imports.len() > 50, "only {} imports found", imports.len());
    let listed = |a: &str, b: &str| {
        ONE_THING
            .iter()
            .any(|pair| *pair == [a, b] || *pair == [b, a])
    };
    let both: Vec<_> = (imports.iter())
        .filter(|(a, b)| a < b && imports.contains(&(b.clone(), a.clone())) && !listed(a, b))
        .collect();
    assert!(both.is_empty(), "{both:#?}");
    for [a, b] in ONE_THING {
        let pair = |a: &str, b: &str| imports.iter().any(|(x, y)| x == a && y == b);
        assert!(pair(a, b) && pair(b, a), "{a} and {b} need no exception");
    }
}

#[test]
fn the_table_has_each_room_once_and_no_two_that_import_each_other() {
    for (i, (room, allowed)) in MAY_IMPORT.iter().enumerate() {
        assert!(
            MAY_IMPORT[..i].iter().all(|(other, _)| other != room),
            "{room} twice"
        );
        for name in *allowed {
            let theirs = MAY_IMPORT.iter().find(|(other, _)| other == name);
            let (_, theirs) = theirs.unwrap_or_else(|| panic!("{room}: there is no room {name}"));
            assert!(
                !theirs.contains(room),
                "{room} and {name} import each other"
            );
        }
    }
}

mod rules_can_fail {
    use super::*;

    fn file(path: &str, text: &str) -> Source {
        Source::new(path.into(), text)
    }

    #[test]
    fn imports_are_found_however_they_are_written() {
        for text in [
            "use crate::engine;",
            "use crate::engine::{Engine, Progress};",
            "use crate::{engine, model};",
            "use crate::{model::{self, Want}, engine::Engine};",
            "pub(crate) fn f() { let _ = crate::engine::Engine::new(); }",
            "use super::super::engine;",
            "use super::super::{model, engine};",
        ] {
            let found = bad_imports(&file("tui/screen.rs", text));
            assert_eq!(found, ["tui may not import engine"], "{text}");
        }
    }

    #[test]
    fn a_missing_figure_that_would_pass_is_found_with_its_line() {
        let text =
            "let x = 1;\nassert!(row[\"a\"].as_f64() < Some(1.0));\nx > Some(1); // < Some(\n";
        assert_eq!(passes_without_a_figure(text), [2]);
        assert_eq!(passes_without_a_figure("a <= Some(b)"), [1]);
    }

    #[test]
    fn what_is_not_an_import_is_none() {
        for text in [
            "use super::engine;",
            "use crate::model::Snapshot;",
            "// use crate::engine;\n/* crate::engine */",
            "const TEXT: &str = \"crate::engine \\\" crate::engine\";",
            "const RAW: &str = r#\"\"crate::engine\"#; const C: char = '\"';",
            "#[cfg(test)]\nmod tests {\n use crate::engine; fn f() {}\n}\n",
            "#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests;\n",
            "#[cfg(test)]\nuse crate::engine;\n",
            "fn f<'a>(x: &'a str) {}",
        ] {
            let found = bad_imports(&file("tui/screen.rs", text));
            assert!(found.is_empty(), "{text}: {found:?}");
        }
    }

    #[test]
    fn code_after_a_test_module_is_read_again() {
        let text = "#[cfg(test)]\nmod tests { fn f() { [1; 2]; } }\nuse crate::engine;";
        assert_eq!(bad_imports(&file("tui/screen.rs", text)).len(), 1);
    }

    #[test]
    fn a_room_without_a_line_in_the_table_is_an_offence() {
        assert_eq!(bad_imports(&file("utils/mod.rs", "")).len(), 1);
        assert_eq!(
            bad_imports(&file("main.rs", "use netop::tui;")),
            ["main may not import tui"]
        );
    }

    #[test]
    fn unsafe_prints_and_clocks_are_found() {
        let text = "unsafe { f() } println!(\"x\"); let t = Instant::now(); t.elapsed();";
        let outside = file("engine/mod.rs", text);
        assert_eq!(bad_unsafe(&outside), ["unsafe outside src/sys"]);
        assert_eq!(bad_macros(&outside), ["println! has no place in src"]);
        assert_eq!(
            bad_clocks(&outside),
            ["Instant::now reads a clock", ".elapsed( reads a clock"]
        );
        assert!(bad_unsafe(&file("sys/perf.rs", text)).is_empty());
        assert!(bad_clocks(&file("source/live/slow.rs", text)).is_empty());
        assert_eq!(bad_clocks(&file("source/replay.rs", text)).len(), 2);
    }

    #[test]
    fn a_long_file_needs_its_excuse_in_the_header() {
        let long = "let x = 1;\n".repeat(LONGEST);
        assert!(bad_length(&long).is_none());
        assert!(bad_length(&format!("{long}\n// long because no header")).is_some());
        let excused = format!("//! A table;\n//! long because it has a row per key.\n{long}");
        assert!(bad_length(&excused).is_none());
    }
}
