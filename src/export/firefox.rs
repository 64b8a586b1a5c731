//! The Firefox Profiler's processed profile: a process per process, and one for what interrupts
//! them; categories are stages. Stacks of the same process stand one behind the other by weight:
//! netop adds stacks up, so their times are not when they were.

use fxprof_processed_profile as fxprof;
use fxprof_processed_profile::{
    CategoryColor, CategoryHandle, CpuDelta, Frame, FrameFlags, FrameInfo, ReferenceTimestamp,
    SamplingInterval, ThreadHandle, Timestamp, WeightType,
};
use rustc_hash::FxHashMap;
use serde_json::Value;

use super::clean::clean;
use super::json;
use super::stacks::{Object, Profile, own, parts, root};
use crate::model::Stack;

/// The format's crate takes whole weights of 32 bits: a heavier stack is several samples.
const HEAVIEST: u64 = i32::MAX as u64;

/// `None`: there is nothing in it.
pub fn profile(profile: &Profile) -> Option<String> {
    if profile.stacks.is_empty() {
        return None;
    }
    let mut file = File::new(profile);
    for stack in profile.stacks {
        file.add(stack);
    }
    file.profile.set_symbolicated(true);
    let mut value = serde_json::to_value(&file.profile).ok()?;
    if profile.is_time() {
        weights_in_milliseconds(&mut value);
    }
    Some(json::finish(serde_json::to_string(&value)))
}

struct File {
    profile: fxprof::Profile,
    is_time: bool,
    threads: FxHashMap<(String, u32), Thread>,
    categories: FxHashMap<&'static str, CategoryHandle>,
}

struct Thread {
    handle: ThreadHandle,
    /// Behind its last sample, ns since the beginning.
    end: u64,
}

impl File {
    fn new(profile: &Profile) -> File {
        let began = profile.at as f64 / 1e6 - profile.seconds * 1e3;
        let mut new = fxprof::Profile::new(
            &clean(&profile.title),
            ReferenceTimestamp::from_millis_since_unix_epoch(began.max(0.0)),
            // What a weight of one stands for: a microsecond; hits have no time.
            SamplingInterval::from_nanos(1_000),
        );
        new.set_os_name(&clean(&profile.subtitle));
        File {
            profile: new,
            is_time: profile.is_time(),
            threads: FxHashMap::default(),
            categories: FxHashMap::default(),
        }
    }

    fn add(&mut self, stack: &Stack) {
        // Microseconds, or hits.
        let weight = stack.weight / if self.is_time { 1e3 } else { 1.0 };
        let mut left = weight.round() as u64;
        let thread = self.thread(stack);
        let leaf = self.category(stack);
        let frames: Vec<FrameInfo> = (own(stack).iter().enumerate().rev())
            .map(|(depth, text)| {
                let category = match leaf {
                    Some(leaf) if depth == 0 => leaf,
                    _ => self.code(text),
                };
                let text = clean(text);
                FrameInfo {
                    frame: Frame::Label(self.profile.intern_string(&text)),
                    category_pair: category.into(),
                    flags: FrameFlags::empty(),
                }
            })
            .collect();
        let frames = self.profile.intern_stack_frames(thread, frames.into_iter());
        while left > 0 {
            let weight = left.min(HEAVIEST);
            left -= weight;
            let time = self.after(stack, weight * 1000);
            let cpu = if self.is_time { weight } else { 0 };
            let cpu = CpuDelta::from_micros(cpu);
            self.profile
                .add_sample(thread, time, frames, cpu, weight as i32);
        }
    }

    /// The process the time belongs to has one.
    fn thread(&mut self, stack: &Stack) -> ThreadHandle {
        if let Some(thread) = self.threads.get(&key(stack)) {
            return thread.handle;
        }
        let (name, pid) = key(stack);
        let begin = Timestamp::from_nanos_since_reference(0);
        let process = self.profile.add_process(&name, pid, begin);
        let handle = self.profile.add_thread(process, pid, begin, true);
        let weights = match self.is_time {
            true => WeightType::TracingMs,
            false => WeightType::Samples,
        };
        self.profile.set_thread_name(handle, &name);
        self.profile.set_thread_samples_weight_type(handle, weights);
        if self.threads.is_empty() {
            self.profile.add_initial_selected_thread(handle);
        }
        self.threads.insert((name, pid), Thread { handle, end: 0 });
        handle
    }

    /// When a sample that takes so long ends, behind those before it.
    fn after(&mut self, stack: &Stack, ns: u64) -> Timestamp {
        let end = self.threads.get_mut(&key(stack)).map_or(0, |thread| {
            thread.end += ns;
            thread.end
        });
        Timestamp::from_nanos_since_reference(end)
    }

    fn category(&mut self, stack: &Stack) -> Option<CategoryHandle> {
        let color = match stack.direction {
            Some("rx") => CategoryColor::Blue,
            Some("tx") => CategoryColor::Green,
            Some("sock") => CategoryColor::Purple,
            _ => CategoryColor::Brown,
        };
        stack.stage.map(|stage| self.category_named(stage, color))
    }

    /// Of a frame that no stage is known for.
    fn code(&mut self, frame: &str) -> CategoryHandle {
        match parts(frame).1 {
            Object::Kernel | Object::Module(_) => {
                self.category_named("Kernel", CategoryColor::Orange)
            }
            Object::File(_) => self.category_named("User", CategoryColor::Yellow),
        }
    }

    fn category_named(&mut self, name: &'static str, color: CategoryColor) -> CategoryHandle {
        let profile = &mut self.profile;
        let new = || profile.add_category(name, color);
        *self.categories.entry(name).or_insert_with(new)
    }
}

/// Name and pid of the process; what interrupts processes has no pid.
fn key(stack: &Stack) -> (String, u32) {
    let nobodys = matches!(stack.context, Some("softirq" | "ksoftirqd" | "interrupt"));
    (root(stack), if nobodys { 0 } else { stack.pid })
}

/// The format has fractions of milliseconds, which its crate cannot write.
fn weights_in_milliseconds(profile: &mut Value) {
    let threads = profile.get_mut("threads").and_then(Value::as_array_mut);
    for thread in threads.into_iter().flatten() {
        let weights = thread.pointer_mut("/samples/weight");
        for weight in weights.and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(us) = weight.as_f64() {
                *weight = (us / 1e3).into();
            }
        }
    }
}

#[cfg(test)]
#[path = "firefox_tests.rs"]
mod tests;
