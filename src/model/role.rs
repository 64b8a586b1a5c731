//! What a row is to the program, beside being shown: whoever needs "the row of the drops" asks for
//! it by this, never by the row's name.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Its hits are skbs dropped in the stack.
    Drops,
    /// Its hits are TCP segments sent again.
    Retransmits,
    /// Its hits are skbs handed to a driver.
    Sends,
    /// Its hits are what softnet counts.
    Receives,
    /// Its hits are polls of a NAPI.
    Polls,
}

impl Role {
    pub const ALL: &[Role] = &[
        Role::Drops,
        Role::Retransmits,
        Role::Sends,
        Role::Receives,
        Role::Polls,
    ];
}
