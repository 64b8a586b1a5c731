//! One line of the answer.

use serde::Serialize;

use crate::export::clean;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    Partly,
    No,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Partly => "partly",
            Verdict::No => "no",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Unique in the answer.
    #[serde(rename = "check")]
    pub name: String,
    pub verdict: Verdict,
    /// Half a sentence, printable.
    pub found: String,
    /// The command to type; `None` where all is well or no command helps.
    pub mend: Option<String>,
    /// Does netop's job need it? A gap elsewhere leaves the exit code 0.
    pub needed: bool,
}

impl Check {
    pub fn new(name: &str, verdict: Verdict, found: impl AsRef<str>) -> Check {
        Check {
            name: name.to_owned(),
            verdict,
            found: clean(found.as_ref()).into_owned(),
            mend: None,
            needed: true,
        }
    }

    pub fn ok(name: &str, found: impl AsRef<str>) -> Check {
        Check::new(name, Verdict::Ok, found)
    }

    pub fn partly(name: &str, found: impl AsRef<str>) -> Check {
        Check::new(name, Verdict::Partly, found)
    }

    pub fn no(name: &str, found: impl AsRef<str>) -> Check {
        Check::new(name, Verdict::No, found)
    }

    pub fn mended_by(self, command: impl AsRef<str>) -> Check {
        Check {
            mend: Some(clean(command.as_ref()).into_owned()),
            ..self
        }
    }

    /// Good to have, and nothing is missing without it.
    pub fn extra(self) -> Check {
        Check {
            needed: false,
            ..self
        }
    }
}
