//! The one way to skip a test. It says why; where NETOP_REQUIRE_LIVE is set the test fails instead, but for
//! what only another kernel or machine could mend (`reasons.txt`).

const REASONS: &str = include_str!("reasons.txt");

pub fn skip(why: &str) {
    let known = REASONS.lines().filter(|line| !line.starts_with('#'));
    let mut known = known.filter(|line| !line.is_empty());
    assert!(
        std::env::var_os("NETOP_REQUIRE_LIVE").is_none() || known.any(|line| why.starts_with(line)),
        "{why}, and NETOP_REQUIRE_LIVE is set (tests/skip/reasons.txt has what may be skipped)"
    );
    println!("skipped: {why}");
}
