//! What happens to processes: to the names of addresses and of processes.

use super::process::processes::Processes;
use crate::decode::{Happened, MappedFile, SideBand};
use crate::model::{Mapped, Names};

pub fn ingest(side: &[SideBand], names: &mut dyn Names, processes: &mut Processes) {
    for happened in side {
        match &happened.what {
            Happened::Mapped(mapping) => names.mapped(&Mapped {
                pid: (!mapping.kernel).then_some(happened.pid),
                start: mapping.start,
                len: mapping.len,
                offset: mapping.offset,
                path: &mapping.path,
                build_id: match &mapping.file {
                    MappedFile::BuildId(id) => Some(id),
                    MappedFile::Unknown | MappedFile::Inode { .. } => None,
                },
            }),
            Happened::Named { comm, exec } => {
                if *exec {
                    names.executed(happened.pid);
                }
                if happened.pid == happened.tid {
                    processes.called(happened.pid, comm);
                }
            }
            Happened::Forked { parent, .. } if *parent != happened.pid => {
                names.forked(*parent, happened.pid);
                processes.forked(*parent, happened.pid);
            }
            Happened::Forked { .. } | Happened::Ended => {}
        }
    }
}
