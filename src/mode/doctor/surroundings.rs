//! The terminal that the screen would be drawn on.

use super::check::Check;
use super::facts::Facts;

/// Below this the screen leaves columns out.
const COLUMNS: u16 = 80;
const ROWS: u16 = 24;

pub fn checks(facts: &Facts) -> Vec<Check> {
    let Some(terminal) = &facts.terminal else {
        let found = "stdout is not a terminal; use -b";
        return vec![Check::partly("terminal", found).extra()];
    };
    let signs = if terminal.unicode {
        "UTF-8"
    } else {
        "ASCII only"
    };
    let found = format!(
        "{}×{}, {} colours, {signs}",
        terminal.columns, terminal.rows, terminal.colours
    );
    let check = if terminal.columns < COLUMNS || terminal.rows < ROWS {
        Check::partly(
            "terminal",
            format!("{found}; made for {COLUMNS}×{ROWS} and more"),
        )
        .extra()
    } else if terminal.unicode {
        Check::ok("terminal", found).extra()
    } else {
        Check::partly("terminal", found)
            .mended_by("export LC_ALL=C.UTF-8")
            .extra()
    };
    vec![check]
}
