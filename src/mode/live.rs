//! The screen: the engine in a thread of its own, keys and snapshots in one loop that waits on
//! the terminal's line itself, so that a dead one ends it.

use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use crossterm::event::{self, Event, KeyEventKind};

use super::probing::Probing;
use super::{bundle, save, terminal};
use crate::engine::{Engine, Progress};
use crate::error::Error;
use crate::model::{Observable, Snapshot, Want};
use crate::sys::{Signals, Tty, TtyState, WakeFd, stop_self};
use crate::tui::{Effect, UiState, render};

/// An engine that orders do not wake looks for them this often.
const PATIENCE: Duration = Duration::from_millis(200);

/// One that they wake waits for its source alone.
const PATIENCE_OF_WOKEN: Duration = Duration::from_secs(60);

/// A snapshot waits so long for names.
const FOR_NAMES: Duration = Duration::from_millis(50);

/// By then the engine has taken a want and the samplers have stopped their events.
const DETACHED: Duration = Duration::from_millis(400);

/// Zero would not look at the line at all (crossterm with `use-dev-tty`; its other way of reading
/// loses a key that comes with a change of size).
const KEY_PATIENCE: Duration = Duration::from_millis(1);

/// At most ten frames per second.
const FRAME: Duration = Duration::from_millis(100);

/// The snapshots that nobody has seen yet, or how the engine ended.
#[derive(Default)]
struct Slot {
    news: Vec<Arc<Snapshot>>,
    whole: Option<Arc<Snapshot>>,
    /// What can be observed, of the place that was asked about.
    listed: Option<(String, Result<Vec<Observable>, String>)>,
    /// Nothing more comes of the recording.
    read: bool,
    ended: Option<Result<(), Error>>,
}

/// What may come after the engine.
pub enum After {
    /// Another one, when other events are to be counted.
    Probing(Box<Probing>),
    /// Of a recording the whole, shown when its intervals are read; the screen stays.
    Whole(Option<Box<Engine>>),
}

/// To the engine's thread.
enum Order {
    Want(Box<Want>),
    /// This one takes over.
    Engine(Box<Engine>),
}

/// Orders, and what wakes the engine for them.
struct Orders {
    orders: Sender<Order>,
    wake: Sender<()>,
}

impl Orders {
    fn send(&self, order: Order) {
        // The engine is gone only when its end is already in the slot; one wake-up is enough for all
        // orders that wait.
        let _engine_ended = self.orders.send(order);
        let _already_woken = self.wake.try_send(());
    }
}

/// What the two threads share.
struct Shared {
    slot: Mutex<Slot>,
    wake: WakeFd,
}

impl Shared {
    fn put(&self, change: impl FnOnce(&mut Slot)) {
        change(&mut self.slot.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake.wake();
    }

    fn take(&self) -> Slot {
        self.wake.clear();
        std::mem::take(&mut *self.slot.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Runs the screen until it is left. `snapshots`: leave after this many.
pub fn run(
    engine: Engine,
    mut ui: UiState,
    dir: PathBuf,
    snapshots: Option<u64>,
    after: After,
) -> Result<(), Error> {
    let recorded = ui.is_of_recording();
    let (probing, then) = match after {
        After::Probing(probing) => (Some(*probing), None),
        After::Whole(then) => (None, then.map(|then| *then)),
    };
    let failed = |e: io::Error| Error::failed(format!("cannot use this terminal: {e}"), "netop -b");
    let signals = Signals::watch().map_err(failed)?;
    signals.watch_suspend().map_err(failed)?;
    let started = signals.end_by_deadline(terminal::cook);
    started.map_err(|e| Error::no_thread(&e))?;
    let tty = Tty::open().map_err(failed)?;
    let shared = Arc::new(Shared {
        slot: Mutex::default(),
        wake: WakeFd::new().map_err(failed)?,
    });
    let (orders, ordered) = crossbeam_channel::unbounded();
    let (wake, woken) = crossbeam_channel::bounded(1);
    let theirs = Arc::clone(&shared);
    thread::Builder::new()
        .name("engine".to_owned())
        .spawn(move || drive(engine, (then, recorded), (&ordered, &woken), &theirs))
        .map_err(failed)?;
    let mut screen = terminal::take()?;
    let mut session = Session {
        signals,
        tty,
        shared,
        orders: Orders { orders, wake },
        probing,
        dir,
        left: snapshots,
    };
    let result = session.run(&mut ui, &mut screen);
    terminal::give_back();
    result
}

/// The engine's thread: orders in, snapshots out.
fn drive(
    mut engine: Engine,
    (mut then, recorded): (Option<Engine>, bool),
    (orders, woken): (&Receiver<Order>, &Receiver<()>),
    shared: &Shared,
) {
    let mut all = false;
    let mut wakes = engine.wake_by(woken.clone());
    loop {
        while let Ok(order) = orders.try_recv() {
            match order {
                Order::Want(want) => engine.want(*want),
                Order::Engine(mut other) => {
                    other.follow(&engine);
                    engine = *other;
                    wakes = engine.wake_by(woken.clone());
                }
            }
        }
        engine.be_patient(FOR_NAMES);
        let patience = if wakes { PATIENCE_OF_WOKEN } else { PATIENCE };
        match engine.step(patience) {
            Ok(Progress::Working) => {}
            Ok(Progress::Snapshot(snapshot)) => {
                shared.put(|slot| {
                    if all {
                        slot.whole = Some(snapshot);
                    } else {
                        slot.news.push(snapshot);
                    }
                });
            }
            Ok(Progress::End) if then.is_some() => {
                all = true;
                if let Some(whole) = then.take() {
                    engine = whole;
                    wakes = engine.wake_by(woken.clone());
                }
            }
            Ok(Progress::End) if recorded => return shared.put(|slot| slot.read = true),
            Ok(Progress::End) => return shared.put(|slot| slot.ended = Some(Ok(()))),
            Err(error) => return shared.put(|slot| slot.ended = Some(Err(error))),
        }
    }
}

struct Session {
    signals: Signals,
    tty: Tty,
    shared: Arc<Shared>,
    orders: Orders,
    /// `None`: a recording has what it has.
    probing: Option<Probing>,
    dir: PathBuf,
    left: Option<u64>,
}

/// Does the loop go on?
enum Next {
    Stay,
    Leave,
}

impl Session {
    fn run(&mut self, ui: &mut UiState, screen: &mut terminal::Screen) -> Result<(), Error> {
        let mut drawn: Option<Instant> = None;
        let mut dirty = true;
        loop {
            if dirty && drawn.is_none_or(|at| at.elapsed() >= FRAME) {
                if draw(ui, screen).is_err() {
                    terminal::bury();
                    return Ok(());
                }
                drawn = Some(Instant::now());
                dirty = false;
            }
            let wait = match drawn {
                Some(at) if dirty => FRAME.saturating_sub(at.elapsed()).as_millis() as i32 + 1,
                _ => -1,
            };
            let watched = [self.shared.wake.as_raw_fd(), self.signals.as_raw_fd()];
            let (line, [news, signal]) = self.tty.wait(watched, wait);
            if line == TtyState::Dead {
                terminal::bury();
                return Ok(());
            }
            // Somebody's `kill -HUP`: the terminal is still there, and is given back.
            if self.signals.hung_up() {
                return Ok(());
            }
            if signal {
                self.signals.clear();
                if self.signals.stop_asked() {
                    return Ok(());
                }
                if self.signals.take_suspend() {
                    self.suspend(ui, screen)?;
                    dirty = true;
                }
                if self.signals.take_redraw() {
                    clear(screen)?;
                    dirty = true;
                }
            }
            if news {
                let slot = self.shared.take();
                for snapshot in slot.news {
                    ui.snapshot(snapshot);
                    dirty = true;
                    self.left = self.left.map(|left| left.saturating_sub(1));
                }
                if let Some(whole) = slot.whole {
                    ui.whole(Arc::unwrap_or_clone(whole));
                    dirty = true;
                }
                if let Some((place, list)) = slot.listed {
                    ui.probes_listed(&place, list);
                    dirty = true;
                }
                if slot.read {
                    ui.recording_is_read();
                    dirty = true;
                }
                if let Some(end) = slot.ended {
                    return end;
                }
            }
            if line == TtyState::Ready {
                dirty = true;
                if let Next::Leave = self.keys(ui, screen)? {
                    return Ok(());
                }
            }
            if self.left == Some(0) {
                return Ok(());
            }
        }
    }

    /// Everything that has been typed.
    fn keys(&mut self, ui: &mut UiState, screen: &mut terminal::Screen) -> Result<Next, Error> {
        let broken = |e: io::Error| Error::failed(format!("cannot read keys: {e}"), "netop -b");
        while event::poll(KEY_PATIENCE).map_err(broken)? {
            let effects = match event::read().map_err(broken)? {
                Event::Key(key) if key.kind != KeyEventKind::Release => ui.key(key),
                Event::Paste(text) => ui.paste(&text),
                _ => Vec::new(),
            };
            for effect in effects {
                if let Next::Leave = self.apply(effect, ui, screen)? {
                    return Ok(Next::Leave);
                }
            }
        }
        Ok(Next::Stay)
    }

    fn apply(
        &mut self,
        effect: Effect,
        ui: &mut UiState,
        screen: &mut terminal::Screen,
    ) -> Result<Next, Error> {
        match effect {
            Effect::Quit => return Ok(Next::Leave),
            Effect::Want(want) => {
                self.orders.send(Order::Want(Box::new(want)));
            }
            Effect::ListProbes(place) => self.list(place, ui.want().pids.clone()),
            Effect::Probes(events) => self.probe(&events, ui),
            Effect::SaveSnapshot => save_shown(ui, &self.dir),
            Effect::SaveBundle => save_bundle(ui, &self.dir),
            Effect::Redraw => clear(screen)?,
            Effect::Copy(text) => terminal::copy(&text),
            Effect::Suspend => self.suspend(ui, screen)?,
        }
        Ok(Next::Stay)
    }

    /// Gives the terminal back and stops, until the shell continues it.
    fn suspend(&self, ui: &UiState, screen: &mut terminal::Screen) -> Result<(), Error> {
        // Nobody drains the rings while we are stopped: nothing may stay attached.
        let want = ui.want().clone();
        self.orders.send(Order::Want(Box::new(Want {
            detached: true,
            ..want.clone()
        })));
        thread::sleep(DETACHED);
        terminal::give_back();
        stop_self();
        self.orders.send(Order::Want(Box::new(want)));
        terminal::enter()
            .map_err(|e| Error::failed(format!("cannot use this terminal: {e}"), "netop"))?;
        clear(screen)
    }

    /// In a thread of its own: a library may be large, or on a slow disk.
    fn list(&self, place: String, pids: Vec<u32>) {
        let Some(probing) = self.probing.clone() else {
            return;
        };
        let shared = Arc::clone(&self.shared);
        let asked = place.clone();
        let listing = thread::Builder::new().spawn(move || {
            let list = probing.list(&place, &pids);
            shared.put(|slot| slot.listed = Some((place, list)));
        });
        if let Err(error) = listing {
            let why = format!("cannot start a thread: {error}: ulimit -u");
            self.shared
                .put(|slot| slot.listed = Some((asked, Err(why))));
        }
    }

    /// Another engine takes over, which counts these.
    fn probe(&self, events: &[String], ui: &mut UiState) {
        let Some(probing) = &self.probing else { return };
        match probing.engine(events, ui.want()) {
            Ok(other) => {
                ui.probes_taken(other.events, other.exact, &other.notes);
                self.orders.send(Order::Engine(Box::new(other.engine)));
            }
            Err(why) => ui.probes_refused(events, &why.to_string()),
        }
    }
}

/// So that the next frame draws every cell. Not `Terminal::clear`: that asks the terminal where
/// its cursor is and fails when no answer comes within two seconds.
fn clear(screen: &mut terminal::Screen) -> Result<(), Error> {
    screen
        .size()
        .and_then(|size| screen.resize(size.into()))
        .map_err(|e| Error::failed(format!("cannot clear the screen: {e}"), "netop -b"))
}

/// Writes what is shown and says where, or why not.
pub fn save_shown(ui: &mut UiState, dir: &std::path::Path) {
    let Some(snapshot) = ui.shown().cloned() else {
        return ui.message("nothing has been measured yet", true);
    };
    say_saved(ui, save::snapshot(&snapshot, dir), dir);
}

/// Writes everything that is known and says where, or why not.
pub fn save_bundle(ui: &mut UiState, dir: &std::path::Path) {
    let Some(snapshot) = ui.shown().cloned() else {
        return ui.message("nothing has been measured yet", true);
    };
    let history = ui.history().map(|snapshot| &**snapshot);
    let saved = bundle::write(
        &snapshot,
        history,
        ui.comparison(),
        ui.tried().as_ref(),
        dir,
    );
    say_saved(ui, saved, dir);
}

fn say_saved(ui: &mut UiState, saved: io::Result<PathBuf>, dir: &std::path::Path) {
    match saved {
        Ok(path) => ui.message(&format!("saved {}", path.display()), false),
        Err(error) => ui.message(
            &format!(
                "not saved: {}: {error}; choose another place with --snapshot-dir",
                dir.display()
            ),
            true,
        ),
    }
}

fn draw(ui: &mut UiState, screen: &mut terminal::Screen) -> io::Result<()> {
    screen
        .draw(|frame| {
            let area = frame.area();
            ui.resize(area.width, area.height);
            render(ui, area, frame.buffer_mut());
        })
        .map(|_| ())
}
