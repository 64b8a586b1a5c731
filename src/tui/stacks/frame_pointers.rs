//! Programs whose user stacks stop at once because they were built without frame pointers.

use std::collections::HashMap;
use std::sync::Arc;

use super::stack_query::{inside, is_user};
use crate::model::Stack;

/// Fewer samples prove nothing.
const LEAST: u64 = 5;

/// Names of the programs, heaviest first: most of their own samples with user frames have just one.
pub fn without(cpu_profile: &[Stack]) -> Vec<Arc<str>> {
    #[derive(Default)]
    struct Seen {
        samples: u64,
        short: u64,
    }
    let mut programs: HashMap<&Arc<str>, Seen> = HashMap::new();
    let own = |stack: &&Stack| stack.context == Some("process");
    for stack in cpu_profile.iter().filter(own) {
        let user = inside(stack).iter().filter(|frame| is_user(frame)).count();
        if user > 0 {
            let seen = programs.entry(&stack.comm).or_default();
            seen.samples += stack.samples;
            seen.short += if user == 1 { stack.samples } else { 0 };
        }
    }
    let blind =
        |(_, seen): &(&Arc<str>, Seen)| seen.samples >= LEAST && 2 * seen.short > seen.samples;
    let mut list: Vec<_> = programs.into_iter().filter(blind).collect();
    list.sort_by(|a, b| b.1.samples.cmp(&a.1.samples).then_with(|| a.0.cmp(b.0)));
    list.into_iter().map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::cpu_stack;

    #[test]
    fn a_program_whose_user_stacks_mostly_stop_at_the_first_frame_is_named_once() {
        let short = ["do_syscall_64", "send (libc.so.6)"];
        let long = ["do_syscall_64", "send (libc.so.6)", "main (good)"];
        let profile = [
            cpu_stack("process", 1, "bad", 90.0, &short),
            cpu_stack("process", 2, "bad", 90.0, &short),
            cpu_stack("process", 3, "good", 90.0, &long),
            cpu_stack("process", 3, "good", 20.0, &short),
            cpu_stack("process", 4, "kthread", 90.0, &short[..1]),
            cpu_stack("softirq", 5, "victim", 90.0, &short),
            cpu_stack("process", 6, "rare", 10.0, &short),
        ];
        assert_eq!(without(&profile), [Arc::from("bad")]);
        assert!(without(&[]).is_empty());
    }
}
