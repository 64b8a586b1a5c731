//! The guides in front of a row of a tree. A chain of single children stays at one depth, as long
//! stacks would leave the screen otherwise.

/// What stands right before the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Leaf,
    Closed,
    /// Open, and its children are a level deeper.
    Open,
    /// Open, and its one child stands right below.
    Chain,
}

/// Where a row stands: `more` has bit `n` set while level `n + 1` has further siblings below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub depth: u32,
    pub more: u128,
    /// First of its chain: it hangs on its parent's line.
    pub head: bool,
    pub mark: Mark,
}

impl Place {
    fn continues(self, level: u32) -> bool {
        // Deeper than 128 branches nothing is readable anyway.
        level < u128::BITS && self.more >> level & 1 == 1
    }
}

pub fn guides(place: Place) -> String {
    let mut text = String::new();
    for level in 0..place.depth {
        let last = level + 1 == place.depth;
        text.push_str(match (last && place.head, place.continues(level)) {
            (true, true) => "├─",
            (true, false) => "└─",
            (false, true) => "│ ",
            (false, false) => "  ",
        });
    }
    text.push_str(match place.mark {
        Mark::Leaf | Mark::Chain => "  ",
        Mark::Closed => "▸ ",
        Mark::Open => "▾ ",
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guides_lead_from_a_parent_to_its_last_child() {
        let row = |depth, more, head, mark| {
            guides(Place {
                depth,
                more,
                head,
                mark,
            })
        };
        assert_eq!(row(0, 0, true, Mark::Open), "▾ ");
        assert_eq!(row(1, 1, true, Mark::Chain), "├─  ");
        assert_eq!(row(1, 1, false, Mark::Open), "│ ▾ ");
        assert_eq!(row(2, 1, true, Mark::Closed), "│ └─▸ ");
        assert_eq!(row(1, 0, true, Mark::Leaf), "└─  ");
        assert_eq!(row(200, 0, false, Mark::Leaf).len(), 402);
    }
}
