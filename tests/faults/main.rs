//! The fault lab: faults made in namespaces of its own, and healthy loads; does `netop advise` name
//! the fault, and keep silent without one? `cargo test` runs a handful at once, NETOP_FAULTS=all
//! runs each alone, under each load; NETOP_FAULTS=WORD,… those whose name has a word.

#[path = "../net/buffer.rs"]
mod buffer;
mod lab;
#[path = "../net/mod.rs"]
mod net;
#[path = "../net/offloads.rs"]
mod offloads;
mod table;
#[path = "../net/traffic.rs"]
mod traffic_program;

use lab::{Case, Made};
use net::Net;
use table::{FAULTS, HEALTHY, LOADS};

/// Not a test: the traffic program, when a test starts this binary inside a namespace.
#[test]
fn traffic() {
    offloads::obey();
    traffic_program::obey();
}

/// A look needs ten seconds; netop's start takes one.
const SECONDS: &str = "12";

#[test]
fn faults_are_named_and_healthy_hosts_are_left_alone() {
    let Some(_one) = net::may_run() else { return };
    let chosen = std::env::var("NETOP_FAULTS").ok();
    let mut judged = Vec::new();
    // Others may lose packets here meanwhile.
    let host = lab::advise(SECONDS);
    if let Some(word) = chosen {
        let wanted =
            |case: &&Case| word == "all" || word.split(',').any(|part| case.name.contains(part));
        for case in FAULTS.iter().filter(wanted) {
            for load in LOADS {
                judged.push(lab::run_alone(case, Some(load), SECONDS, &host));
            }
        }
        judged.extend(
            HEALTHY
                .iter()
                .filter(wanted)
                .map(|case| lab::run_alone(case, None, SECONDS, &host)),
        );
    } else {
        let made: Vec<Made> = (FAULTS.iter().filter(|case| case.quick).enumerate())
            .map(|(i, case)| Made::new(case, None, Net::called(&format!("f{i}"))))
            .collect();
        let findings = lab::advise(SECONDS);
        judged.extend(made.iter().map(|made| made.judge(&findings, &host)));
        drop(made);
        let made: Vec<Made> = (HEALTHY.iter().filter(|case| case.quick).enumerate())
            .map(|(i, case)| Made::new(case, None, Net::called(&format!("h{i}"))))
            .collect();
        let findings = lab::advise(SECONDS);
        judged.extend(made.iter().map(|made| made.judge(&findings, &host)));
    }
    lab::report(&judged);
}
