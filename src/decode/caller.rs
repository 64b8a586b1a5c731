//! Who called the function that a breakpoint stands at the beginning of.

use super::sample::CONTEXT_USER;

/// Puts the caller behind the function that a chain, which begins at `start`, begins with in user
/// space. Where the kernel has found it too (Linux 6.12 looks for it at `push %rbp` and `endbr64`)
/// or it could not be read, the chain stays as it is.
pub fn put_caller(caller: u64, start: usize, frames: &mut Vec<u64>) {
    let chain = &frames[start..];
    let user = chain.iter().position(|frame| *frame == CONTEXT_USER);
    let Some(behind) = user.map(|at| at + 2) else {
        return;
    };
    if caller != 0 && behind <= chain.len() && chain.get(behind) != Some(&caller) {
        frames.insert(start + behind, caller);
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::CONTEXT_KERNEL;
    use super::*;

    #[test]
    fn the_caller_stands_behind_the_called_function_once_wherever_it_comes_from() {
        let user = CONTEXT_USER;
        for (chain, caller, expected) in [
            // No frame pointer leads on.
            (&[user, 10][..], 20, &[user, 10, 20][..]),
            // The frame pointer is the caller's own: it leads to the caller's caller.
            (&[user, 10, 30], 20, &[user, 10, 20, 30]),
            // The kernel has found it.
            (&[user, 10, 20, 30], 20, &[user, 10, 20, 30]),
            (
                &[CONTEXT_KERNEL, 1, user, 10],
                20,
                &[CONTEXT_KERNEL, 1, user, 10, 20],
            ),
            // The stack could not be read.
            (&[user, 10], 0, &[user, 10]),
            (&[user], 20, &[user]),
            (&[], 20, &[]),
        ] {
            // Behind another sample's chain.
            let mut frames = [&[user, 7], chain].concat();
            put_caller(caller, 2, &mut frames);
            assert_eq!(frames[2..], *expected, "{chain:?} {caller}");
        }
    }
}
