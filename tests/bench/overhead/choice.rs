//! What was asked for on the command line.

const USAGE: &str = "usage: cargo bench --bench overhead [-- ROUNDS] [--only LOAD,…] \
[--watch NAME,…]: loads are udp, tcp and latency; a part of a watcher's name is enough";

pub struct Choice {
    pub rounds: usize,
    loads: Vec<String>,
    watchers: Vec<String>,
}

impl Choice {
    pub fn from_words(words: impl Iterator<Item = String>) -> Result<Choice, &'static str> {
        let mut choice = Choice {
            rounds: 3,
            loads: Vec::new(),
            watchers: Vec::new(),
        };
        // cargo adds --bench.
        let mut words = words.filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            let mut names = || {
                let names = words.next().ok_or(USAGE)?;
                Ok(names.split(',').map(str::to_owned).collect())
            };
            match word.as_str() {
                "--only" => choice.loads = names()?,
                "--watch" => choice.watchers = names()?,
                number => match number.parse() {
                    Ok(rounds @ 1..) => choice.rounds = rounds,
                    _ => return Err(USAGE),
                },
            }
        }
        Ok(choice)
    }

    pub fn wants_load(&self, name: &str) -> bool {
        self.loads.is_empty() || self.loads.iter().any(|wanted| wanted == name)
    }

    pub fn wants_watcher(&self, name: &str) -> bool {
        self.watchers.is_empty() || self.watchers.iter().any(|part| name.contains(part))
    }
}
