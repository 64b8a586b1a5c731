//! The intents that can fail, each with a sentence and the next command to type.

use std::borrow::Cow;
use std::fmt;

/// Exit codes (docs/guide.md).
pub const EXIT_NOTHING: u8 = 1;
pub const EXIT_USAGE: u8 = 2;
pub const EXIT_PERMISSION: u8 = 3;
pub const EXIT_FAILED: u8 = 4;

/// A word of a command to type: what a shell would split or obey is quoted.
pub fn shell_word(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "_-./:=,@%+~".contains(c);
    if !word.is_empty() && !word.starts_with('~') && word.chars().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

#[derive(Debug)]
pub enum Error {
    /// What was asked for is not understood.
    Usage { what: String, hint: String },
    /// What was asked for by name is not permitted or not there.
    Unavailable { what: String, hint: String },
    /// The work itself failed.
    Failed { what: String, hint: String },
    /// Nothing of what was asked for exists (a process, a device).
    Nothing { what: String, hint: String },
}

impl Error {
    pub fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Usage {
            what: what.into(),
            hint: hint.into(),
        }
    }

    pub fn unavailable(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Unavailable {
            what: what.into(),
            hint: hint.into(),
        }
    }

    pub fn failed(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Failed {
            what: what.into(),
            hint: hint.into(),
        }
    }

    pub fn nothing(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Nothing {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// EAGAIN says neither which limit it was nor that memory for the stack is missing.
    pub fn no_thread(error: &std::io::Error) -> Self {
        Error::failed(
            format!("cannot start a thread (limits of processes or memory): {error}"),
            "ulimit -u -v",
        )
    }

    /// The next command to type.
    pub fn hint(&self) -> &str {
        match self {
            Error::Usage { hint, .. }
            | Error::Unavailable { hint, .. }
            | Error::Failed { hint, .. }
            | Error::Nothing { hint, .. } => hint,
        }
    }

    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage { .. } => EXIT_USAGE,
            Error::Unavailable { .. } => EXIT_PERMISSION,
            Error::Failed { .. } => EXIT_FAILED,
            Error::Nothing { .. } => EXIT_NOTHING,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage { what, .. }
            | Error::Unavailable { what, .. }
            | Error::Failed { what, .. }
            | Error::Nothing { what, .. } => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_a_shell_would_obey_is_quoted() {
        for (word, quoted) in [
            ("/a/b-1.perf.data", "/a/b-1.perf.data"),
            ("für", "für"),
            ("a b;reboot", "'a b;reboot'"),
            ("it's", r"'it'\''s'"),
            ("~root", "'~root'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(word), quoted);
        }
    }
}
