//! The prompt of probes (Ctrl-P): what can be observed here, searched while one types; Enter adds
//! one or takes it away.

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

    /// The one that is called exactly so.
    pub fn named(&self, name: &str) -> Option<&Observable> {
        self.list.iter().find(|one| one.name == name)
    }

    /// The list that belongs to `text` (see [`place`]), if it is to be asked for.
    pub fn ask(&mut self, text: &str) -> Option<String> {
        let place = place(text).to_owned();
        if self.asked.as_ref() == Some(&place) {
            return None;
        }
        self.list.clear();
        self.missing = Some("reading what can be observed here …".to_owned());
        self.asked = Some(place.clone());
        Some(place)
    }

    /// The list is asked for anew: another kernel module may have brought tracepoints since.
    pub fn forget(&mut self) {
        self.asked = None;
    }

    /// The answer to what was asked for; an answer to an older question is let go.
    pub fn answer(&mut self, place: &str, list: Result<Vec<Observable>, String>) {
        if self.asked.as_deref() != Some(place) {
            return;
        }
        match list {
            Ok(list) => (self.list, self.missing) = (list, None),
            Err(why) => self.missing = Some(why),
        }
    }

    /// The events with `name` added, or without it if it is one of them.
    pub fn toggled(&self, name: String) -> Vec<String> {
        let mut events = self.events.clone();
        match events.iter().position(|event| *event == name) {
            Some(at) => drop(events.remove(at)),
            None => events.push(name),
        }
        events
    }

    /// The one of `events` that is not counted yet.
    pub fn added_by<'a>(&self, events: &'a [String]) -> Option<&'a String> {
        events.iter().find(|one| !self.events.contains(one))
    }

    /// Takes what is counted from now on, and says what has changed. `notes`: what to know.
    pub fn set(&mut self, events: Vec<String>, notes: &[String]) -> String {
        let new = self.added_by(&events);
        let gone = self.events.iter().find(|one| !events.contains(one));
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
        self.events = events;
        said
    }
}

/// Why a probe was refused, for a prompt of `width` cells. Of a filter that is wrong at a character the
/// mark stands over that character, where there is room for the sentence behind it.
pub fn refusal(why: &str, width: usize) -> String {
    let lines: Vec<&str> = why.lines().collect();
    match lines[..] {
        [_, said, mark] if mark.chars().count() + PROMPT - INDENT <= width => {
            let column = mark.len() - mark.trim_start().len() + PROMPT - INDENT - ERROR;
            let scrolls = said.chars().count() + PROMPT - INDENT > width;
            let column = if scrolls { 0 } else { column };
            format!("{}{}", " ".repeat(column), mark.trim_start())
        }
        [_, _, mark] => mark.trim_start_matches([' ', '^']).to_owned(),
        _ => lines.join(" "),
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
