//! A table that fits any width: columns of high rank leave first, the rest share what is left.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::tui::text::clip_line;

#[derive(Debug, Clone, Copy)]
pub enum Grow {
    No,
    /// Takes what is left, in the order of the columns, up to this width.
    To(u16),
    /// Only these widths make sense, ascending, all above the least.
    Steps(&'static [u16]),
}

#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub title: &'static str,
    pub least: u16,
    pub grow: Grow,
    pub right: bool,
    /// 0 stays always; of the others the highest goes first.
    pub rank: u8,
    /// A table less wide leaves it out, so that others can grow first.
    pub from: u16,
}

pub struct Table<'a> {
    /// Chosen columns and their widths, from [`layout`].
    pub columns: &'a [(usize, u16)],
    pub layout: &'a dyn Fn(usize) -> Column,
    pub titles: &'a dyn Fn(usize, u16) -> String,
    pub rows: usize,
    pub cursor: Option<usize>,
    pub title_style: Style,
    pub cursor_style: Style,
}

/// A sign for the cursor stands before the first column; a cell of room between two.
const CURSOR: u16 = 1;
const GAP: u16 = 1;

/// Which columns are shown at this width, and how wide.
pub fn layout(columns: &[Column], width: u16) -> Vec<(usize, u16)> {
    let mut shown: Vec<(usize, u16)> = columns.iter().map(|c| c.least).enumerate().collect();
    shown.retain(|(i, _)| columns[*i].from <= width);
    let used = |shown: &[(usize, u16)]| -> u16 {
        shown.iter().fold(CURSOR, |sum, (_, width)| {
            sum.saturating_add(*width).saturating_add(GAP)
        }) - GAP
    };
    while used(&shown) > width {
        let last = (0..shown.len())
            .filter(|&i| columns[shown[i].0].rank > 0)
            .max_by_key(|&i| (columns[shown[i].0].rank, i));
        let Some(last) = last else { break };
        shown.remove(last);
    }
    let mut left = width.saturating_sub(used(&shown));
    for (i, cells) in &mut shown {
        if let Grow::Steps(steps) = columns[*i].grow {
            let fits = steps.iter().rev().find(|step| *step - *cells <= left);
            let step = fits.copied().unwrap_or(*cells);
            left -= step - *cells;
            *cells = step;
        }
    }
    for (i, cells) in &mut shown {
        if let Grow::To(most) = columns[*i].grow {
            let more = most.saturating_sub(*cells).min(left);
            left -= more;
            *cells += more;
        }
    }
    shown
}

/// The rows to show so that the cursor is among them, near the middle where it can be.
pub fn window(rows: usize, cursor: Option<usize>, height: usize) -> std::ops::Range<usize> {
    let first = cursor
        .unwrap_or(0)
        .saturating_sub(height / 2)
        .min(rows.saturating_sub(height));
    first..rows.min(first + height)
}

impl Table<'_> {
    /// `cell(row, column, width)` is asked for visible cells only.
    pub fn render(
        &self,
        area: Rect,
        buf: &mut Buffer,
        cell: impl Fn(usize, usize, u16) -> Line<'static>,
    ) {
        if area.is_empty() {
            return;
        }
        // One row of room goes to a row, not to the titles.
        let titled = area.height > 1;
        if titled {
            self.line(area, buf, ' ', |i, width| (self.titles)(i, width).into());
            buf.set_style(Rect { height: 1, ..area }, self.title_style);
        }
        let top = area.y.saturating_add(u16::from(titled));
        let height = usize::from(area.height).saturating_sub(usize::from(titled));
        for (y, row) in (top..).zip(window(self.rows, self.cursor, height)) {
            let place = Rect {
                y,
                height: 1,
                ..area
            };
            let here = self.cursor == Some(row);
            let sign = if here { '▶' } else { ' ' };
            self.line(place, buf, sign, |i, width| cell(row, i, width));
            if here {
                buf.set_style(place, self.cursor_style);
            }
        }
    }

    fn line(
        &self,
        area: Rect,
        buf: &mut Buffer,
        sign: char,
        cell: impl Fn(usize, u16) -> Line<'static>,
    ) {
        buf.set_span(area.x, area.y, &Span::raw(sign.to_string()), area.width);
        let mut x = area.x.saturating_add(CURSOR);
        for &(i, width) in self.columns {
            let room = width.min(area.right().saturating_sub(x));
            let text = clip_line(cell(i, room), usize::from(room));
            let pad = if (self.layout)(i).right {
                room.saturating_sub(text.width() as u16)
            } else {
                0
            };
            buf.set_line(x.saturating_add(pad), area.y, &text, room - pad);
            x = x.saturating_add(width).saturating_add(GAP);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn column(least: u16, grow: Grow, rank: u8) -> Column {
        Column {
            title: "T",
            least,
            grow,
            right: false,
            rank,
            from: 0,
        }
    }

    const COLUMNS: [Column; 4] = [
        column(4, Grow::To(8), 0),
        column(3, Grow::Steps(&[6, 12]), 1),
        column(3, Grow::No, 3),
        column(3, Grow::No, 2),
    ];

    #[test]
    fn columns_leave_by_rank_and_the_first_stays() {
        let chosen =
            |width| -> Vec<usize> { layout(&COLUMNS, width).iter().map(|(i, _)| *i).collect() };
        assert_eq!(chosen(17), [0, 1, 2, 3]);
        assert_eq!(chosen(16), [0, 1, 3]);
        assert_eq!(chosen(12), [0, 1]);
        assert_eq!(chosen(0), [0]);
    }

    #[test]
    fn a_table_is_never_wider_than_its_place() {
        for width in 5..60 {
            let shown = layout(&COLUMNS, width);
            let used: u16 = shown.iter().map(|(_, cells)| cells + GAP).sum();
            assert!(used <= width, "{width}: {shown:?}");
        }
        let wide = layout(&COLUMNS, 60);
        assert_eq!(wide, [(0, 8), (1, 12), (2, 3), (3, 3)]);
    }

    #[test]
    fn the_cursor_is_always_in_the_window() {
        for rows in 0..20 {
            for height in 1..8 {
                for cursor in 0..rows {
                    let shown = window(rows, Some(cursor), height);
                    assert!(shown.contains(&cursor));
                    assert_eq!(shown.len(), rows.min(height));
                }
            }
        }
    }
}
