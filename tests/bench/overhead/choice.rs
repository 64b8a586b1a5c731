//! What was asked for on the command line.

use crate::shape::SHAPES;
use crate::watcher::State;

const USAGE: &str = "usage: cargo bench --bench overhead [-- ROUNDS] [--only SHAPE,…] \
[--watch NAME,…] [--state settled,first,three] [--toggle]
shapes: one_cpu, both, burst, half, rpc, tcp; a part of a watcher's name is enough for --watch, \
which knows more than are watched without it";

pub struct Choice {
    pub rounds: usize,
    /// One netop that is detached and attached in turn, instead of watchers that come and go.
    pub toggle: bool,
    pub states: Vec<State>,
    shapes: Vec<String>,
    watchers: Vec<String>,
}

impl Choice {
    pub fn from_words(words: impl Iterator<Item = String>) -> Result<Choice, &'static str> {
        let mut choice = Choice {
            rounds: 3,
            toggle: false,
            states: vec![State::Settled],
            shapes: Vec::new(),
            watchers: Vec::new(),
        };
        // cargo adds --bench.
        let mut words = words.filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            let mut names = || -> Result<Vec<String>, &str> {
                let names = words.next().ok_or(USAGE)?;
                Ok(names.split(',').map(str::to_owned).collect())
            };
            match word.as_str() {
                "--only" => choice.shapes = names()?,
                "--watch" => choice.watchers = names()?,
                "--state" => choice.states = states(&names()?)?,
                "--toggle" => choice.toggle = true,
                number => match number.parse() {
                    Ok(rounds @ 1..) => choice.rounds = rounds,
                    _ => return Err(USAGE),
                },
            }
        }
        let known = |name: &String| SHAPES.iter().any(|shape| shape.is_called(name));
        if choice.shapes.iter().all(known) {
            Ok(choice)
        } else {
            Err(USAGE)
        }
    }

    pub fn shapes(&self) -> impl Iterator<Item = &'static crate::shape::Shape> {
        SHAPES.iter().filter(|shape| {
            self.shapes.is_empty() || self.shapes.iter().any(|name| shape.is_called(name))
        })
    }

    /// Nothing beside nothing always is: it says what the figures of the others are worth.
    pub fn wants_watcher(&self, name: &str, usual: bool) -> bool {
        let chosen = self.watchers.iter().any(|part| name.contains(part));
        chosen || (self.watchers.is_empty() && usual) || name == crate::watcher::NOTHING
    }
}

/// In the order of time.
fn states(names: &[String]) -> Result<Vec<State>, &'static str> {
    let all = [State::First, State::Three, State::Settled];
    let known = |name: &String| all.iter().any(|state| state.word() == name);
    if !names.iter().all(known) {
        return Err(USAGE);
    }
    Ok(all
        .into_iter()
        .filter(|state| names.iter().any(|name| name == state.word()))
        .collect())
}
