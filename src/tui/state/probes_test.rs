//! What Ctrl-P asks for and does.

use std::sync::Arc;

use super::*;
use crate::tui::fixture;
use crate::tui::input::key::parse_keys;
use crate::tui::state::Options;

fn press(ui: &mut UiState, script: &str) -> Vec<Effect> {
    let keys = parse_keys(script).expect("valid keys");
    keys.into_iter().flat_map(|key| ui.key(key)).collect()
}

fn one(name: &str, kind: ObservableKind, about: &str) -> Observable {
    Observable {
        name: name.to_owned(),
        kind,
        about: about.to_owned(),
    }
}

fn opened(events: &[&str]) -> UiState {
    let mut ui = UiState::new(Options {
        events: events.iter().map(|&event| event.to_owned()).collect(),
        ..Options::default()
    });
    ui.snapshot(Arc::new(fixture::busy()));
    let asked = press(&mut ui, "<c-p>");
    assert_eq!(asked, [Effect::ListProbes(String::new())]);
    let list = vec![
        one("dev_queue_xmit", ObservableKind::Function, "Queued."),
        one("__dev_queue_xmit", ObservableKind::Same, "dev_queue_xmit"),
        one("net:net_dev_xmit", ObservableKind::Tracepoint, ""),
        one("xnet:xmit", ObservableKind::Tracepoint, ""),
    ];
    ui.probes_listed("", Ok(list));
    ui
}

fn events(names: &[&str]) -> Effect {
    Effect::Probes(names.iter().map(|&name| name.to_owned()).collect())
}

#[test]
fn a_tracepoint_is_added_by_its_name_or_by_choice_and_taken_away_the_same_way() {
    let typed = "net:net_dev_xmit<enter>";
    assert_eq!(
        press(&mut opened(&[]), typed),
        [events(&["net:net_dev_xmit"])]
    );
    let chosen = "net:<down><down><enter>";
    assert_eq!(
        press(&mut opened(&["a:b"]), chosen),
        [events(&["a:b", "xnet:xmit"])]
    );
    let mut ui = opened(&["a:b", "net:net_dev_xmit"]);
    assert!(ui.is_added("net:net_dev_xmit"));
    assert_eq!(press(&mut ui, typed), [events(&["a:b"])]);
    assert!(ui.prompt.is_none());
}

#[test]
fn a_function_by_any_of_its_names_is_made_exact_by_the_running_engine() {
    for name in ["dev_queue_xmit", "__dev_queue_xmit"] {
        let mut ui = opened(&[]);
        let effects = press(&mut ui, &format!("{name}<enter>"));
        assert!(matches!(&effects[..], [Effect::Want(_)]), "{effects:?}");
        assert!(ui.want().exact.contains("dev_queue_xmit"));
        press(&mut ui, &format!("<c-p>{name}<enter>"));
    }
}

#[test]
fn the_list_follows_what_is_typed_and_late_answers_are_let_go() {
    let mut ui = opened(&[]);
    let effects = press(&mut ui, "uprobe:libssl.so.3:SSL");
    assert_eq!(
        effects,
        [Effect::ListProbes("uprobe:libssl.so.3:".to_owned())]
    );
    ui.probes_listed("", Ok(vec![one("late", ObservableKind::Function, "")]));
    assert!(ui.probes.matching("").is_empty());
    let name = "uprobe:libssl.so.3:SSL_write";
    let symbols = vec![one(name, ObservableKind::Symbol, "")];
    ui.probes_listed("uprobe:libssl.so.3:", Ok(symbols));
    assert_eq!(press(&mut ui, "<tab><enter>"), [events(&[name])]);
}

#[test]
fn a_field_waits_for_what_it_is_compared_with() {
    let mut ui = opened(&[]);
    let place = "net:net_dev_xmit:";
    assert_eq!(
        press(&mut ui, place),
        [Effect::ListProbes(place.to_owned())]
    );
    let field = "net:net_dev_xmit:len";
    ui.probes_listed(place, Ok(vec![one(field, ObservableKind::Field, "u32")]));
    assert_eq!(press(&mut ui, "<down><enter>"), []);
    let effects = press(&mut ui, ">1000<enter>");
    assert_eq!(effects, [events(&["net:net_dev_xmit:len>1000"])]);
}

#[test]
fn what_is_refused_can_be_mended_and_what_is_taken_is_said() {
    let mut ui = opened(&["a:b"]);
    let wrong = ["a:b", "net:nonsense"].map(str::to_owned);
    press(&mut ui, "net:nonsense<enter>");
    ui.probes_refused(&wrong, "this kernel has no tracepoint net:nonsense");
    assert_eq!(ui.prompt.as_ref().map(Prompt::text), Some("net:nonsense"));
    assert!(ui.message.as_ref().is_some_and(|said| said.is_error));
    assert_eq!(ui.probes.events, ["a:b"], "still what is counted");

    for (events, expected) in [
        (
            vec!["a:b", "net:netif_rx"],
            "net:netif_rx added; totals restart",
        ),
        (vec!["net:netif_rx"], "a:b removed; totals restart"),
        (
            vec!["c:d"],
            "c:d added, net:netif_rx removed: it can no longer be attached",
        ),
    ] {
        let events: Vec<String> = events.into_iter().map(str::to_owned).collect();
        ui.probes_taken(events.clone(), BTreeSet::from_iter(events.clone()), &[]);
        let said = ui.message.as_ref().map_or("", |said| &said.text);
        assert!(said.starts_with(expected), "{said}");
        assert!(events.iter().all(|event| ui.is_added(event)));
        assert!(ui.is_added("a:b") == events.contains(&"a:b".to_owned()));
    }
}

#[test]
fn a_wrong_filter_is_marked_over_the_character_in_the_prompt() {
    let mut ui = opened(&[]);
    let said = "net:net_dev_xmit:nose>1";
    let why = format!(
        "{said}: the filter is wrong here\n  {said}\n  {:>18} no field",
        "^"
    );
    ui.probes_refused(&[said.to_owned()], &why);
    let message = ui.message.as_ref().map_or("", |message| &message.text);
    let column = |line: &str, what: &str| line.find(what).expect("there");
    assert_eq!(
        column(&format!("error: {message}"), "^"),
        column(&format!("add or remove: {said}"), "nose"),
    );
    ui.resize(40, 24);
    ui.probes_refused(&[said.to_owned()], &why);
    assert_eq!(
        ui.message.as_ref().map_or("", |message| &message.text),
        "no field"
    );
}

#[test]
fn a_recording_says_why_nothing_can_be_added() {
    let mut ui = UiState::new(Options {
        recording: Some("x.perf.data".to_owned()),
        ..Options::default()
    });
    assert_eq!(press(&mut ui, "<c-p>"), []);
    assert!(ui.prompt.is_none() && ui.message.is_some());
}
