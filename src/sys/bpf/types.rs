//! The kernel's types that an object of ours names, cut out of all of them: aya makes a value of each
//! type that it is given, and the 127 000 of Linux 6.18 take some 20 ms of CPU time each time.
//! The layout of BTF is that of include/uapi/linux/btf.h.

use std::fs;

use aya::{Btf, Endianness};
use object::{Object, ObjectSection};
use rustc_hash::FxHashSet;

const FILE: &str = "/sys/kernel/btf/vmlinux";

/// struct btf_header.
const MAGIC: u16 = 0xeb9f;
const HEADER: usize = 24;

/// struct btf_type, without what follows it.
const RECORD: usize = 12;

/// BTF_KIND_*.
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const FORWARD: u32 = 7;
const TYPEDEF: u32 = 8;
/// Behind those that are volatile and those that are constant.
const RESTRICT: u32 = 11;
const TYPE_TAG: u32 = 18;

/// What the kernel calls the type of a tracepoint's arguments begins with this.
const TRACEPOINT: &str = "btf_trace_";

/// The running kernel's types, numbered as it does, of those that `object` names and that its
/// `tracepoints` have; the others have no names there. `Err`: a sentence.
pub fn named_by<'a>(
    object: &[u8],
    tracepoints: impl Iterator<Item = &'a str>,
) -> Result<Btf, String> {
    let none = |_| format!("this kernel has no BTF ({FILE})");
    let kernel = fs::read(FILE).map_err(none)?;
    let cut = own_types(object).and_then(|own| cut(&kernel, &own, tracepoints));
    // A kind of type that came later: all of them, then.
    let bytes = cut.as_deref().unwrap_or(&kernel);
    Btf::parse(bytes, Endianness::default()).map_err(|error| format!("{FILE}: {error}"))
}

fn own_types(object: &[u8]) -> Option<Vec<u8>> {
    let file = object::File::parse(object).ok()?;
    let section = file.section_by_name(".BTF")?;
    section.data().ok().map(<[u8]>::to_vec)
}

/// BTF as it lies in a file.
struct Types<'a> {
    bytes: &'a [u8],
    strings: &'a [u8],
    /// Where each type's record begins in `bytes`; the first is that of type 1.
    records: Vec<usize>,
    /// Where the last one ends.
    end: usize,
}

impl<'a> Types<'a> {
    /// `None`: it cannot be read to its end.
    fn parse(bytes: &'a [u8]) -> Option<Types<'a>> {
        let head = |at| word(bytes, at).map(|word| word as usize);
        if bytes.get(..2)? != MAGIC.to_ne_bytes() {
            return None;
        }
        let header = head(4)?;
        let (types, end) = section(header, head(8)?, head(12)?)?;
        let (from, to) = section(header, head(16)?, head(20)?)?;
        let mut records = Vec::new();
        let mut at = types;
        while at < end {
            records.push(at);
            let info = word(bytes, at + 4)?;
            at += RECORD + following(kind(info), info as usize & 0xffff)?;
        }
        (at == end).then_some(Types {
            strings: bytes.get(from..to)?,
            bytes: bytes.get(..end)?,
            records,
            end,
        })
    }

    fn name(&self, record: usize) -> Option<&'a str> {
        let name = self
            .strings
            .get(word(self.bytes, record)? as usize..)?
            .split(|&byte| byte == 0)
            .next()?;
        std::str::from_utf8(name).ok()
    }

    fn info(&self, record: usize) -> u32 {
        word(self.bytes, record + 4).unwrap_or(0)
    }

    /// A record with what follows it.
    fn record(&self, index: usize) -> &'a [u8] {
        let next = self.records.get(index + 1).copied();
        &self.bytes[self.records[index]..next.unwrap_or(self.end)]
    }

    /// The types that the layout of a type is made of.
    fn parts(&self, index: usize) -> Vec<u32> {
        let (record, info) = (self.record(index), self.info(self.records[index]));
        let part = |at| word(record, at);
        match kind(info) {
            STRUCT | UNION => (RECORD..record.len())
                .step_by(12)
                .filter_map(|member| part(member + 4))
                .collect(),
            ARRAY => [RECORD, RECORD + 4].into_iter().filter_map(part).collect(),
            TYPEDEF..=RESTRICT | TYPE_TAG => part(8).into_iter().collect(),
            _ => Vec::new(),
        }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(word.try_into().ok()?))
}

fn section(header: usize, offset: usize, len: usize) -> Option<(usize, usize)> {
    let from = header.checked_add(offset)?;
    Some((from, from.checked_add(len)?))
}

fn kind(info: u32) -> u32 {
    info >> 24 & 0x1f
}

/// Bytes behind a record; `None`: not known.
fn following(kind: u32, len: usize) -> Option<usize> {
    Some(match kind {
        // Pointers, forward declarations, typedefs and qualifiers, functions, floats, tags of types.
        2 | FORWARD..=12 | 16 | TYPE_TAG => 0,
        // Integers, variables, tags of declarations.
        1 | 14 | 17 => 4,
        ARRAY => 12,
        // Structures, unions, sections of data, enumerations of 64 bits.
        STRUCT | UNION | 15 | 19 => len * 12,
        // Enumerations, parameters.
        6 | 13 => len * 8,
        _ => return None,
    })
}

/// A name without its flavour: what CO-RE compares (`struct x___old` is `struct x`).
fn plain(name: &str) -> &str {
    name.split_once("___").map_or(name, |(name, _)| name)
}

/// `None`: `kernel` or `own` cannot be read.
fn cut<'a>(
    kernel: &[u8],
    own: &[u8],
    tracepoints: impl Iterator<Item = &'a str>,
) -> Option<Vec<u8>> {
    let (all, own) = (Types::parse(kernel)?, Types::parse(own)?);
    let composed = |info| matches!(kind(info), STRUCT | UNION | TYPEDEF);
    let names: FxHashSet<&str> = (own.records.iter())
        .filter(|&&record| composed(own.info(record)))
        .filter_map(|&record| Some(plain(own.name(record)?)))
        .filter(|name| !name.is_empty())
        .collect();
    let tracepoints: FxHashSet<&str> = tracepoints.collect();
    let wanted = |record: usize| {
        composed(all.info(record))
            && (all.name(record)).is_some_and(|name| match name.strip_prefix(TRACEPOINT) {
                Some(tracepoint) => tracepoints.contains(tracepoint),
                None => names.contains(plain(name)),
            })
    };
    let mut whole = vec![false; all.records.len()];
    let mut found: Vec<usize> = (0..whole.len())
        .filter(|&index| wanted(all.records[index]))
        .collect();
    while let Some(index) = found.pop() {
        if !std::mem::replace(&mut whole[index], true) {
            // Type 0 is void and has no record.
            let parts = all.parts(index).into_iter();
            let parts = parts.filter_map(|id| (id as usize).checked_sub(1));
            found.extend(parts.filter(|&part| part < whole.len()));
        }
    }
    let last = whole.iter().rposition(|&whole| whole).map_or(0, |i| i + 1);
    let mut types = Vec::new();
    for (index, &whole) in whole[..last].iter().enumerate() {
        if whole {
            types.extend_from_slice(all.record(index));
        } else {
            for word in [0, FORWARD << 24, 0] {
                types.extend_from_slice(&word.to_ne_bytes());
            }
        }
    }
    let (types_len, strings_len) = (types.len() as u32, all.strings.len() as u32);
    // Magic, version and flags as they are there.
    let mut bytes = kernel.get(..4)?.to_vec();
    for word in [HEADER as u32, 0, types_len, types_len, strings_len] {
        bytes.extend_from_slice(&word.to_ne_bytes());
    }
    bytes.append(&mut types);
    bytes.extend_from_slice(all.strings);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: &[u8] = include_bytes!("../../../assets/bpf/gate.bpf.o");

    fn record(name: u32, kind: u32, len: u32, last: u32) -> [u32; 3] {
        [name, kind << 24 | len, last]
    }

    /// `name` is where the name begins in `strings`.
    fn btf(words: &[u32], strings: &str) -> Vec<u8> {
        let mut bytes = [&MAGIC.to_ne_bytes()[..], &[1, 0]].concat();
        let len = words.len() as u32 * 4;
        let head = [HEADER as u32, 0, len, len, strings.len() as u32];
        for word in head.iter().chain(words) {
            bytes.extend_from_slice(&word.to_ne_bytes());
        }
        bytes.extend_from_slice(strings.as_bytes());
        bytes
    }

    const STRINGS: &str = "\0int\0skb\0skb___old\0other\0btf_trace_a\0btf_trace_b\0";

    #[test]
    fn what_is_named_keeps_its_number_and_what_it_is_made_of_and_the_rest_goes() {
        let words: Vec<u32> = [
            &record(1, 1, 0, 4)[..], // 1: int
            &[32],
            &record(19, STRUCT, 0, 0), // 2: other
            &record(0, 2, 0, 2),       // 3: a pointer to it
            &record(5, STRUCT, 2, 12), // 4: skb, of a pointer and an array of int
            &[1, 3, 0, 1, 5, 64],
            &record(0, ARRAY, 0, 0), // 5
            &[1, 1, 1],
            &record(25, TYPEDEF, 0, 3), // 6: btf_trace_a
            &record(37, TYPEDEF, 0, 3), // 7: btf_trace_b
        ]
        .concat();
        let kernel = btf(&words, STRINGS);
        let own = btf(&record(9, STRUCT, 0, 0), STRINGS);
        let cut = cut(&kernel, &own, ["a"].into_iter()).expect("types");
        let types = Types::parse(&cut).expect("types");
        let kinds: Vec<u32> = (types.records.iter())
            .map(|&record| kind(types.info(record)))
            .collect();
        assert_eq!(kinds, [1, FORWARD, 2, STRUCT, ARRAY, TYPEDEF]);
        let names = types.records.iter().map(|&record| types.name(record));
        let names: Vec<&str> = names.map(Option::unwrap_or_default).collect();
        assert_eq!(names, ["int", "", "", "skb", "", "btf_trace_a"]);
        assert_eq!(types.record(3), Types::parse(&kernel).unwrap().record(3));
    }

    #[test]
    fn what_cannot_be_read_to_its_end_is_not_cut() {
        let good = btf(&record(5, STRUCT, 0, 0), STRINGS);
        let unknown = btf(&record(5, 20, 0, 0), STRINGS);
        let short = btf(&record(5, STRUCT, 3, 0), STRINGS);
        for bad in [&unknown[..], &short, &good[..20], &good[2..], b""] {
            assert!(cut(bad, &good, [].into_iter()).is_none());
            assert!(cut(&good, bad, [].into_iter()).is_none());
        }
        assert!(cut(&good, &good, [].into_iter()).is_some());
    }

    #[test]
    fn the_object_finds_every_type_that_it_is_relocated_to_in_the_running_kernel() {
        let Ok(kernel) = fs::read(FILE) else {
            return;
        };
        let own = own_types(OBJECT).expect("a section .BTF");
        let cut = cut(&kernel, &own, ["net_dev_queue"].into_iter()).expect("types");
        assert!(cut.len() < kernel.len(), "{} bytes", cut.len());
        let (all, some) = (Types::parse(&kernel).unwrap(), Types::parse(&cut).unwrap());
        for name in [
            "sk_buff",
            "net_device",
            "sock",
            "sock_common",
            "socket_alloc",
            "skb_shared_info",
            "napi_struct",
            "possible_net_t",
            "btf_trace_net_dev_queue",
        ] {
            let find = |types: &Types| {
                let is = |&record: &usize| {
                    types.name(record) == Some(name) && kind(types.info(record)) != FORWARD
                };
                types.records.iter().position(is)
            };
            let found = find(&all);
            assert!(found.is_some() && find(&some) == found, "{name}");
            let found = found.unwrap();
            assert_eq!(some.record(found), all.record(found), "{name}");
        }
    }
}
