//! The line being typed: text to look for, PIDs with names that complete, or what is to be counted.

use crossterm::event::{Event, KeyEvent};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use crate::model::steers;

/// Longer than any name or list of PIDs a person types; a stray paste ends here.
const LONGEST: usize = 400;

/// Why pid 0 is no filter.
pub const IDLE_TASK: &str = "swapper is the idle task of every CPU: it cannot be counted alone";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Pids,
    Probes,
}

#[derive(Debug)]
pub struct Prompt {
    pub kind: Kind,
    pub input: Input,
    /// Which completion is chosen.
    pub pick: Option<usize>,
    /// What was there when it opened; Esc brings it back.
    pub before: String,
}

impl Prompt {
    pub fn new(kind: Kind, text: &str) -> Prompt {
        Prompt {
            kind,
            input: Input::new(text.to_owned()),
            pick: None,
            before: text.to_owned(),
        }
    }

    /// Another text, with the cursor at its end.
    pub fn set(&mut self, text: &str) {
        self.input = Input::new(text.to_owned());
        self.pick = None;
    }

    pub fn text(&self) -> &str {
        self.input.value()
    }

    pub fn key(&mut self, key: KeyEvent) {
        if self
            .input
            .handle_event(&Event::Key(key))
            .is_some_and(|changed| changed.value)
        {
            self.pick = None;
        }
    }

    pub fn paste(&mut self, text: &str) {
        let room = LONGEST.saturating_sub(self.text().chars().count());
        for c in text.chars().filter(|c| !steers(*c)).take(room) {
            self.input.handle(tui_input::InputRequest::InsertChar(c));
        }
        self.pick = None;
    }

    /// Processes that the last word of the list means, by PID or by name.
    pub fn completions<'a>(&self, candidates: &'a [(u32, String)]) -> Vec<&'a (u32, String)> {
        let word = last_word(self.text()).to_lowercase();
        let mut found: Vec<_> = candidates
            .iter()
            .filter(|(pid, name)| {
                pid.to_string().starts_with(&word) || name.to_lowercase().contains(&word)
            })
            .collect();
        // Names that begin with the word before those that hold it somewhere.
        found.sort_by_key(|(pid, name)| (!name.to_lowercase().starts_with(&word), *pid));
        found
    }

    /// The chosen completion, without a choice the first, takes the place of the last word.
    pub fn complete(&mut self, candidates: &[(u32, String)]) {
        if self.pick.is_none() && last_word(self.text()).is_empty() {
            return;
        }
        let Some((pid, _)) = self
            .completions(candidates)
            .get(self.pick.unwrap_or(0))
            .copied()
        else {
            return;
        };
        let done = self.text().len() - last_word(self.text()).len();
        let text = format!("{}{pid}", &self.text()[..done]);
        self.set(&text);
    }

    /// The PIDs that were meant. A name means every process that is called so, or the only one
    /// that holds it; `candidates` may still be empty, then only numbers are understood.
    pub fn pids(&self, candidates: &[(u32, String)]) -> Result<Vec<u32>, String> {
        let mut pids = Vec::new();
        for word in self
            .text()
            .split([',', ' '])
            .filter(|word| !word.is_empty())
        {
            pids.extend(meant(word, candidates)?);
        }
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }
}

fn last_word(text: &str) -> &str {
    text.rsplit([',', ' ']).next().unwrap_or("")
}

fn meant(word: &str, candidates: &[(u32, String)]) -> Result<Vec<u32>, String> {
    if word == "swapper" || word.parse() == Ok(0) {
        return Err(IDLE_TASK.to_owned());
    }
    if let Ok(pid) = word.parse::<u32>() {
        let there = candidates.is_empty() || candidates.iter().any(|(known, _)| *known == pid);
        return if there {
            Ok(vec![pid])
        } else {
            Err(format!("there is no process {pid}"))
        };
    }
    let called = |test: &dyn Fn(&str) -> bool| -> Vec<u32> {
        let named = candidates.iter().filter(|(_, name)| test(name));
        named.map(|(pid, _)| *pid).collect()
    };
    let exact = called(&|name| name == word);
    if !exact.is_empty() {
        return Ok(exact);
    }
    let word_lower = word.to_lowercase();
    let holding = called(&|name| name.to_lowercase().contains(&word_lower));
    match holding.len() {
        1 => Ok(holding),
        0 if candidates.is_empty() => Err(format!(
            "names are not known yet; type the PID of '{word}' or wait for the list"
        )),
        0 => Err(format!("no process is called '{word}'")),
        n => Err(format!("'{word}' is part of {n} names: choose one with ↓")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::parse_keys;
    use super::*;

    fn candidates() -> Vec<(u32, String)> {
        [
            (1, "init"),
            (120, "nginx"),
            (121, "nginx"),
            (300, "iperf3"),
            (12, "xnginx"),
        ]
        .map(|(pid, name)| (pid, name.to_owned()))
        .to_vec()
    }

    fn typed(script: &str) -> Prompt {
        let mut prompt = Prompt::new(Kind::Pids, "");
        for key in parse_keys(script).expect("valid") {
            prompt.key(key);
        }
        prompt
    }

    #[test]
    fn numbers_and_names_become_pids() {
        let pids = |script| typed(script).pids(&candidates());
        assert_eq!(pids("300, 1"), Ok(vec![1, 300]));
        assert_eq!(pids("nginx"), Ok(vec![120, 121]), "all that are called so");
        assert_eq!(pids("iper"), Ok(vec![300]), "the only one that holds it");
        assert_eq!(pids(""), Ok(vec![]));
        assert!(pids("ngi").expect_err("three").contains("3 names"));
        assert!(pids("999").expect_err("none").contains("no process 999"));
        assert_eq!(pids("1,0"), Err(IDLE_TASK.to_owned()));
        assert!(pids("foo").expect_err("none").contains("'foo'"));
        assert_eq!(typed("999").pids(&[]), Ok(vec![999]), "nothing known yet");
    }

    #[test]
    fn completion_offers_names_that_begin_so_first_and_replaces_the_last_word() {
        let mut prompt = typed("1,ng");
        let found: Vec<u32> = prompt
            .completions(&candidates())
            .iter()
            .map(|c| c.0)
            .collect();
        assert_eq!(found, [120, 121, 12]);
        prompt.pick = Some(1);
        prompt.complete(&candidates());
        assert_eq!(prompt.text(), "1,121");
    }

    #[test]
    fn a_paste_brings_no_control_characters_and_no_novel() {
        let mut prompt = typed("");
        prompt.paste("12\x1b[31m\n0");
        assert_eq!(prompt.text(), "12[31m0");
        prompt.paste(&"9".repeat(10_000));
        assert_eq!(prompt.text().len(), LONGEST);
    }
}
