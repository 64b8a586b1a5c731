//! The names of the BPF programs that the kernel holds, by their ids.

use std::collections::BTreeMap;

use aya::programs::loaded_programs;

/// Of each of the programs its name; without the rights to look, or where it has gone, none.
pub fn bpf_names(ids: &[u32]) -> BTreeMap<u32, String> {
    if ids.is_empty() {
        return BTreeMap::new();
    }
    let name =
        |id, name: Option<&str>| Some((id, name.filter(|name| !name.is_empty())?.to_owned()));
    loaded_programs()
        .filter_map(Result::ok)
        .filter(|program| ids.contains(&program.id()))
        .filter_map(|program| name(program.id(), program.name_as_str()))
        .collect()
}
