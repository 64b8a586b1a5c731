//! Text that strangers named (processes, devices, symbols) made safe and made to fit: no control,
//! escape or direction-changing character, and never wider than its place.

use std::borrow::Cow;

use ratatui::text::{Line, Span};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::model::steers;

/// Stands where an unsafe character was.
pub const REPLACEMENT: char = '\u{fffd}';

pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().any(steers) {
        Cow::Owned(text.replace(steers, &REPLACEMENT.to_string()))
    } else {
        Cow::Borrowed(text)
    }
}

pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` in at most `room` cells; what was cut is marked with `…`.
pub fn clip(text: &str, room: usize) -> Cow<'_, str> {
    if text.width() <= room {
        return Cow::Borrowed(text);
    }
    if room == 0 {
        return Cow::Borrowed("");
    }
    let mut short = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        short.push(c);
    }
    short.push('…');
    Cow::Owned(short)
}

/// Of a breakpoint's name the function tells rows apart, not the file: `uprobe:…SSL_write`.
pub fn clip_breakpoint(name: &str, room: usize) -> Cow<'_, str> {
    let parts = name.split_once(':').zip(name.rsplit_once(':'));
    let is_probe = |kind: &str| matches!(kind, "uprobe" | "uretprobe" | "kprobe" | "kretprobe");
    match parts {
        Some(((kind, _), (_, function))) if is_probe(kind) && name.width() > room => {
            Cow::Owned(clip(&format!("{kind}:…{function}"), room).into_owned())
        }
        _ => Cow::Borrowed(name),
    }
}

/// The same of any row of view 1. Where all functions are of one module, its name gives way first,
/// then what kallsyms puts before the names of BPF programs.
pub fn clip_function(name: &str, module: Option<&str>, room: usize) -> String {
    let plain = module.and_then(|module| name.strip_suffix(&format!(" [{module}]")));
    let Some(plain) = plain.filter(|_| name.width() > room) else {
        return clip_breakpoint(name, room).into_owned();
    };
    match program(plain).filter(|_| plain.width() > room) {
        Some(program) => format!("…{program}"),
        None => plain.to_owned(),
    }
}

/// The name of a BPF program in `bpf_prog_0123456789abcdef_name`; it may have none.
fn program(symbol: &str) -> Option<&str> {
    let (tag, name) = symbol.strip_prefix("bpf_prog_")?.split_once('_')?;
    (tag.len() == 16 && !name.is_empty()).then_some(name)
}

/// The same for a styled line; the mark takes the style of what it cuts.
pub fn clip_line(line: Line<'static>, room: usize) -> Line<'static> {
    if line.width() <= room {
        return line;
    }
    let mut left = room;
    let mut spans = Vec::new();
    let mut rest = line.spans.into_iter().peekable();
    while let Some(span) = rest.next() {
        let wide = span.width();
        let last = rest.peek().is_none();
        if wide < left || (wide == left && last) {
            left -= wide;
            spans.push(span);
            continue;
        }
        let cut = if wide <= left {
            format!("{}…", clip_hard(&span.content, left.saturating_sub(1)))
        } else {
            clip(&span.content, left).into_owned()
        };
        spans.push(Span::styled(cut, span.style));
        break;
    }
    Line::from(spans)
}

fn clip_hard(text: &str, room: usize) -> String {
    let mut used = 0;
    text.chars()
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= room
        })
        .collect()
}

/// Words on lines of at most `room` cells; what does not fit into `lines` lines ends in `…`.
pub fn wrap(text: &str, room: usize, lines: usize) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    if room == 0 || lines == 0 {
        return out;
    }
    for word in text.split_whitespace() {
        match out.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => out.push(word.to_owned()),
        }
    }
    if out.len() > lines {
        let rest = out.split_off(lines - 1).join(" ");
        out.push(rest);
    }
    out.iter()
        .map(|line| clip(line, room).into_owned())
        .collect()
}

/// The same, or nothing where not every word finds room.
pub fn wrap_whole(text: &str, room: usize, lines: usize) -> Option<Vec<String>> {
    let all = wrap(text, room, lines);
    let words = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    (words(text) == words(&all.join(" "))).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_breakpoints_of_one_library_stay_two_where_room_is_short() {
        let clipped = |name| clip_breakpoint(name, 22).into_owned();
        assert_eq!(clipped("uprobe:libssl.so.3:SSL_write"), "uprobe:…SSL_write");
        assert_eq!(
            clipped("uretprobe:libssl.so.3:SSL_read"),
            "uretprobe:…SSL_read"
        );
        assert_eq!(clipped("uprobe:a:f"), "uprobe:a:f");
        let tracepoint = "net:netif_receive_skb_exit";
        assert_eq!(clipped(tracepoint), tracepoint, "the table cuts it");
    }

    #[test]
    fn escape_and_direction_characters_never_survive() {
        let hostile = "a\x1b[31m\u{202e}evil\u{9b}\r\n\u{200b}z";
        let safe = clean(hostile);
        let raw = |c: char| c.is_control() || "\u{202e}\u{200b}".contains(c);
        assert!(!safe.contains(raw), "{safe:?}");
        assert!(safe.contains("evil") && safe.ends_with('z'));
        assert!(matches!(clean("eth0"), Cow::Borrowed("eth0")));
    }

    #[test]
    fn clipping_marks_the_cut_and_respects_wide_characters() {
        assert_eq!(clip("abcdef", 4), "abc…");
        assert_eq!(clip("abcd", 4), "abcd");
        assert_eq!(clip("日本語", 4), "日…");
        assert_eq!(clip("abc", 0), "");
        let line = Line::from(vec![Span::raw("abc"), Span::raw("def")]);
        for room in 0..8 {
            let cut = clip_line(line.clone(), room);
            assert!(cut.width() <= room, "{room}: {cut}");
            assert_eq!(cut.to_string().contains('…'), room > 0 && room < 6, "{cut}");
        }
    }

    #[test]
    fn wrapping_keeps_words_whole_and_says_when_something_is_left() {
        assert_eq!(wrap("one two three", 8, 5), ["one two", "three"]);
        assert_eq!(wrap("one two three four", 8, 2), ["one two", "three f…"]);
        assert!(wrap("x", 0, 2).is_empty());
        assert_eq!(wrap_whole("one two three four", 8, 2), None);
        assert_eq!(wrap_whole("overlong", 4, 2), None);
        let whole = wrap_whole("one  two three", 8, 2).expect("fits");
        assert_eq!(whole, ["one two", "three"]);
    }
}
