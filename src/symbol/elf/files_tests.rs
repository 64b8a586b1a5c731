//! Files of a few bytes, their threads and their answers.

use std::time::{Duration, Instant};

use super::*;

fn files() -> (Files, crossbeam_channel::Receiver<Message>) {
    let (answers, heard) = bounded(64);
    (Files::new(answers, DwarfBudget::unlimited(), None), heard)
}

fn nowhere() -> Whereabouts {
    Whereabouts::of("/nowhere/proc".as_ref(), 1, "/x/y")
}

fn file(inode: u64) -> Identity {
    Identity {
        inode,
        ..Identity::default()
    }
}

fn tag(offset: u64) -> Tag {
    Tag {
        pid: 1,
        life: 0,
        address: 0x5000 + offset,
        offset,
        object: "x".into(),
    }
}

/// Threads take a moment to come for a file.
fn open(files: &mut Files, inode: u64) {
    while !files.open.contains_key(&file(inode)) {
        let image = Source::Image(vec![1; 99]);
        files.open(file(inode), image, nowhere(), "x".into());
    }
}

#[test]
fn a_file_that_is_no_program_answers_with_offsets() {
    let (mut files, heard) = files();
    files.open(file(1), Source::Image(vec![1; 99]), nowhere(), "x".into());
    assert!(matches!(files.ask(&file(1), tag(0x10)), Handed::Over));
    let Ok(Message::Answer(answer)) = heard.recv() else {
        panic!("no answer");
    };
    let frames = answer.frames.expect("frames");
    assert_eq!((frames[0].text.as_str(), frames.len()), ("x+0x10", 1));
}

#[test]
fn only_so_many_files_are_open_and_the_one_used_longest_ago_goes() {
    let (mut files, _heard) = files();
    let most = MOST_FILES as u64;
    for inode in 0..most {
        open(&mut files, inode);
        files.ask(&file(inode), tag(1));
    }
    files.ask(&file(0), tag(2));
    open(&mut files, most);
    let has = |inode| files.open.contains_key(&file(inode));
    assert!(has(0) && !has(1) && has(most));
    assert_eq!(files.open.len(), MOST_FILES);
    assert!(matches!(files.ask(&file(1), tag(3)), Handed::Later));
}

#[test]
fn a_file_that_nobody_asks_for_a_while_is_let_go_and_can_be_opened_again() {
    let (mut files, heard) = files();
    files.shared.rest = Duration::from_millis(20);
    let mut offsets = 1..;
    let mut next = || tag(offsets.next().expect("more"));
    for _ in 0..2 {
        open(&mut files, 1);
        assert!(matches!(files.ask(&file(1), next()), Handed::Over));
        assert!(heard.recv_timeout(Duration::from_secs(5)).is_ok());
        let began = Instant::now();
        while files.open.contains_key(&file(1)) {
            assert!(began.elapsed() < Duration::from_secs(5), "it never rests");
            thread::sleep(Duration::from_millis(10));
            if let Handed::Over = files.ask(&file(1), next()) {
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
    assert_eq!(files.held(), 0);
}

#[test]
fn what_a_file_has_answered_is_not_asked_of_it_again() {
    let (mut files, heard) = files();
    open(&mut files, 1);
    for _ in 0..2 {
        assert!(files.has(&file(1), 0x10));
        assert!(matches!(files.ask(&file(1), tag(0x10)), Handed::Over));
        let Ok(Message::Answer(answer)) = heard.recv() else {
            panic!("no answer");
        };
        assert_eq!(answer.frames.expect("frames")[0].text, "x+0x10");
        files.open.clear();
    }
    assert!(!files.has(&file(1), 0x11));
}

#[test]
fn threads_are_few_and_serve_one_file_after_the_other() {
    let (mut files, heard) = files();
    for inode in 0..10 * MOST_FILES as u64 {
        open(&mut files, inode);
        assert!(matches!(files.ask(&file(inode), tag(1)), Handed::Over));
        assert!(heard.recv_timeout(Duration::from_secs(5)).is_ok());
    }
    assert!(files.threads.all.load(Ordering::Acquire) <= MOST_FILES);
}

#[test]
fn no_file_is_opened_while_all_threads_are_stuck() {
    let (mut files, _heard) = files();
    files.threads.all.store(MOST_FILES, Ordering::Release);
    for inode in 0..=MOST_WAITING as u64 {
        let image = Source::Image(Vec::new());
        files.open(file(inode), image, nowhere(), "x".into());
    }
    let last = file(MOST_WAITING as u64);
    assert!(files.open.contains_key(&file(0)) && !files.open.contains_key(&last));
    assert!(matches!(files.ask(&last, tag(1)), Handed::Later));
}
