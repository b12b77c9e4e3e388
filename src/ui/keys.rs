//! Keys that a person presses while a transfer runs.
//!
//! Only two of the terminal's modes are changed: lines need no end, and nothing is echoed. Signals stay what they are, so
//! Ctrl-C and Ctrl-Z work. The modes are put back when [`Keys`] goes away, whatever makes it go, and before the process
//! is stopped. A process in the background neither reads the terminal nor changes it, which would stop it (SIGTTIN and
//! SIGTTOU, POSIX.1-2024 "General Terminal Interface", 11.1.4); when it comes to the foreground it begins.

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// `p`: pause, or go on.
    Pause,
    /// `+`: a higher limit.
    Faster,
    /// `-`: a lower one.
    Slower,
    /// `0`: none.
    Unlimited,
}

impl Key {
    /// What this byte means, if it means anything.
    #[cfg_attr(not(unix), expect(dead_code, reason = "no terminal is read there yet"))]
    fn of(byte: u8) -> Option<Self> {
        match byte {
            b'p' | b'P' => Some(Self::Pause),
            b'+' | b'=' => Some(Self::Faster),
            b'-' | b'_' => Some(Self::Slower),
            b'0' => Some(Self::Unlimited),
            _ => None,
        }
    }
}

pub use terminal::Keys;

#[cfg(unix)]
mod terminal {
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
    };

    use crate::ui::keys::Key;

    /// How long it may take to notice that the process came to the foreground, or that the keys are no longer wanted.
    const LOOK_EVERY: Duration = Duration::from_millis(100);

    /// Somebody reads keys: a second reader would take the first one's modes for the shell's.
    static OPEN: AtomicBool = AtomicBool::new(false);

    /// The keys of the terminal at stdin, until this is dropped.
    #[derive(Debug)]
    pub struct Keys {
        modes: Arc<Mutex<Modes>>,
    }

    /// What became of the terminal's modes.
    #[derive(Debug)]
    enum Modes {
        /// They are the shell's.
        Theirs,
        /// They are ours; these were there before.
        Ours(Box<Termios>),
        /// They are the shell's for good.
        Over,
    }

    impl Keys {
        /// Reads keys on a thread of its own and calls `press` for each. stdin must be a terminal that nobody else reads; `None`
        /// where keys are read already.
        pub fn open(press: impl FnMut(Key) + Send + 'static) -> Option<Self> {
            if OPEN.swap(true, Ordering::AcqRel) {
                return None;
            }
            let modes = Arc::new(Mutex::new(Modes::Theirs));
            let shared = modes.clone();
            let read = move || read_keys(&shared, press);
            let keys = Self { modes };
            std::thread::Builder::new().name("p2pcp-keys".to_owned()).spawn(read).ok()?;
            Some(keys)
        }

        /// Puts the modes back, for as long as the process is stopped.
        pub fn rest(&self) {
            locked(&self.modes).put_back(Modes::Theirs);
        }
    }

    impl Drop for Keys {
        fn drop(&mut self) {
            locked(&self.modes).put_back(Modes::Over);
            OPEN.store(false, Ordering::Release);
        }
    }

    fn locked(modes: &Mutex<Modes>) -> MutexGuard<'_, Modes> {
        // A thread that panicked must not keep the terminal from being put back.
        modes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    impl Modes {
        fn take(&mut self) {
            if matches!(self, Self::Theirs)
                && let Ok(before) = tcgetattr(io::stdin())
            {
                let mut wanted = before.clone();
                wanted.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
                wanted.special_codes[SpecialCodeIndex::VMIN] = 1;
                wanted.special_codes[SpecialCodeIndex::VTIME] = 0;
                if tcsetattr(io::stdin(), OptionalActions::Now, &wanted).is_ok() {
                    *self = Self::Ours(Box::new(before));
                }
            }
        }

        fn put_back(&mut self, next: Self) {
            if let Self::Ours(before) = std::mem::replace(self, next)
                && is_in_foreground()
            {
                tcsetattr(io::stdin(), OptionalActions::Now, &before).ok();
            }
        }
    }

    fn is_in_foreground() -> bool {
        tcgetpgrp(io::stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
    }

    fn read_keys(modes: &Mutex<Modes>, mut press: impl FnMut(Key)) {
        let mut bytes = [0; 64];
        loop {
            {
                let mut modes = locked(modes);
                if matches!(*modes, Modes::Over) {
                    return;
                }
                if is_in_foreground() {
                    modes.take();
                }
            }
            if !matches!(*locked(modes), Modes::Ours(_)) {
                std::thread::park_timeout(LOOK_EVERY);
                continue;
            }
            let stdin = io::stdin();
            let mut waited = [PollFd::new(&stdin, PollFlags::IN)];
            let every = Timespec::try_from(LOOK_EVERY).ok();
            if !poll(&mut waited, every.as_ref()).is_ok_and(|ready| ready > 0) {
                continue;
            }
            // Held while reading: what is typed once the modes are the shell's again is the shell's too.
            let held = locked(modes);
            if !matches!(*held, Modes::Ours(_)) || !is_in_foreground() {
                continue;
            }
            match rustix::io::read(&stdin, &mut bytes) {
                // The terminal went away.
                Ok(0) | Err(_) => return,
                Ok(read) => {
                    drop(held);
                    bytes.iter().take(read).filter_map(|byte| Key::of(*byte)).for_each(&mut press);
                }
            }
        }
    }
}

#[cfg(not(unix))]
mod terminal {
    use crate::ui::keys::Key;

    /// The keys of a terminal; none are read on this system yet.
    #[derive(Debug)]
    pub struct Keys(());

    impl Keys {
        /// Reads none.
        pub fn open(_: impl FnMut(Key) + Send + 'static) -> Option<Self> {
            None
        }

        /// Puts nothing back.
        pub fn rest(&self) {}
    }

    impl Drop for Keys {
        // Whoever holds it lets it go at a certain moment, which counts where there are modes to put back.
        fn drop(&mut self) {}
    }
}
