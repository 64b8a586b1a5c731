//! JSON against the schema of docs/snapshot.md.

use serde_json::Value;

use super::super::fixture;
use super::*;

const TOP: &str = "schema at interval_s elapsed_s host filter summary functions stages contexts cpus devices \
    processes tcp drops losses latency stacks events facts findings health";
const HOST: &str = "hostname kernel arch cpus_online clock source";
const FILTER: &str = "pid comm device cpu cgroup module by";
const SUMMARY: &str = "loss_rate loss_where loss_since hot_cpu hot_softirq_pct hot_cause net_cores \
    net_cores_error net_rx_pct net_tx_pct net_sock_pct net_other_pct observer_pct ns_per_packet \
    ns_error wire_pps cpu_window_s rx_pps tx_pps rx_bps tx_bps";
const FUNCTIONS: &str = "name event source calls rate total peak_rate estimated error \
    packets_per_hit cpu_pct cpu_error self_pct ns_per_packet ns_per_call ns_error per_cpu";
const STAGES: &str =
    "stage direction cpu_pct cpu_error inclusive_pct ns_per_packet ns_error leaves per_cpu";
const CPUS: &str = "cpu node net_pct net_rx_pct net_tx_pct net_sock_pct observer_pct softirq_pct rx_packets squeezed backlog_dropped napi_polls \
    work_per_poll";
const DEVICES: &str = "name netns driver rx_packets rx_bytes tx_packets tx_bytes gro_ratio rx_dropped \
    tx_dropped qdisc qdisc_backlog unexplained_drops queues";
const PROCESSES: &str = "pid start_ticks comm container tx_calls tx_bytes rx_calls rx_bytes tx_packets rx_packets \
    cpu_own_pct cpu_softirq_owned_pct cpu_stolen_pct runq_delay_ms throttled_pct oldest_rx_ms drops \
    retransmits limit";
const DROPS: &str = "where reason class layer unit location device pid comm count rate total estimated counted_s witnesses by";
const LATENCY: &str =
    "pair device count matched_pct censored p50_ns p99_ns p999_ns max_ns one_in reason by";
const STACKS: &str = "function pid comm weight unit samples stage direction context cut frames";
const HEALTH: &str = "lost throttled channel_dropped undecodable samples cpu_samples own_cpu_pct own_anon_bytes \
    cost_pct budget_pct governor notes";

fn busy() -> Value {
    serde_json::from_str(&line(&fixture::busy())).expect("a line is JSON")
}

#[test]
fn every_field_of_the_schema_is_there_under_its_name() {
    let snapshot = busy();
    let cases = [
        (&snapshot, TOP),
        (&snapshot["host"], HOST),
        (&snapshot["filter"], FILTER),
        (&snapshot["summary"], SUMMARY),
        (&snapshot["functions"][0], FUNCTIONS),
        (&snapshot["stages"][0], STAGES),
        (&snapshot["stages"][0]["leaves"][0], "name cpu_pct"),
        (&snapshot["stages"][0]["per_cpu"][0], "cpu cpu_pct"),
        (&snapshot["contexts"][0], "name cpu_pct"),
        (&snapshot["cpus"][0], CPUS),
        (&snapshot["devices"][0], DEVICES),
        (&snapshot["processes"][0], PROCESSES),
        (&snapshot["drops"][0], DROPS),
        (&snapshot["latency"][0], LATENCY),
        (&snapshot["stacks"][0], STACKS),
        (&snapshot["events"][0], "time kind device text"),
        (&snapshot["health"], HEALTH),
    ];
    for (object, names) in cases {
        let object = object.as_object().expect("an object");
        let missing: Vec<_> = names
            .split_whitespace()
            .filter(|name| !object.contains_key(*name))
            .collect();
        assert!(missing.is_empty(), "{missing:?} missing in {object:?}");
    }
    assert_eq!(snapshot["schema"], "netop.snapshot/1");
    assert_eq!(snapshot["at"], "2026-11-22T15:45:01.123Z");
    assert_eq!(snapshot["functions"][0]["per_cpu"][0]["cpu"], 2);
}

#[test]
fn what_only_the_screen_needs_is_not_exported() {
    let snapshot = busy();
    for name in ["cpu_profile", "profile", "profile_s", "candidates"] {
        assert_eq!(snapshot.get(name), None);
    }
    assert_eq!(snapshot["functions"][0].get("history"), None);
}

#[test]
fn a_snapshot_is_one_line_and_its_file_the_same_object() {
    let line = line(&fixture::busy());
    assert_eq!(line.find('\n'), Some(line.len() - 1));
    let file = file(&fixture::busy());
    assert!(file.ends_with("}\n") && file.lines().count() > 100);
    assert_eq!(
        serde_json::from_str::<Value>(&file).ok(),
        serde_json::from_str(&line).ok()
    );
}

#[test]
fn what_could_not_be_measured_is_null_and_zero_is_zero() {
    let functions = &busy()["functions"];
    assert_eq!(functions[2]["calls"], Value::Null);
    assert_eq!(functions[2]["source"], Value::Null);
    assert_eq!(functions[3]["calls"], 0);
    let mut snapshot = fixture::empty();
    snapshot.summary.loss_rate = Some(f64::NAN);
    assert!(line(&snapshot).contains("\"loss_rate\":null"));
}

#[test]
fn a_stranger_s_name_survives_but_cannot_steer_a_terminal() {
    let line = line(&fixture::busy());
    assert!(!line.trim_end().chars().any(steers), "{line}");
    assert_eq!(
        busy()["processes"][0]["comm"],
        fixture::busy().processes[0].comm.as_str()
    );
}

/// Objects whose keys are names of the host's, not of the schema.
const MAPS: [&str; 4] = ["lines", "protocol_rates", "sysctls", "inside"];

#[test]
fn every_field_that_is_written_is_in_the_document() {
    fn names(value: &Value, found: &mut std::collections::BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    found.insert(name.clone());
                    if !MAPS.contains(&name.as_str()) {
                        names(value, found);
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| names(value, found)),
            _ => {}
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/snapshot.md");
    let document = std::fs::read_to_string(path).expect(path);
    let mut found = std::collections::BTreeSet::new();
    names(&busy(), &mut found);
    assert!(found.len() > 200, "{}", found.len());
    found.retain(|name| !document.contains(&format!("\n| `{name}` | ")));
    assert!(found.is_empty(), "docs/snapshot.md lacks {found:?}");
}
