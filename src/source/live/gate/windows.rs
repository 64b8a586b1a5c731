//! Counting a part of the time: random windows that all such events share, so that the kernel's
//! text is patched for all of them at once. An event costs nothing between its windows. Each window
//! has a stretch without events on either side:
//!
//! ```text
//!   gap (random)   before   │ open: events counted │   after    gap (random)
//! ──────────────┼───────────┼──────────────────────┼───────────┼────────────►
//!               mark        open                 close        end
//! ```

use crate::decode::{ALWAYS, EventId};

/// The longest share of the time that windows may take, 1/1000: room for the stretches beside them.
pub const MOST_PERMILLE: u16 = 250;

/// A window is so long that one comes in about two intervals of a second, within these bounds.
/// Shorter, attaching and letting go would take more time than counting.
const WINDOW_EVERY_NS: u64 = 2_000_000_000;
const SHORTEST_NS: u64 = 5_000_000;
const LONGEST_NS: u64 = 50_000_000;

/// Before the first window of a member.
const FIRST_GAP_NS: u64 = 400_000_000;

/// Of long intervals a window is this share at least.
const OF_INTERVAL: u64 = 20;

/// One event that is counted a part of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    pub event: EventId,
    pub permille: u16,
    pub gate: bool,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The stretch before the window begins.
    Mark,
    /// The chosen members are counted from now on.
    Open,
    Close,
    /// The stretch after the window is over.
    End,
}

/// When the members are counted.
#[derive(Debug, Default)]
pub struct Schedule {
    members: Vec<Member>,
    /// Members of the next or the open window.
    chosen: Vec<Member>,
    next: Option<Edge>,
    /// Some members have had no window yet: the next one is everybody's, so that each has a figure
    /// soon.
    fresh: bool,
    /// CLOCK_MONOTONIC, ns, when that is due.
    until: u64,
    random: u64,
}

impl Schedule {
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The members of the window that is open, or was last.
    pub fn chosen(&self) -> &[Member] {
        &self.chosen
    }

    pub fn has(&self, event: EventId) -> bool {
        self.members.iter().any(|m| m.event == event)
    }

    pub fn is_open(&self) -> bool {
        self.next == Some(Edge::Close)
    }

    /// Takes other members. A gap that has begun goes on, so that plans that change each second do
    /// not put every window off; for members that are new here it is a short one. It begins with a
    /// gap in any case: right after a plan netop itself is busy, which is no random moment. An open
    /// window must have been closed.
    pub fn set(&mut self, members: Vec<Member>, interval_ns: u64, now: u64) {
        self.fresh |= members.iter().any(|member| !self.has(member.event));
        let begun = (self.next == Some(Edge::Mark)).then_some(self.until);
        self.members = members;
        self.chosen.clear();
        // Never 0, from which nothing else would be drawn.
        self.random = (self.random ^ now).max(1);
        self.next = (!self.members.is_empty()).then_some(Edge::Mark);
        let soon = if self.fresh { FIRST_GAP_NS } else { u64::MAX };
        let gap = self.gap(interval_ns).min(self.draw() % soon);
        self.until = (now + gap).min(begun.unwrap_or(u64::MAX));
    }

    pub fn due(&self) -> u64 {
        self.next.map_or(u64::MAX, |_| self.until)
    }

    /// The edge that is due, if one is; the next one counts from `now`.
    pub fn turn(&mut self, interval_ns: u64, now: u64) -> Option<Edge> {
        let edge = self.next.filter(|_| self.until <= now)?;
        let window = self.window(interval_ns);
        let (next, length) = match edge {
            Edge::Mark => {
                self.choose();
                (Edge::Open, window)
            }
            Edge::Open => (Edge::Close, window),
            Edge::Close => (Edge::End, window),
            Edge::End => (Edge::Mark, self.gap(interval_ns)),
        };
        self.next = Some(next);
        self.until = now + length;
        Some(edge)
    }

    /// What edges take is not to shorten the stretch behind them.
    pub fn late(&mut self, by_ns: u64) {
        self.until += by_ns;
    }

    fn most(&self) -> u64 {
        let most = self.members.iter().map(|m| m.permille).max().unwrap_or(1);
        u64::from(most.clamp(1, MOST_PERMILLE))
    }

    /// Members of smaller shares are left out of some windows at random.
    fn choose(&mut self) {
        let most = self.most();
        let members = std::mem::take(&mut self.members);
        self.chosen.clear();
        if std::mem::take(&mut self.fresh) {
            self.chosen.clone_from(&members);
            self.members = members;
            return;
        }
        for member in &members {
            if self.draw() % most < u64::from(member.permille) {
                self.chosen.push(*member);
            }
        }
        self.members = members;
    }

    fn window(&self, interval_ns: u64) -> u64 {
        let wanted = WINDOW_EVERY_NS * self.most() / u64::from(ALWAYS);
        wanted.clamp(SHORTEST_NS, LONGEST_NS.max(interval_ns / OF_INTERVAL))
    }

    /// Drawn evenly from 0 to twice its mean, so that no rhythm of the traffic runs in step with
    /// the windows. The two stretches beside a window are part of what is between two windows.
    fn gap(&mut self, interval_ns: u64) -> u64 {
        let (window, most) = (self.window(interval_ns), self.most());
        let between = window * (u64::from(ALWAYS) - most) / most;
        let mean = between.saturating_sub(2 * window);
        self.draw() % (2 * mean + 1)
    }

    fn draw(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn member(event: u16, permille: u16) -> Member {
        Member {
            event: EventId(event),
            permille,
            gate: true,
        }
    }

    #[test]
    fn windows_add_up_to_each_members_share_of_the_time() {
        let members = vec![member(1, 250), member(2, 100), member(3, 10)];
        let mut schedule = Schedule::default();
        schedule.set(members.clone(), S, 0);
        let (mut now, mut on, mut opened) = (0, [0; 3], 0);
        for _ in 0..400_000 {
            now = schedule.due();
            match schedule.turn(S, now) {
                Some(Edge::Open) => opened = now,
                Some(Edge::Close) => {
                    for member in schedule.chosen() {
                        on[usize::from(member.event.0) - 1] += now - opened;
                    }
                }
                _ => {}
            }
        }
        for (member, on) in members.iter().zip(on) {
            let share = 1000.0 * on as f64 / now as f64 / f64::from(member.permille);
            assert!((share - 1.0).abs() < 0.1, "{share} of {member:?}");
        }
    }

    #[test]
    fn the_first_window_is_everybodys_and_comes_soon() {
        for now in 1..200 {
            let mut schedule = Schedule::default();
            schedule.set(vec![member(1, 1), member(2, 2)], S, now);
            assert!(schedule.due() <= now + FIRST_GAP_NS);
            schedule.turn(S, schedule.due());
            assert_eq!(schedule.chosen(), schedule.members());
        }
    }

    #[test]
    fn plans_that_change_each_second_do_not_put_windows_off() {
        let mut schedule = Schedule::default();
        let (mut now, mut opened) = (1, 0);
        for second in 0..400 {
            schedule.set(vec![member(1, 1 + second % 2)], S, now);
            let end = now + S;
            while schedule.due() < end {
                now = schedule.due();
                opened += u32::from(schedule.turn(S, now) == Some(Edge::Open));
            }
            now = end;
        }
        assert!(opened > 60, "{opened} windows in 400 s");
    }

    #[test]
    fn a_stretch_as_long_as_the_window_is_without_events_on_either_side() {
        let mut schedule = Schedule::default();
        schedule.set(vec![member(1, 250)], S, 7);
        for _ in 0..1000 {
            let edges: Vec<(Edge, u64)> = (0..4)
                .map(|_| {
                    let now = schedule.due();
                    (schedule.turn(S, now).unwrap(), now)
                })
                .collect();
            let kinds: Vec<Edge> = edges.iter().map(|(edge, _)| *edge).collect();
            assert_eq!(kinds, [Edge::Mark, Edge::Open, Edge::Close, Edge::End]);
            let lengths: Vec<u64> = edges.windows(2).map(|w| w[1].1 - w[0].1).collect();
            assert_eq!(lengths, [50_000_000; 3]);
        }
    }

    #[test]
    fn a_thousandth_of_the_time_has_a_short_window_every_few_seconds() {
        let mut schedule = Schedule::default();
        schedule.set(vec![member(1, 1)], S, 3);
        let mut opened = 0;
        for _ in 0..4000 {
            let now = schedule.due();
            opened += u32::from(schedule.turn(S, now) == Some(Edge::Open));
        }
        let every = schedule.due() as f64 / f64::from(opened) / 1e9;
        assert!((4.0..6.0).contains(&every), "{every} s");
    }

    #[test]
    fn without_members_nothing_is_ever_due() {
        let mut schedule = Schedule::default();
        schedule.set(Vec::new(), S, 5);
        assert_eq!(
            (schedule.due(), schedule.turn(S, u64::MAX)),
            (u64::MAX, None)
        );
    }
}
