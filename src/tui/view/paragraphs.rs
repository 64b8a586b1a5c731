//! The texts of a detail pane in the lines there are: the first ones whole, then a line for each
//! of the others, then more where lines are free.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::tui::text::{wrap, wrap_whole};

/// Texts of this rank or below are whole before others have a line.
const FIRST: u8 = 1;

/// Between the parts of a text of which one can be left out.
const PARTS: &str = " · ";

pub struct Paragraph {
    /// The lowest has its lines first.
    pub rank: u8,
    /// Stands before the text; the text's further lines stand below its first.
    pub lead: Vec<Span<'static>>,
    pub text: String,
    pub style: Style,
}

/// A lead that leaves less than this is no column to write beside.
const TEXT_LEAST: usize = 20;

impl Paragraph {
    pub fn new(rank: u8, text: String, style: Style) -> Paragraph {
        Paragraph {
            rank,
            lead: Vec::new(),
            text,
            style,
        }
    }

    pub fn with_lead(mut self, lead: Vec<Span<'static>>) -> Paragraph {
        self.lead = lead;
        self
    }

    fn indent(&self) -> usize {
        self.lead.iter().map(Span::width).sum()
    }

    /// At most `most` lines of `room` cells.
    fn lines(&self, room: usize, most: usize) -> Vec<Line<'static>> {
        let indent = self.indent();
        let room = room.saturating_sub(indent).max(TEXT_LEAST.min(room));
        let mut lead = self.lead.clone();
        let mut text = self.text.as_str();
        while let (None, Some((fewer, _))) = (wrap_whole(text, room, most), text.rsplit_once(PARTS))
        {
            text = fewer;
        }
        let text = wrap(text, room, most).into_iter();
        text.map(|line| {
            let blank = vec![Span::raw(" ".repeat(indent))];
            let mut spans = std::mem::replace(&mut lead, blank);
            spans.insert(0, Span::raw(" "));
            spans.push(Span::styled(line, self.style));
            Line::from(spans)
        })
        .collect()
    }
}

pub fn render(mut list: Vec<Paragraph>, area: Rect, buf: &mut Buffer) {
    let room = usize::from(area.width).saturating_sub(2);
    list.retain(|paragraph| !paragraph.text.trim().is_empty());
    let grants = share(&list, room, usize::from(area.height));
    let lines = list
        .iter()
        .zip(grants)
        .flat_map(|(paragraph, most)| paragraph.lines(room, most));
    for (y, line) in (area.y..area.bottom()).zip(lines) {
        buf.set_line(area.x, y, &line, area.width);
    }
}

/// How many lines each gets.
fn share(list: &[Paragraph], room: usize, mut free: usize) -> Vec<usize> {
    let whole: Vec<usize> = list
        .iter()
        .map(|paragraph| paragraph.lines(room, usize::MAX).len())
        .collect();
    let mut order: Vec<usize> = (0..list.len()).collect();
    order.sort_by_key(|&i| list[i].rank);
    let mut grants = vec![0; list.len()];
    for all in [false, true] {
        for &i in &order {
            let wants = if all || list[i].rank <= FIRST {
                whole[i]
            } else {
                1
            };
            let more = wants.saturating_sub(grants[i]).min(free);
            grants[i] += more;
            free -= more;
        }
    }
    grants
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(list: &[(u8, &str)], width: u16, height: u16) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        let list = list
            .iter()
            .map(|(rank, text)| Paragraph::new(*rank, (*text).to_owned(), Style::new()));
        render(list.collect(), area, &mut buf);
        let text = crate::tui::frame_text(&buf);
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn free_lines_go_to_the_most_needed_text_and_none_is_cut_that_has_room() {
        let list = [(3, "one two three four"), (2, "five six seven eight")];
        assert_eq!(drawn(&list, 12, 1), ["five six …"]);
        assert_eq!(drawn(&list, 12, 2), ["one two t…", "five six …"]);
        let some = drawn(&list, 12, 3);
        assert_eq!(some, ["one two t…", "five six", "seven eig…"]);
        let all = drawn(&list, 12, 5);
        let want = ["one two", "three four", "five six", "seven", "eight"];
        assert_eq!(all, want);
        let first = [(3, "one two three four"), (1, "five six seven eight")];
        assert_eq!(drawn(&first, 12, 3), ["five six", "seven", "eight"]);
    }

    #[test]
    fn a_text_of_parts_loses_whole_parts() {
        let list = [(3, "one · two · three four")];
        assert_eq!(drawn(&list, 12, 1), ["one · two"]);
        assert_eq!(drawn(&list, 12, 3), ["one · two", "· three", "four"]);
        assert_eq!(drawn(&list, 6, 1), ["one"]);
    }

    #[test]
    fn further_lines_stand_below_the_text_and_not_below_its_lead() {
        let text = "aaaa bbbb cccc dddd eeee ffff".to_owned();
        let paragraph = Paragraph::new(0, text, Style::new()).with_lead(vec![Span::raw("28% ")]);
        let lines: Vec<String> = paragraph
            .lines(26, usize::MAX)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(lines, [" 28% aaaa bbbb cccc dddd", "     eeee ffff"]);
    }
}
