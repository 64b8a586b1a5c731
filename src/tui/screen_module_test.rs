//! `--module` on the screen: what it narrows, what it does not, names where room is short.

use super::tests::frame;
use crate::tui::fixture;

#[test]
fn a_module_is_named_where_it_narrows_and_where_it_does_not() {
    let mut snapshot = fixture::busy();
    snapshot.filter.module = Some("mlx5_core".to_owned());
    snapshot.functions[0].name = "mlx5e_handle_rx_cqe [mlx5_core]".into();
    for (keys, words) in [
        ("", "LOSS, HOT, NET and counts: all modules"),
        ("5", "LOSS, HOT, NET and counts: all modules"),
        ("2", "in the stages; the rest: whole host"),
        ("4", "but this view: all modules"),
        ("8", "but this view: all modules"),
    ] {
        let text = frame(snapshot.clone(), keys, (80, 24));
        let only = text.lines().find(|line| line.starts_with("ONLY "));
        let only = only.expect("the filter's line");
        assert!(
            only.contains("module mlx5_core") && only.contains(words),
            "{only}"
        );
    }
    let narrow = frame(snapshot.clone(), "", (80, 24));
    assert!(narrow.contains("mlx5e_handle_rx_c"), "{narrow}");
    let mut programs = snapshot.clone();
    programs.filter.module = Some("bpf".to_owned());
    programs.functions[0].name = "bpf_prog_6deef7357e7b4530_from_host [bpf]".into();
    let text = frame(programs, "", (80, 24));
    assert!(text.contains("…from_host "), "{text}");
    let wide = frame(snapshot, "", (250, 40));
    assert!(wide.contains("mlx5e_handle_rx_cqe [mlx5_core]"), "{wide}");
}
