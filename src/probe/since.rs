//! The first kernel that is known to have each event (headers of releases from 4.4 on,
//! signals.md 1.2–1.4; 4.4 is the oldest that was looked at).

const SINCE: &[(&str, &str)] = &[
    ("irq:softirq_entry", "4.4"),
    ("napi:napi_poll", "4.4"),
    ("net:napi_gro_frags_entry", "4.4"),
    ("net:napi_gro_receive_entry", "4.4"),
    ("net:net_dev_queue", "4.4"),
    ("net:net_dev_start_xmit", "4.4"),
    ("net:netif_receive_skb", "4.4"),
    ("net:netif_rx", "4.4"),
    ("skb:consume_skb", "4.4"),
    ("skb:kfree_skb", "4.4"),
    ("sock:sock_recv_length", "6.5"),
    ("sock:sock_send_length", "6.5"),
    ("tcp:tcp_retransmit_skb", "4.15"),
];

/// `event` is `group:name`; `None` for events that no function of netop stands on.
pub fn since(event: &str) -> Option<&'static str> {
    SINCE
        .iter()
        .find(|(name, _)| *name == event)
        .map(|(_, version)| *version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::PROBES;

    #[test]
    fn the_table_has_every_event_of_the_functions_and_no_other() {
        let mut events: Vec<String> = PROBES
            .iter()
            .flat_map(|probe| probe.events())
            .map(|event| event.full_name())
            .collect();
        events.sort();
        events.dedup();
        let listed: Vec<&str> = SINCE.iter().map(|(name, _)| *name).collect();
        assert_eq!(listed, events);
    }
}
