//! CSV read back by a CSV reader.

use std::collections::BTreeSet;

use super::super::fixture;
use super::super::table::{TABLES, table};
use super::*;

fn parsed(text: &str) -> Vec<Vec<String>> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes())
        .records()
        .map(|row| {
            row.expect("rows of one length")
                .iter()
                .map(str::to_owned)
                .collect()
        })
        .collect()
}

#[test]
fn every_table_has_rows_as_wide_as_its_header() {
    for table in TABLES {
        let text = header(table) + &rows(table, &fixture::busy()) + &rows(table, &fixture::busy());
        let rows = parsed(&text);
        assert!(rows.len() >= 3, "{}: no rows in {text}", table.name);
        assert_eq!(rows[0][..2], ["at", "interval_s"], "{}", table.name);
        assert_eq!(
            rows[1][..2],
            ["2026-11-22T15:45:01.123Z", "1"],
            "{}",
            table.name
        );
    }
}

#[test]
fn every_table_works_on_an_empty_snapshot() {
    for table in TABLES {
        let text = header(table) + &rows(table, &fixture::empty());
        let expected = if ["summary", "health"].contains(&table.name) {
            2
        } else {
            1
        };
        assert_eq!(parsed(&text).len(), expected, "{}", table.name);
    }
}

#[test]
fn table_and_column_names_are_unique() {
    let tables: BTreeSet<_> = TABLES.iter().map(|t| t.name).collect();
    assert_eq!(tables.len(), TABLES.len());
    for table in TABLES {
        let columns = (table.columns)();
        let unique: BTreeSet<_> = columns.iter().collect();
        assert_eq!(unique.len(), columns.len(), "{}", table.name);
    }
}

/// CSV and JSON call one figure the same and give the same value for it.
#[test]
fn csv_and_json_agree_on_every_figure() {
    let snapshot = fixture::busy();
    let json = serde_json::to_value(&snapshot).expect("a snapshot is JSON");
    for table in TABLES {
        let mut rows = parsed(&rows(table, &snapshot)).into_iter();
        let objects = match &json[table.name] {
            serde_json::Value::Array(objects) => objects.clone(),
            object => vec![object.clone()],
        };
        for object in &objects {
            let row = rows.next().expect("as many rows as objects");
            for (name, field) in (table.columns)().into_iter().zip(&row[2..]) {
                let value = object
                    .get(name)
                    .unwrap_or_else(|| panic!("{}.{name}", table.name));
                let same = match value {
                    serde_json::Value::Null => field.is_empty(),
                    serde_json::Value::Bool(flag) => field == &flag.to_string(),
                    serde_json::Value::Number(number) => {
                        field.parse::<f64>().ok() == number.as_f64()
                    }
                    serde_json::Value::String(text) => *field == clean(text),
                    // Lists are joined; the parts were tested as text elsewhere.
                    serde_json::Value::Array(parts) => !parts.is_empty(),
                    serde_json::Value::Object(parts) => {
                        field.is_empty() == parts.values().any(serde_json::Value::is_null)
                    }
                };
                assert!(
                    same,
                    "{}.{name}: {field:?} in CSV, {value} in JSON",
                    table.name
                );
            }
        }
        assert_eq!(rows.next(), None, "{}", table.name);
    }
}

#[test]
fn what_could_not_be_measured_is_empty_and_zero_is_zero() {
    let table = table("functions").expect("it is the default");
    let columns = (table.columns)();
    let calls = 2 + columns
        .iter()
        .position(|c| *c == "calls")
        .expect("a column");
    let rows = parsed(&rows(table, &fixture::busy()));
    assert_eq!(rows[2][calls], "");
    assert_eq!(rows[3][calls], "0");
}

#[test]
fn a_stranger_s_name_is_quoted_and_cannot_steer_a_terminal() {
    let table = table("processes").expect("a table");
    let text = rows(table, &fixture::busy());
    assert!(text.contains(r#""st?]0;x?a,""t?sd""#), "{text}");
}

#[test]
fn a_name_that_a_spreadsheet_would_run_is_text() {
    for (name, cell) in [
        ("=cmd|'/c calc'!A0", "'=cmd|'/c calc'!A0"),
        ("+1", "'+1"),
        ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("eth0", "eth0"),
        ("–", "–"),
    ] {
        assert_eq!(field(&Cell::Text(name.into())), cell);
    }
    assert_eq!(field(&Cell::Number(-1.5)), "-1.5");
}
