//! A terminal's screen as SVG: runs of cells of one style, each stretched to its cells' width.

use std::fmt::Write;

use vt100::{Cell, Color, Screen};

/// A cell in pixels.
const WIDE: f64 = 8.4;
const HIGH: f64 = 18.0;
const INK: &str = "#dcdfe4";
const PAPER: &str = "#16181d";
const PALETTE: [&str; 16] = [
    "#1c1c1c", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#dcdfe4",
    "#7f848e", "#ff7b86", "#b5e890", "#ffd787", "#82c7ff", "#e29bf5", "#7be0ec", "#ffffff",
];

#[derive(Clone, PartialEq)]
struct Style {
    ink: String,
    paper: String,
    bold: bool,
}

pub fn draw(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let (width, height) = (
        f64::from(columns) * WIDE + 16.0,
        f64::from(rows) * HIGH + 16.0,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"{PAPER}\" rx=\"6\"/>\n"
    );
    for row in 0..rows {
        let mut column = 0;
        while column < columns {
            let style = style(screen.cell(row, column));
            let start = column;
            let mut text = String::new();
            while column < columns && self::style(screen.cell(row, column)) == style {
                let contents = screen.cell(row, column).map_or("", Cell::contents);
                text.push_str(if contents.is_empty() { " " } else { contents });
                column += 1;
            }
            run(&mut svg, row, start, column - start, &text, &style);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn run(svg: &mut String, row: u16, start: u16, cells: u16, text: &str, style: &Style) {
    let (x, y) = (8.0 + f64::from(start) * WIDE, 8.0 + f64::from(row) * HIGH);
    let width = f64::from(cells) * WIDE;
    if style.paper != PAPER {
        let _infallible = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{HIGH}\" fill=\"{}\"/>",
            style.paper
        );
    }
    if text.trim().is_empty() {
        return;
    }
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let weight = if style.bold {
        " font-weight=\"bold\""
    } else {
        ""
    };
    let _infallible = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{}\"{weight} textLength=\"{width:.1}\" xml:space=\"preserve\">{text}</text>",
        y + 13.5,
        style.ink
    );
}

fn style(cell: Option<&Cell>) -> Style {
    let Some(cell) = cell else {
        return Style {
            ink: INK.to_owned(),
            paper: PAPER.to_owned(),
            bold: false,
        };
    };
    let mut ink = color(cell.fgcolor(), INK);
    let mut paper = color(cell.bgcolor(), PAPER);
    if cell.inverse() {
        std::mem::swap(&mut ink, &mut paper);
    }
    if cell.dim() {
        PALETTE[8].clone_into(&mut ink);
    }
    Style {
        ink,
        paper,
        bold: cell.bold(),
    }
}

fn color(color: Color, default: &str) -> String {
    match color {
        Color::Default => default.to_owned(),
        Color::Idx(index) => PALETTE[usize::from(index) % 16].to_owned(),
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
    }
}
