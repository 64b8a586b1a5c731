//! This very program, as if a recording told where it had been mapped.

use std::time::Duration;

use super::*;

const BASE: u64 = 0x10_0000;

fn patience() -> Patience {
    Patience::new(Duration::from_secs(20))
}

fn names() -> PerfFileUser {
    PerfFileUser::new(FxHashMap::default(), None)
}

fn map<'a>(path: &'a str, build_id: Option<&'a [u8]>) -> Mapped<'a> {
    Mapped {
        pid: Some(7),
        start: BASE,
        len: 1 << 40,
        offset: 0,
        path,
        build_id,
    }
}

fn name(names: &mut PerfFileUser, pid: u32, address: u64) -> String {
    let mut frames = Vec::new();
    assert!(names.name(pid, address, &mut frames, &mut patience()));
    frames.pop().expect("the outermost function").to_string()
}

fn this_program() -> String {
    let path = std::env::current_exe().expect("a path");
    path.to_str().expect("UTF-8").to_owned()
}

#[inline(never)]
fn a_function_to_be_found() -> u32 {
    std::hint::black_box(7)
}

/// Where it lies in the file of this program.
fn offset() -> u64 {
    let address = a_function_to_be_found as fn() -> u32 as usize as u64;
    let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
    let mapping = crate::symbol::maps::parse(&maps)
        .into_iter()
        .find(|mapping| (mapping.start..mapping.end).contains(&address))
        .expect("a mapping");
    address - mapping.start + mapping.offset + 1
}

#[test]
fn a_function_of_a_file_that_is_here_has_its_name_and_the_doubt_is_said() {
    let mut names = names();
    names.mapped(7, &map(&this_program(), None));
    names.forked(7, 8);
    for pid in [7, 8] {
        let found = name(&mut names, pid, BASE + offset());
        assert!(
            found.contains("::tests::a_function_to_be_found (netop-"),
            "{found}"
        );
        assert!(
            names
                .location(&found)
                .is_some_and(|line| line.contains("perf_file_user_tests.rs:"))
        );
    }
    assert!(
        names
            .missing()
            .is_some_and(|why| why.contains("does not say which build"))
    );
    assert_eq!(a_function_to_be_found(), 7);
}

#[test]
fn a_file_of_another_build_gives_no_names_and_one_in_perfs_cache_of_the_same_does() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = this_program();
    let mut other = names();
    other.mapped(7, &map(&path, Some(&[1, 2, 3])));
    let found = name(&mut other, 7, BASE + offset());
    assert!(found.ends_with(&format!("+{:#x}", offset())), "{found}");
    assert!(
        other
            .missing()
            .is_some_and(|why| why.contains("another build"))
    );

    let id = build_id_of(&path);
    let kept = dir
        .path()
        .join(".build-id")
        .join(in_folders(&id).expect("an id"));
    std::fs::create_dir_all(&kept).expect("folders");
    std::os::unix::fs::symlink(&path, kept.join("elf")).expect("a link");
    let build_ids = [("/not/here/prog".to_owned(), id)].into_iter().collect();
    let mut names = PerfFileUser::new(build_ids, Some(dir.path().to_owned()));
    names.mapped(7, &map("/not/here/prog", None));
    let found = name(&mut names, 7, BASE + offset());
    assert!(
        found.ends_with("::tests::a_function_to_be_found (prog)"),
        "{found}"
    );
    assert_eq!(names.missing(), None);
}

fn build_id_of(path: &str) -> Vec<u8> {
    use object::Object;
    let bytes = std::fs::read(path).expect("a file");
    let file = object::File::parse(&*bytes).expect("an ELF file");
    file.build_id()
        .expect("notes")
        .expect("a build id")
        .to_vec()
}

#[test]
fn what_is_not_here_or_no_file_has_an_offset_or_a_word() {
    for (path, shown) in [
        ("/not/here/lib\u{1b}x.so", "lib?x.so+0x10"),
        ("/dev/null", "null+0x10"),
        ("//anon", "[anon]"),
        ("/memfd:jit (deleted)", "[anon]"),
        ("[vsyscall]", "[vsyscall]"),
        ("", "[anon]"),
    ] {
        let mut names = names();
        names.mapped(7, &map(path, None));
        assert_eq!(name(&mut names, 7, BASE + 0x10), shown, "{path}");
        assert_eq!(
            names.missing().is_some(),
            path.contains("lib") || path == "/dev/null"
        );
        assert_eq!(name(&mut names, 8, BASE + 0x10), "[unknown]");
        names.executed(7);
        assert_eq!(name(&mut names, 7, BASE + 0x10), "[unknown]");
    }
}

#[test]
fn without_patience_an_answer_comes_at_a_later_question() {
    let mut names = names();
    names.mapped(7, &map("/not/here/lib.so", None));
    let mut frames = Vec::new();
    let mut none = Patience::new(Duration::ZERO);
    assert!(!names.name(7, BASE + 0x10, &mut frames, &mut none));
    assert_eq!(frames, [hex(BASE + 0x10)]);
    assert_eq!(name(&mut names, 7, BASE + 0x10), "lib.so+0x10");
}
