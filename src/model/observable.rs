//! What can be observed here, as `-e` takes it: a line of `netop list` and of the prompt of probes.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observable {
    pub name: String,
    pub kind: ObservableKind,
    /// Of a function what one hit is, of another name the function it means, of a field its type.
    pub about: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObservableKind {
    Function,
    /// What else a function is called.
    Same,
    Tracepoint,
    /// What a filter may ask of a tracepoint: `group:name:field`.
    Field,
    /// A function of a program or library, to put a breakpoint at.
    Symbol,
}

impl ObservableKind {
    pub fn name(self) -> &'static str {
        match self {
            ObservableKind::Function => "function",
            ObservableKind::Same => "the same",
            ObservableKind::Tracepoint => "tracepoint",
            ObservableKind::Field => "field",
            ObservableKind::Symbol => "breakpoint",
        }
    }
}
