//! Locks: `parking_lot`'s, or a model checker's in its tests.
//!
//! The model checker runs the code that synchronises through these two types in every interleaving:
//! `RUSTFLAGS="--cfg statehold_loom" cargo test -p statehold-store --lib loom`.

#[cfg(not(all(test, statehold_loom)))]
pub(crate) use parking_lot::{Condvar, Mutex};

#[cfg(all(test, statehold_loom))]
pub(crate) use modelled::{Condvar, Mutex};

/// `parking_lot`'s interface over the model checker's locks. Deadlines never pass.
#[cfg(all(test, statehold_loom))]
mod modelled {
    use std::ops::{Deref, DerefMut};
    use std::time::Instant;

    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    pub(crate) struct Guard<'m, T>(Option<loom::sync::MutexGuard<'m, T>>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> Guard<'_, T> {
            Guard(Some(self.0.lock().unwrap()))
        }
    }

    impl<T: Default> Default for Mutex<T> {
        fn default() -> Self {
            Self::new(T::default())
        }
    }

    impl<T> Deref for Guard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.0.as_ref().unwrap()
        }
    }

    impl<T> DerefMut for Guard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_mut().unwrap()
        }
    }

    pub(crate) struct Condvar(loom::sync::Condvar);

    pub(crate) struct Waited;

    impl Waited {
        pub(crate) fn timed_out(&self) -> bool {
            false
        }
    }

    impl Default for Condvar {
        fn default() -> Self {
            Self(loom::sync::Condvar::new())
        }
    }

    impl Condvar {
        pub(crate) fn wait_until<T>(&self, guard: &mut Guard<'_, T>, _: Instant) -> Waited {
            let inner = guard.0.take().unwrap();
            guard.0 = Some(self.0.wait(inner).unwrap());
            Waited
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}
