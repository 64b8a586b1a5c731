//! What Ctrl-P asks for: the list of what can be observed, and an engine that counts other events.
//! The engine's rows are settled when it is made, so another one takes over; what was seen stays
//! in the screen's history.

use std::collections::BTreeSet;

use super::Origin;
use super::observable::observables;
use crate::cli::Live;
use crate::engine::Engine;
use crate::error::Error;
use crate::model::{Observable, Want};
use crate::plan::{self, Plan};
use crate::probe::PROBES;

/// Where the running engine came from.
#[derive(Clone)]
pub struct Probing {
    origin: Origin,
    typed: Live,
}

/// What takes over.
pub struct Other {
    pub engine: Engine,
    /// As `-e` says them: those of before that cannot be attached any more are left out.
    pub events: Vec<String>,
    pub exact: BTreeSet<String>,
    pub notes: Vec<String>,
}

impl Probing {
    pub fn new(origin: Origin, typed: &Live) -> Probing {
        Probing {
            origin,
            typed: typed.clone(),
        }
    }

    pub fn list(&self, place: &str, pids: &[u32]) -> Result<Vec<Observable>, String> {
        match self.origin {
            Origin::Host => observables(place, pids).map_err(|why| why.to_string()),
            Origin::MadeUp(..) => Ok(super::observable::functions()),
        }
    }

    /// An engine that counts `events`, and otherwise what is wanted now.
    pub fn engine(&self, events: &[String], now: &Want) -> Result<Other, Error> {
        let mut events = events.to_vec();
        let planned = self.plan(&events, now).or_else(|why| {
            // A library may have been deleted since.
            let all = events.len();
            let is_there = |one: &String| self.plan(std::slice::from_ref(one), now).is_ok();
            events.retain(|one| !now.exact.contains(one) || is_there(one));
            if events.len() == all {
                return Err(why);
            }
            self.plan(&events, now)
        });
        let mut plan = planned?;
        let known: BTreeSet<&str> = PROBES.iter().map(|probe| probe.function()).collect();
        let asked = now
            .exact
            .iter()
            .filter(|name| known.contains(name.as_str()));
        plan.want.exact.extend(asked.cloned());
        let exact = plan.want.exact.clone();
        plan.want = Want {
            exact: exact.clone(),
            drill: None,
            ..now.clone()
        };
        let notes = plan.settings.notes.clone();
        let engine = self.origin.engine(plan)?;
        Ok(Other {
            engine,
            events,
            exact,
            notes,
        })
    }

    fn plan(&self, events: &[String], now: &Want) -> Result<Plan, Error> {
        let mut typed = self.typed.clone();
        typed.what.events = events.to_vec();
        typed.what.pids.clone_from(&now.pids);
        typed.what.device.clone_from(&now.device);
        match self.origin {
            Origin::Host => plan::live(&typed),
            Origin::MadeUp(..) => plan::demo(&typed),
        }
    }
}
