//! The rules and their numbers as a table for docs/advice.md.

use std::fmt::Write;

use super::{LIMITS, RULES};

/// Markdown, a row for each rule, then the numbers that concern all of them.
pub fn markdown() -> String {
    let mut text = String::from(
        "| rule | nothing is said while | reads | numbers, as `--rules FILE` names them |\n\
         |---|---|---|---|\n",
    );
    for rule in RULES {
        let _infallible = writeln!(
            text,
            "| {} | {} | {} | {} |",
            rule.id,
            rule.checks,
            rule.needs.name(),
            numbers(&format!("{}.", rule.id))
        );
    }
    let general = LIMITS.iter().filter(|limit| !limit.key.contains('.'));
    text.push_str("\nFor all rules:\n\n");
    for limit in general {
        let _infallible = writeln!(
            text,
            "* `{}` = {}: {}",
            limit.key, limit.value, limit.meaning
        );
    }
    text
}

fn numbers(prefix: &str) -> String {
    let own = LIMITS.iter().filter(|limit| limit.key.starts_with(prefix));
    let each = own.map(|limit| format!("`{}` = {}: {}", limit.key, limit.value, limit.meaning));
    let each: Vec<String> = each.collect();
    if each.is_empty() {
        "–".to_owned()
    } else {
        each.join("; ")
    }
}
