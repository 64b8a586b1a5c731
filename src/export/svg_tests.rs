//! The difference of two profiles as a picture.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::model::Stack;

fn stack(unit: &'static str, weight: f64, frames: &[&str]) -> Stack {
    Stack {
        function: "cpu".into(),
        pid: 7,
        comm: "kafka".into(),
        weight,
        unit,
        samples: 1,
        stage: None,
        direction: None,
        context: None,
        cut: usize::MAX,
        frames: frames.iter().map(|frame| Arc::from(*frame)).collect(),
    }
}

fn profile<'a>(title: &str, stacks: &'a [Stack], seconds: f64) -> Profile<'a> {
    Profile {
        title: title.to_owned(),
        subtitle: "6.8.0".to_owned(),
        stacks,
        lines: const { &BTreeMap::new() },
        at: 0,
        seconds,
    }
}

/// The colour of a function's box.
fn colour(svg: &str, function: &str) -> (u8, u8, u8) {
    let at = svg.find(&format!("<title>{function} (")).expect("a box");
    let rest = &svg[at..];
    let at = rest.find("fill=\"rgb(").expect("a colour") + "fill=\"rgb(".len();
    let numbers: Vec<u8> = rest[at..]
        .split(')')
        .next()
        .expect("numbers")
        .split(',')
        .map(|number| number.parse().expect("a number"))
        .collect();
    (numbers[0], numbers[1], numbers[2])
}

#[test]
fn what_is_more_a_second_is_red_and_what_is_less_is_blue_however_long_each_took() {
    let before = [
        stack("hits", 1000.0, &["more"]),
        stack("hits", 4000.0, &["less"]),
        stack("hits", 2000.0, &["same"]),
        stack("hits", 10.0, &["gone"]),
    ];
    let after = [
        stack("hits", 900.0, &["more"]),
        stack("hits", 1000.0, &["less"]),
        stack("hits", 1000.0, &["same"]),
    ];
    let (before, after) = (profile("a", &before, 2.0), profile("b", &after, 1.0));
    let svg = difference(&before, &after).expect("a picture");
    let (red, _, blue) = colour(&svg, "more");
    assert!(red > blue, "more");
    let (red, _, blue) = colour(&svg, "less");
    assert!(red < blue, "less");
    let (red, green, blue) = colour(&svg, "same");
    assert!(red == green && green == blue, "same");
    assert!(svg.contains("a → b") && svg.contains("blue: less"));
    assert_eq!(difference(&before, &after), Some(svg));
}

#[test]
fn hits_are_not_compared_with_time_and_nothing_is_no_picture() {
    let hits = [stack("hits", 10.0, &["f"])];
    let time = [stack("ns", 1e6, &["f"])];
    let (hits, time) = (profile("a", &hits, 1.0), profile("b", &time, 1.0));
    assert_eq!(difference(&hits, &time), None);
    let none = profile("c", &[], 1.0);
    assert_eq!(difference(&none, &none), None);
    assert!(difference(&profile("c", &[], 0.0), &hits).is_some());
}
