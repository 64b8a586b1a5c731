//! What changed since the mark, of a row: `netop diff`'s judgement of one figure of it.

use ratatui::text::Line;

use super::Scene;
use crate::model::compare::{Change, Key, RowChange};
use crate::tui::widget::difference::Difference;

pub fn row<'a>(scene: &'a Scene<'_>, key: &Key) -> Option<&'a RowChange> {
    scene.compared()?.row(key)
}

/// A cell of a table.
pub fn cell(scene: &Scene<'_>, key: &Key, figure: impl Fn(&RowChange) -> &Change) -> Line<'static> {
    let change = row(scene, key).map(figure);
    let difference = change.map_or(Difference::Unknown, Difference::new);
    Line::styled(difference.text(), difference.style(scene.theme))
}
