//! Who may load the machine at the same time.
//!
//! Invariant: a test that needs the machine for itself (a demo, a whole pipeline) runs while no
//! other test of its binary uses an emulator, so that limits of waiting hold on two cores.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::new(());

/// The permission of a test that runs beside others. A test acquires it once.
pub(crate) struct Shared(RwLockReadGuard<'static, ()>);

/// The permission of a test that runs alone.
pub(crate) struct Alone(RwLockWriteGuard<'static, ()>);

pub(crate) fn shared() -> Shared {
    Shared(MACHINE.read().unwrap_or_else(PoisonError::into_inner))
}

pub(crate) fn alone() -> Alone {
    Alone(MACHINE.write().unwrap_or_else(PoisonError::into_inner))
}
