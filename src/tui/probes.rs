//! The prompt of probes (Ctrl-P): what can be observed here, searched while one types; Enter adds
//! one or takes it away.

use std::collections::BTreeSet;

use super::action::Effect;
use super::prompt::{Kind, Prompt};
use super::state::UiState;
use crate::model::{Observable, ObservableKind};

/// Cells before what is typed (`add or remove: `), before the sentence of an error (`error: `), and
/// before each line that a wrong filter's error has after the first.
const PROMPT: usize = 15;
const ERROR: usize = 7;
const INDENT: usize = 2;

#[derive(Debug, Default)]
pub struct Probes {
    /// What was added with `-e` or here, as typed.
    pub events: Vec<String>,
    /// What the list is of (see [`place`]), once it was asked for.
    asked: Option<String>,
    list: Vec<Observable>,
    /// Why there is no list, or that it is still to come.
    missing: Option<String>,
}

impl Probes {
    pub fn new(events: Vec<String>) -> Probes {
        Probes {
            events,
            ..Probes::default()
        }
    }

    /// What holds the text, behind its file or tracepoint if it names one: names that begin with it
    /// first.
    pub fn matching(&self, text: &str) -> Vec<&Observable> {
        let text = text.trim();
        let (place, rest) = text.split_at(place(text).len());
        let rest = rest.to_lowercase();
        let name = |one: &Observable| Some(one.name.strip_prefix(place)?.to_lowercase());
        let holds = |one: &&Observable| {
            let called =
                one.kind == ObservableKind::Symbol && one.about.to_lowercase().contains(&rest);
            name(one).is_some_and(|name| called || name.contains(&rest))
        };
        let mut found: Vec<&Observable> = self.list.iter().filter(holds).collect();
        found.sort_by_key(|one| !name(one).is_some_and(|name| name.starts_with(&rest)));
        found
    }

    pub fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }
}

/// Which list the text asks for: `uprobe:FILE:`, the fields of `group:name:`, else what the kernel
/// has (nothing).
fn place(text: &str) -> &str {
    let mut colons = text.match_indices(':').map(|(at, _)| at);
    match (colons.next(), colons.next()) {
        (Some(_), Some(second)) if !text.starts_with("kprobe:") => &text[..=second],
        _ => "",
    }
}

impl UiState {
    pub(super) fn open_probes(&mut self) -> Option<Effect> {
        self.prompt = Some(Prompt::new(Kind::Probes, ""));
        // Another kernel module may have brought tracepoints since.
        self.probes.asked = None;
        self.list_probes()
    }

    /// Asks for the list that belongs to what is typed now.
    pub(super) fn list_probes(&mut self) -> Option<Effect> {
        let prompt = self.prompt.as_ref().filter(|p| p.kind == Kind::Probes)?;
        let place = place(prompt.text()).to_owned();
        if self.probes.asked.as_ref() == Some(&place) {
            return None;
        }
        self.probes.list.clear();
        self.probes.missing = Some("reading what can be observed here …".to_owned());
        self.probes.asked = Some(place.clone());
        Some(Effect::ListProbes(place))
    }

    /// The answer to [`Effect::ListProbes`]; an answer to an older question is let go.
    pub fn probes_listed(&mut self, place: &str, list: Result<Vec<Observable>, String>) {
        if self.probes.asked.as_deref() != Some(place) {
            return;
        }
        match list {
            Ok(list) => (self.probes.list, self.probes.missing) = (list, None),
            Err(why) => self.probes.missing = Some(why),
        }
    }

    /// Is it counted because somebody asked for it?
    pub(super) fn is_added(&self, name: &str) -> bool {
        self.want.exact.contains(name) || self.probes.events.iter().any(|event| event == name)
    }

    pub(super) fn accept_probe(&mut self, mut prompt: Prompt) -> Option<Effect> {
        let found = self.probes.matching(prompt.text());
        let typed = prompt.text().trim().to_owned();
        let is_typed = |one: &&Observable| one.name == typed;
        let meant = match prompt.pick {
            Some(pick) => found.get(pick).copied(),
            None => self.probes.list.iter().find(is_typed),
        };
        let Some(Observable { name, kind, about }) = meant.cloned() else {
            return self.toggle_event(typed);
        };
        match kind {
            ObservableKind::Function => self.toggle_function(&name),
            ObservableKind::Same => self.toggle_function(&about),
            ObservableKind::Field => {
                prompt.set(&name);
                self.message("a field is compared, as in len>1000", false);
                self.prompt = Some(prompt);
            }
            ObservableKind::Tracepoint | ObservableKind::Symbol => return self.toggle_event(name),
        }
        None
    }

    /// The chosen name, without a choice the first, takes the place of what was typed.
    pub(super) fn complete_probe(&self, prompt: &mut Prompt) {
        let found = self.probes.matching(prompt.text());
        if let Some(one) = found.get(prompt.pick.unwrap_or(0)) {
            prompt.set(&one.name);
        }
    }

    fn toggle_event(&mut self, name: String) -> Option<Effect> {
        if name.is_empty() {
            return None;
        }
        let mut events = self.probes.events.clone();
        match events.iter().position(|event| *event == name) {
            Some(at) => drop(events.remove(at)),
            None => events.push(name),
        }
        Some(Effect::Probes(events))
    }

    /// These are counted from now on: what [`Effect::Probes`] asked for. `notes`: what to know.
    pub fn probes_taken(&mut self, events: Vec<String>, exact: BTreeSet<String>, notes: &[String]) {
        let new = events.iter().find(|one| !self.probes.events.contains(one));
        let gone = self.probes.events.iter().find(|one| !events.contains(one));
        let said = match (new, gone) {
            (Some(new), Some(gone)) => {
                format!("{new} added, {gone} removed: it can no longer be attached; totals restart")
            }
            (Some(new), None) => format!("{new} added; totals restart"),
            (None, Some(gone)) => format!("{gone} removed; totals restart"),
            (None, None) => "nothing has changed".to_owned(),
        };
        let notes = notes
            .iter()
            .filter(|note| new.is_some_and(|new| note.contains(new)));
        let said = notes.fold(said, |said, note| format!("{said}. {note}"));
        self.message(&said, false);
        self.want.exact = exact;
        self.want.drill = None;
        self.probes.events = events;
    }

    /// Why they cannot be: what was typed stays, to be mended.
    pub fn probes_refused(&mut self, events: &[String], why: &str) {
        let new = events.iter().find(|one| !self.probes.events.contains(one));
        if let Some(new) = new {
            self.prompt = Some(Prompt::new(Kind::Probes, new));
        }
        let lines: Vec<&str> = why.lines().collect();
        let room = usize::from(self.size.0);
        match lines[..] {
            // A filter that is wrong at a character: the mark stands over it in the prompt, where
            // there is room for the sentence behind it.
            [_, said, mark] if mark.chars().count() + PROMPT - INDENT <= room => {
                let column = mark.len() - mark.trim_start().len() + PROMPT - INDENT - ERROR;
                let scrolls = said.chars().count() + PROMPT - INDENT > room;
                let column = if scrolls { 0 } else { column };
                self.message(
                    &format!("{}{}", " ".repeat(column), mark.trim_start()),
                    true,
                );
            }
            [_, _, mark] => self.message(mark.trim_start_matches([' ', '^']), true),
            _ => self.message(&lines.join(" "), true),
        }
    }
}

#[cfg(test)]
#[path = "probes_test.rs"]
mod tests;
