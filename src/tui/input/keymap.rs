//! One table of all keys; look-up, footer, help and the table of docs/keys.md walk it. Its order is the order
//! on screen, and in the footer the first entries are the last to be left out.

use std::fmt::Write as _;

use crossterm::event::{KeyCode, KeyEvent};

use super::action::{Action, Step};
use super::key::Key;

/// Where a key was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    Path,
    Cpus,
    Devices,
    Procs,
    Stacks,
    Drops,
    Latency,
    Advice,
    Tcp,
    /// The flame graph of Stacks: its boxes stand side by side.
    Flame,
    Help,
    /// A line of text is being typed; keys without a binding are its characters.
    Prompt,
}

#[derive(Debug)]
pub struct Binding {
    pub contexts: &'static [Context],
    pub keys: &'static [Key],
    pub action: Action,
    /// In the footer; empty: not there.
    pub label: &'static str,
    /// One sentence for help and docs/keys.md.
    pub help: &'static str,
}

use Context::{
    Advice, Cpus, Devices, Drops, Flame, Help, Latency, Path, Procs, Prompt, Stacks, Tcp,
};

/// What there is to do at a place: which of the common keys work there.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Rows and a cursor: left and right go through time.
    Table,
    /// The same, and rows open.
    Openable,
    /// Call stacks as a tree.
    Tree,
    /// Boxes side by side, among which `h` and `l` move.
    Boxes,
    Help,
    Prompt,
}

/// Every context: what help calls it, and its kind. A new view is a row here.
const PLACES: [(Context, &str, Kind); 12] = [
    (Path, "Path", Kind::Table),
    (Cpus, "CPUs", Kind::Table),
    (Devices, "Devices", Kind::Openable),
    (Procs, "Procs", Kind::Table),
    (Stacks, "tree", Kind::Tree),
    (Drops, "Drops", Kind::Table),
    (Latency, "Latency", Kind::Table),
    (Advice, "Advice", Kind::Table),
    (Tcp, "TCP", Kind::Table),
    (Flame, "flame", Kind::Boxes),
    (Help, "help", Kind::Help),
    (Prompt, "prompt", Kind::Prompt),
];

/// Places of some kinds, in the order of [`PLACES`].
macro_rules! places {
    ($($kind:pat_param)|+) => {{
        const fn is_one(kind: Kind) -> bool {
            matches!(kind, $($kind)|+)
        }
        const COUNT: usize = {
            let (mut count, mut at) = (0, 0);
            while at < PLACES.len() {
                count += is_one(PLACES[at].2) as usize;
                at += 1;
            }
            count
        };
        const FOUND: [Context; COUNT] = {
            let (mut found, mut count, mut at) = ([Prompt; COUNT], 0, 0);
            while at < PLACES.len() {
                if is_one(PLACES[at].2) {
                    found[count] = PLACES[at].0;
                    count += 1;
                }
                at += 1;
            }
            found
        };
        &FOUND
    }};
}

const ANYWHERE: &[Context] = places!(_);
const SCREENS: &[Context] =
    places!(Kind::Table | Kind::Openable | Kind::Tree | Kind::Boxes | Kind::Help);
const VIEWS: &[Context] = places!(Kind::Table | Kind::Openable | Kind::Tree | Kind::Boxes);
/// Screens where `h` is free.
const LETTERS: &[Context] = places!(Kind::Table | Kind::Openable | Kind::Tree | Kind::Help);
const TABLES: &[Context] = places!(Kind::Table | Kind::Openable);
/// Nothing is opened or closed here.
const STILL: &[Context] = places!(Kind::Table);
/// The tree and the flame graph.
const FRAMES: &[Context] = places!(Kind::Tree | Kind::Boxes);

const fn bind(
    contexts: &'static [Context],
    keys: &'static [Key],
    action: Action,
    label: &'static str,
    help: &'static str,
) -> Binding {
    Binding {
        contexts,
        keys,
        action,
        label,
        help,
    }
}

const ENTER: Key = Key::code(KeyCode::Enter);
const ESC: Key = Key::code(KeyCode::Esc);
const BACKSPACE: Key = Key::code(KeyCode::Backspace);
const TAB: Key = Key::code(KeyCode::Tab);
const BACK_TAB: Key = Key::code(KeyCode::BackTab);
const UP: Key = Key::code(KeyCode::Up);
const DOWN: Key = Key::code(KeyCode::Down);
const LEFT: Key = Key::code(KeyCode::Left);
const RIGHT: Key = Key::code(KeyCode::Right);
const PAGE_UP: Key = Key::code(KeyCode::PageUp);
const PAGE_DOWN: Key = Key::code(KeyCode::PageDown);
const HOME: Key = Key::code(KeyCode::Home);
const END: Key = Key::code(KeyCode::End);
const F1: Key = Key::code(KeyCode::F(1));

const fn c(c: char) -> Key {
    Key::char(c)
}

#[rustfmt::skip]
pub static KEYMAP: &[Binding] = &[
    bind(SCREENS, &[c('q')], Action::Quit, "quit", "Quit."),
    bind(ANYWHERE, &[Key::ctrl('c')], Action::Quit, "", "Quit, also while typing."),
    bind(LETTERS, &[c('?'), c('h'), F1], Action::Help, "help", "Show or hide this help."),
    bind(&[Flame], &[c('?'), F1], Action::Help, "help", "Show this help."),
    bind(VIEWS, &[c(' ')], Action::Pause, "pause", "Freeze what is shown and go on exploring it; again: back to now."),
    bind(&[Prompt], &[ENTER], Action::Accept, "accept", "Take what was typed."),
    bind(&[Path], &[ENTER], Action::Drill, "stacks", "Show the call stacks that lead to this function."),
    bind(&[Procs], &[ENTER], Action::PickProcess, "only this", "Count only this process."),
    bind(&[Procs], &[c('s')], Action::ProcessStacks, "stacks", "Show where the CPU time of this process goes."),
    bind(&[Tcp], &[ENTER], Action::PickProcess, "only this", "Count only the process of this socket."),
    bind(&[Tcp], &[c('b')], Action::Grouping(false), "by", "By peer network, port, process, state; listening sockets."),
    bind(&[Tcp], &[c('B')], Action::Grouping(true), "", "The grouping before."),
    bind(&[Cpus], &[c('s'), ENTER], Action::StageStacks(false), "stages", "Show where the CPU time of the heaviest stage goes."),
    bind(&[Drops], &[ENTER], Action::Drill, "stacks", "Show the call stacks that drop packets."),
    bind(&[Advice], &[c('y'), ENTER], Action::Copy, "copy", "Copy the command to the terminal's clipboard."),
    bind(&[Advice], &[c('x')], Action::HideRule, "hide", "Hide this rule until netop ends."),
    bind(&[Devices], &[ENTER], Action::Toggle, "queues", "Show the queues of this device, or hide them."),
    bind(&[Stacks], &[ENTER], Action::Toggle, "open", "Open or close this frame."),
    bind(&[Stacks], &[c('z')], Action::Zoom, "zoom", "Only what is below this frame; Esc goes back."),
    bind(&[Flame], &[ENTER, c('z')], Action::Zoom, "zoom", "Only what is below this frame; Esc goes back."),
    bind(FRAMES, &[c('f')], Action::Flame, "flame", "Flame graph, or the tree again."),
    bind(FRAMES, &[c('c')], Action::Source, "cpu", "CPU time, or hits of the functions."),
    bind(FRAMES, &[c('s')], Action::StageStacks(false), "stage", "Only the next stage, heaviest first; then all again."),
    bind(FRAMES, &[c('S')], Action::StageStacks(true), "", "Only the stage before."),
    bind(FRAMES, &[c('i')], Action::Invert, "invert", "From the leaves outwards, or from the outside again."),
    bind(&[Path], &[c('e')], Action::Exact, "exact", "Count it exactly, whatever it costs; again: no more."),
    bind(VIEWS, &[c('p')], Action::Pids, "pid", "Count only some processes: PIDs or names, empty for all."),
    bind(VIEWS, &[Key::ctrl('p')], Action::Probes, "", "Add or remove a function, tracepoint or breakpoint."),
    bind(VIEWS, &[c('o')], Action::Whose, "", "A PID means the socket's owner, or the context."),
    bind(TABLES, &[c('/')], Action::Text, "filter", "Show only rows with this text."),
    bind(FRAMES, &[c('/')], Action::Text, "search", "Find frames by a regular expression."),
    bind(FRAMES, &[c('n')], Action::NextMatch, "next", "Go to the next frame found."),
    bind(FRAMES, &[c('N')], Action::PreviousMatch, "", "Go to the previous frame found."),
    bind(VIEWS, &[c('w')], Action::Save, "save", "Write the snapshot on the screen to a file."),
    bind(VIEWS, &[c('W')], Action::Bundle, "", "Write a directory for a ticket: history, stacks, settings."),
    bind(VIEWS, &[c('!')], Action::Detach, "detach all", "Detach every event from the kernel at once; again: attach."),
    bind(VIEWS, &[c('d')], Action::Mark, "mark", "Mark, and say what differs; again: no more (a finding: changed)."),
    bind(&[Prompt], &[ESC], Action::Back, "cancel", "Cancel."),
    bind(SCREENS, &[ESC, BACKSPACE], Action::Back, "back", "Leave the zoom, the text, the view, the PID filter, one by one."),
    bind(VIEWS, &[TAB], Action::NextView, "", "Next view."),
    bind(VIEWS, &[BACK_TAB], Action::PreviousView, "", "Previous view."),
    bind(VIEWS, &[c('1')], Action::View('1'), "", "Path: the functions of the stack."),
    bind(VIEWS, &[c('2')], Action::View('2'), "", "CPUs: who is busy with packets."),
    bind(VIEWS, &[c('3')], Action::View('3'), "", "Devices: what each carries, batches and loses."),
    bind(VIEWS, &[c('4')], Action::View('4'), "", "Procs: for whose sockets the stack works, and who pays."),
    bind(VIEWS, &[c('5')], Action::View('5'), "", "Stacks: the way to a function."),
    bind(VIEWS, &[c('6')], Action::View('6'), "", "Drops: where packets are lost, and why."),
    bind(VIEWS, &[c('7')], Action::View('7'), "", "Latency: how long packets and readers wait."),
    bind(VIEWS, &[c('8')], Action::View('8'), "", "Advice: what should be changed, and why."),
    bind(VIEWS, &[c('9')], Action::View('9'), "", "TCP: connections, and what holds them up."),
    bind(TABLES, &[c('>')], Action::SortNext, "", "Sort by the next column."),
    bind(TABLES, &[c('<')], Action::SortPrevious, "", "Sort by the previous column."),
    bind(TABLES, &[c('r')], Action::Reverse, "", "Reverse the order."),
    bind(VIEWS, &[c('+'), c('=')], Action::Slower, "", "Longer interval."),
    bind(VIEWS, &[c('-')], Action::Faster, "", "Shorter interval."),
    bind(VIEWS, &[c('[')], Action::Older, "", "One snapshot back; live: while paused."),
    bind(VIEWS, &[c(']')], Action::Newer, "", "One snapshot on; live: while paused."),
    bind(STILL, &[LEFT], Action::Older, "", "One snapshot back, in views where it opens nothing."),
    bind(STILL, &[RIGHT], Action::Newer, "", "One snapshot on, in views where it opens nothing."),
    bind(&[Devices], &[RIGHT], Action::Expand, "", "Show the queues of this device."),
    bind(&[Devices], &[LEFT], Action::Collapse, "", "Hide the queues of this device."),
    bind(&[Stacks], &[RIGHT], Action::Expand, "", "Open this frame, or go to its first callee."),
    bind(&[Stacks], &[LEFT], Action::Collapse, "", "Close this frame, or go to its caller."),
    bind(&[Stacks], &[c('*')], Action::ExpandAll, "", "Open everything below this frame."),
    bind(FRAMES, &[c('R')], Action::Unroll, "", "Show each repeat of a recursion, or fold them again."),
    bind(&[Flame], &[LEFT, c('h')], Action::Beside(true), "", "The box on the left; up and down: caller and callee."),
    bind(&[Flame], &[RIGHT, c('l')], Action::Beside(false), "", "The box on the right."),
    bind(SCREENS, &[UP, c('k')], Action::Move(Step::Up), "", "Up."),
    bind(SCREENS, &[DOWN, c('j')], Action::Move(Step::Down), "", "Down."),
    bind(SCREENS, &[PAGE_UP], Action::Move(Step::PageUp), "", "A page up."),
    bind(SCREENS, &[PAGE_DOWN], Action::Move(Step::PageDown), "", "A page down."),
    bind(SCREENS, &[HOME, c('g')], Action::Move(Step::First), "", "To the first row."),
    bind(SCREENS, &[END, c('G')], Action::Move(Step::Last), "", "To the last row."),
    bind(&[Prompt], &[UP], Action::Move(Step::Up), "", "Choose the completion above."),
    bind(&[Prompt], &[DOWN], Action::Move(Step::Down), "", "Choose the completion below."),
    bind(&[Prompt], &[TAB], Action::Complete, "complete", "Complete the name."),
    bind(SCREENS, &[c('t')], Action::Theme, "", "Next colour theme."),
    bind(ANYWHERE, &[Key::ctrl('l')], Action::Redraw, "", "Draw the screen anew."),
    bind(ANYWHERE, &[Key::ctrl('z')], Action::Suspend, "", "Suspend netop; `fg` brings it back."),
];

pub fn lookup(context: Context, event: KeyEvent) -> Option<Action> {
    bindings(context)
        .find(|binding| binding.keys.iter().any(|key| key.matches(event)))
        .map(|binding| binding.action)
}

pub fn bindings(context: Context) -> impl Iterator<Item = &'static Binding> {
    KEYMAP
        .iter()
        .filter(move |binding| binding.contexts.contains(&context))
}

impl Binding {
    /// All its keys, as help writes them.
    pub fn names(&self) -> String {
        let names: Vec<String> = self.keys.iter().map(|key| key.name()).collect();
        names.join(" ")
    }

    /// Where it works, when that is not every view.
    pub fn place(&self) -> &'static str {
        if let [only] = self.contexts {
            let its = PLACES.iter().find(|(context, ..)| context == only);
            return its.map_or("", |(_, name, _)| name);
        }
        if self.contexts == FRAMES {
            "Stacks"
        } else if self.contexts == TABLES {
            "tables"
        } else {
            ""
        }
    }
}

/// The key table of docs/keys.md.
pub fn markdown() -> String {
    let mut out = String::from("| Key | Where | What it does |\n|---|---|---|\n");
    for binding in KEYMAP {
        let keys: Vec<String> = binding
            .keys
            .iter()
            .map(|key| format!("`{}`", key.name()))
            .collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} |",
            keys.join(" "),
            binding.place(),
            binding.help
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::key::parse_keys;
    use super::*;
    use crate::tui::view;

    #[test]
    fn a_key_has_one_meaning_in_one_place() {
        for &context in ANYWHERE {
            let mut seen: Vec<Key> = Vec::new();
            for key in bindings(context).flat_map(|binding| binding.keys) {
                assert!(!seen.contains(key), "{context:?}: {}", key.name());
                seen.push(*key);
            }
        }
    }

    #[test]
    fn every_key_is_explained_by_a_sentence_that_fits_the_help() {
        for binding in KEYMAP {
            assert!(!binding.keys.is_empty() && !binding.contexts.is_empty());
            assert!(binding.help.ends_with('.'), "{}", binding.help);
            let place = match binding.place() {
                "" => 0,
                place => place.len() + 3,
            };
            let line = 16 + binding.help.chars().count() + place;
            assert!(line <= 80, "{}", binding.help);
            assert!(binding.names().chars().count() <= 13, "{}", binding.names());
            assert!(binding.label.len() <= 10, "{}", binding.label);
        }
    }

    #[test]
    fn one_can_always_leave() {
        let ctrl_c = parse_keys("<c-c>").expect("valid")[0];
        for &context in ANYWHERE {
            assert_eq!(lookup(context, ctrl_c), Some(Action::Quit), "{context:?}");
        }
        let q = parse_keys("q").expect("valid")[0];
        assert_eq!(lookup(Help, q), Some(Action::Quit));
        assert_eq!(lookup(Prompt, q), None, "a q is text in a prompt");
    }

    #[test]
    fn every_view_has_its_digit_and_every_digit_its_view() {
        for view in view::VIEWS {
            let key = parse_keys(&view.digit().to_string()).expect("valid")[0];
            assert_eq!(lookup(Path, key), Some(Action::View(view.digit())));
        }
        for binding in KEYMAP {
            if let Action::View(digit) = binding.action {
                assert!(
                    view::VIEWS.iter().any(|view| view.digit() == digit),
                    "{digit}"
                );
            }
        }
    }

    #[test]
    fn the_readme_table_has_a_line_for_every_binding() {
        let table = markdown();
        assert_eq!(table.lines().count(), KEYMAP.len() + 2);
        assert!(table.contains("| `?` `h` `F1` |  | Show or hide this help. |"));
    }
}
