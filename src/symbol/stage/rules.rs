//! The rules of a table, compiled: which line does a function name belong to?

use rustc_hash::FxHashMap;

/// A function of a module that drives a network device.
const MODULE: &str = "<module-of-a-netdev>";
/// A program the kernel compiled: its tag, not its name, is what is sure.
const JITED: &str = "^bpf_prog_<hex16>";

/// Every prefix is at least this long; names are put in drawers by so many first bytes.
const DRAWER: usize = 3;

#[derive(Debug, Default)]
pub struct Rules {
    exact: FxHashMap<&'static str, usize>,
    /// In the order of the table.
    prefixes: FxHashMap<[u8; DRAWER], Vec<Prefix>>,
    /// The rule of modules: its place among the rules and its line.
    module: Option<(usize, usize)>,
    /// How many rules there are.
    count: usize,
}

#[derive(Debug)]
struct Prefix {
    begins: Begins,
    /// Place among all rules.
    order: usize,
    line: usize,
}

#[derive(Debug)]
enum Begins {
    With(&'static str),
    Jited,
}

impl Begins {
    fn fits(&self, name: &str) -> bool {
        match self {
            Begins::With(prefix) => name.starts_with(prefix),
            Begins::Jited => jited_program(name).is_some(),
        }
    }
}

impl Rules {
    /// Adds the rules of a line, in order.
    pub fn add(&mut self, line: usize, rules: &'static str) -> Result<(), String> {
        for rule in rules.split_ascii_whitespace() {
            self.add_rule(line, rule)
                .map_err(|why| format!("{rule}: {why}"))?;
        }
        Ok(())
    }

    fn add_rule(&mut self, line: usize, rule: &'static str) -> Result<(), &'static str> {
        let order = self.count;
        self.count += 1;
        if rule == MODULE {
            let before = self.module.replace((order, line));
            return before.map_or(Ok(()), |_| Err("twice"));
        }
        if rule == JITED {
            return self.add_prefix("bpf_prog_", Begins::Jited, order, line);
        }
        let name = rule.get(1..).unwrap_or_default();
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err("not a function's name");
        }
        if rule.starts_with('^') {
            return self.add_prefix(name, Begins::With(name), order, line);
        }
        if !rule.starts_with('=') {
            return Err("begins with neither = nor ^");
        }
        let before = self.exact.insert(name, line);
        before.map_or(Ok(()), |_| Err("twice"))
    }

    fn add_prefix(
        &mut self,
        text: &str,
        begins: Begins,
        order: usize,
        line: usize,
    ) -> Result<(), &'static str> {
        let drawer = drawer(text).ok_or("too short a prefix")?;
        self.prefixes.entry(drawer).or_default().push(Prefix {
            begins,
            order,
            line,
        });
        Ok(())
    }

    /// An exact match, else the first prefix; `driver`: the rule of modules fits.
    pub fn find(&self, name: &str, driver: bool) -> Option<usize> {
        if let Some(&line) = self.exact.get(name) {
            return Some(line);
        }
        let prefix = drawer(name)
            .and_then(|drawer| self.prefixes.get(&drawer))
            .and_then(|prefixes| prefixes.iter().find(|prefix| prefix.begins.fits(name)))
            .map(|prefix| (prefix.order, prefix.line));
        let module = self.module.filter(|_| driver);
        prefix.into_iter().chain(module).min().map(|(_, line)| line)
    }
}

fn drawer(name: &str) -> Option<[u8; DRAWER]> {
    name.as_bytes().first_chunk().copied()
}

/// `bpf_prog_` + 16 hex digits + `_name` (kernel/bpf/core.c, `bpf_get_prog_name`): the name, empty
/// when the program has none.
pub fn jited_program(name: &str) -> Option<&str> {
    let tagged = name.strip_prefix("bpf_prog_")?;
    let (tag, name) = tagged.split_at_checked(16)?;
    if !tag.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    if name.is_empty() {
        return Some(name);
    }
    name.strip_prefix('_')
}
