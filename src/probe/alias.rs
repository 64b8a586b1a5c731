//! The names people bring along (blogs, perf habits, kernel functions) → what netop measures.
//! signals.md 1.1 says why each is answered as it is.

use super::PROBES;

/// What a name given to `-e` stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// A row netop has; the note says what is really measured when the name promised more.
    Function {
        name: &'static str,
        note: Option<&'static str>,
    },
    /// A tracepoint to look up in this kernel.
    Tracepoint { group: String, name: String },
    /// There is nothing of that name to count; the sentence says what shows it instead.
    Nothing(String),
}

/// Other names of a row.
#[derive(Debug, Clone, Copy)]
pub struct Alias {
    pub said: &'static [&'static str],
    /// What is really measured, where the name promised more.
    pub note: Option<&'static str>,
}

/// Names that promise no more than what is counted.
pub(super) const fn called(said: &'static [&'static str]) -> Alias {
    Alias { said, note: None }
}

/// Names that promise more.
pub(super) const fn means(said: &'static [&'static str], note: &'static str) -> Alias {
    Alias {
        said,
        note: Some(note),
    }
}

/// Kernel functions that have no tracepoint, which people ask for.
const UNTRACED: &[&str] = &[
    "ip_rcv",
    "ip_local_deliver",
    "tcp_v4_rcv",
    "nf_hook_slow",
    "ip_queue_xmit",
];

pub fn resolve(said: &str) -> Resolved {
    for probe in PROBES {
        let mut aliases = probe.aliases().iter();
        if let Some(alias) = aliases.find(|alias| alias.said.contains(&said)) {
            return Resolved::Function {
                name: probe.function(),
                note: alias.note,
            };
        }
    }
    for probe in PROBES {
        let backs = probe
            .events()
            .iter()
            .any(|e| e.filter.is_none() && e.full_name() == said);
        if probe.function() == said || backs {
            return Resolved::Function {
                name: probe.function(),
                note: None,
            };
        }
    }
    if UNTRACED.contains(&said) {
        return Resolved::Nothing(format!(
            "{said} has no tracepoint, so its calls cannot be counted; netif_receive_skb and sock_recv_length are the nearest on its path"
        ));
    }
    match said.split_once(':') {
        Some((group, name)) if !group.is_empty() && !name.is_empty() => Resolved::Tracepoint {
            group: group.to_owned(),
            name: name.to_owned(),
        },
        _ => Resolved::Nothing(format!(
            "{said} is neither a function netop knows nor group:name of a tracepoint"
        )),
    }
}

/// What else a function of netop may be called.
pub fn also_called(function: &str) -> Vec<&'static str> {
    let probes = PROBES.iter().filter(|probe| probe.function() == function);
    let aliases = probes.flat_map(|probe| probe.aliases());
    aliases.flat_map(|alias| alias.said).copied().collect()
}

/// The names of `known` that are most like `said`, best first, at most `count`.
pub fn nearest<'a>(
    said: &str,
    known: impl IntoIterator<Item = &'a str>,
    count: usize,
) -> Vec<&'a str> {
    let tail = said.rsplit(':').next().unwrap_or(said);
    let mut scored: Vec<(usize, &str)> = known
        .into_iter()
        .map(|name| {
            (
                distance(tail, name.rsplit(':').next().unwrap_or(name)),
                name,
            )
        })
        .filter(|(d, _)| *d <= tail.len().max(4) / 2)
        .collect();
    scored.sort_unstable();
    scored
        .into_iter()
        .take(count)
        .map(|(_, name)| name)
        .collect()
}

/// Edit distance (Levenshtein), in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blogs_names_are_answered_with_what_is_measured() {
        for (said, function) in [
            ("net:net_rx_action", "net_rx_action"),
            ("net:net_tx_complete", "consume_skb"),
            ("net:net_dev_queue", "dev_queue_xmit"),
            ("dev_queue_xmit", "dev_queue_xmit"),
            ("napi:napi_poll", "napi_poll"),
            ("net:napi_gro_frags_entry", "napi_gro_receive"),
        ] {
            let Resolved::Function { name, .. } = resolve(said) else {
                panic!("{said}")
            };
            assert_eq!(name, function, "{said}");
        }
    }

    #[test]
    fn a_name_that_promises_more_says_what_is_measured() {
        let Resolved::Function { note, .. } = resolve("net:net_rx_action") else {
            panic!()
        };
        assert!(note.unwrap().contains("no tracepoint net:net_rx_action"));
    }

    #[test]
    fn a_name_stands_for_one_row() {
        let mut names: Vec<&str> = PROBES
            .iter()
            .flat_map(|probe| probe.aliases())
            .flat_map(|alias| alias.said)
            .copied()
            .chain(PROBES.iter().map(|probe| probe.function()))
            .collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn softirq_entry_itself_is_a_tracepoint_since_the_rows_count_behind_a_filter() {
        assert!(matches!(
            resolve("irq:softirq_entry"),
            Resolved::Tracepoint { .. }
        ));
    }

    #[test]
    fn a_misspelt_event_finds_its_neighbours() {
        let known = [
            "net:net_dev_queue",
            "net:netif_rx",
            "skb:kfree_skb",
            "sched:sched_switch",
        ];
        assert_eq!(nearest("net:net_dev_queu", known, 2), ["net:net_dev_queue"]);
        assert!(nearest("zzzzzzzzz", known, 2).is_empty());
    }
}
