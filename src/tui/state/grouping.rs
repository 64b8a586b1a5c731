//! By what view 9 puts connections together.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grouping {
    #[default]
    Connection,
    Network,
    Port,
    Process,
    State,
    /// The sockets that listen, and who waits to be accepted.
    Listening,
}

/// In the order of the key.
const ALL: [Grouping; 6] = [
    Grouping::Connection,
    Grouping::Network,
    Grouping::Port,
    Grouping::Process,
    Grouping::State,
    Grouping::Listening,
];

impl Grouping {
    pub fn next(self, back: bool) -> Grouping {
        let here = ALL.iter().position(|it| *it == self).unwrap_or(0);
        let step = if back { ALL.len() - 1 } else { 1 };
        ALL[(here + step) % ALL.len()]
    }

    /// As the snapshot calls it, where it is a sum.
    pub fn by(self) -> Option<&'static str> {
        match self {
            Grouping::Network => Some("network"),
            Grouping::Port => Some("port"),
            Grouping::Process => Some("process"),
            Grouping::State => Some("state"),
            Grouping::Connection | Grouping::Listening => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Grouping::Connection => "connections",
            Grouping::Network => "by network of the peer",
            Grouping::Port => "by port",
            Grouping::Process => "by process",
            Grouping::State => "by state",
            Grouping::Listening => "listening sockets",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_goes_round_both_ways() {
        let mut there = Grouping::default();
        for expected in ALL.iter().skip(1).chain(&ALL[..1]) {
            there = there.next(false);
            assert_eq!(there, *expected);
        }
        assert_eq!(Grouping::Connection.next(true), Grouping::Listening);
    }
}
