//! Whose sockets are whose, in made-up and in real /proc.

use super::super::proc::tests::root_with;
use super::*;
use std::os::unix::fs::symlink;

fn opens(proc: &Proc, pid: u32, inodes: impl Iterator<Item = u64>) {
    let dir = proc.path(&format!("proc/{pid}/fd"));
    fs::create_dir_all(&dir).expect("directory");
    for (fd, inode) in inodes.enumerate() {
        symlink(format!("socket:[{inode}]"), dir.join(fd.to_string())).expect("link");
    }
    symlink("/dev/null", dir.join("null")).expect("link");
}

#[test]
fn sockets_of_new_processes_are_found_at_once_and_forgotten_with_them() {
    let (_dir, proc) = root_with(&[]);
    opens(&proc, 7, 900..902);
    let mut owners = SocketOwners::default();
    assert_eq!(
        owners.look(&proc, &[901, 5, 900]),
        [(901, 7), (900, 7)],
        "5 is nobody's"
    );
    opens(&proc, 8, 910..911);
    assert_eq!(owners.look(&proc, &[910]), [(910, 8)]);
    fs::remove_dir_all(proc.path("proc/7")).expect("it ends");
    assert_eq!(owners.look(&proc, &[901]), []);
    assert_eq!(owners.owners.len(), 1);
}

#[test]
fn an_old_process_is_looked_at_again_only_when_a_socket_is_not_found() {
    let (_dir, proc) = root_with(&[]);
    opens(&proc, 7, 900..901);
    opens(&proc, 8, 910..911);
    let mut owners = SocketOwners::default();
    owners.look(&proc, &[]);
    let turns = owners.turns;
    owners.look(&proc, &[900]);
    assert_eq!(owners.turns, turns, "nothing is missing");
    symlink("socket:[920]", proc.path("proc/8/fd/9")).expect("link");
    assert_eq!(owners.look(&proc, &[920]), [(920, 8)]);
    // One that nobody has is searched for once round, and not for ever.
    owners.look(&proc, &[5]);
    let turns = owners.turns;
    owners.look(&proc, &[5]);
    assert_eq!(owners.turns, turns);
}

#[test]
fn a_socket_that_went_to_another_process_is_found_there() {
    let (_dir, proc) = root_with(&[]);
    opens(&proc, 7, 900..901);
    opens(&proc, 8, 900..901);
    let mut owners = SocketOwners::default();
    assert_eq!(owners.look(&proc, &[900]), [(900, 7)]);
    fs::remove_dir_all(proc.path("proc/7")).expect("it ends");
    assert_eq!(owners.look(&proc, &[900]), [(900, 8)]);
}

#[test]
fn a_hundred_thousand_sockets_of_ten_thousand_processes_are_found_a_part_at_a_time() {
    let pids: Vec<u32> = (1..=10_000).collect();
    let of = |pid: u32| {
        let first = u64::from(pid) * 10;
        (11, (first..first + 10).collect())
    };
    let mut owners = SocketOwners::default();
    let all: Vec<u64> = (10..100_010).collect();
    let mut looks = 0;
    while owners.owners.len() < all.len() {
        let turns = owners.turns;
        owners.search(&pids, &all, of);
        assert!(owners.turns - turns <= FILES / 11 + 1, "a part at a time");
        looks += 1;
        assert!(looks <= 7, "{}", owners.owners.len());
    }
    assert!(looks > 3, "{looks}");
    assert_eq!(owners.owners.get(&55_555), Some(&5_555));
}

#[test]
fn this_process_has_its_own_sockets() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let (files, sockets) = sockets_of(&Proc::host(), std::process::id());
    assert!(files > 2 && !sockets.is_empty());
    drop(socket);
}
