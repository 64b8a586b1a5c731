//! `-G`: the control group that was asked for, as a filter of its processes.

use crate::cli;
use crate::error::Error;
use crate::host::{Proc, members};
use crate::plan::Plan;

const FIND: &str = "find /sys/fs/cgroup -name cgroup.procs";

/// Those that are in it now; the source says who joins.
pub fn only(typed: &cli::Live, plan: &mut Plan) -> Result<(), Error> {
    let Some(path) = &typed.what.cgroup else {
        return Ok(());
    };
    let Some(pids) = members(&Proc::host(), path) else {
        return Err(Error::nothing(
            format!("there is no control group {path}"),
            FIND,
        ));
    };
    if pids.is_empty() {
        return Err(Error::nothing(
            format!("no process is in the control group {path}"),
            FIND,
        ));
    }
    plan.want.pids = pids;
    plan.want.cgroup = Some(path.clone());
    Ok(())
}
