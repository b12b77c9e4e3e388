//! The signals that ask p2pcp to end, or to stop until it is wanted again.

use tokio::sync::watch;

/// Which signal came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM, or the terminal went away.
    Terminated,
}

/// Listens from its creation on; the first signal counts.
#[derive(Debug, Clone)]
pub struct Interrupts {
    seen: watch::Receiver<Option<Interrupt>>,
    insisted: watch::Receiver<bool>,
}

impl Interrupts {
    /// Takes over the signals of this process. Call it inside a tokio runtime.
    pub fn listen() -> Self {
        let (sender, seen) = watch::channel(None);
        let (insist, insisted) = watch::channel(false);
        survive_size_limits();
        tokio::spawn(async move {
            sender.send_replace(Some(next_signal().await));
            next_signal().await;
            insist.send_replace(true);
        });
        Self { seen, insisted }
    }

    /// The signal, once one has come. Cancel safe.
    pub async fn wait(&mut self) -> Interrupt {
        match self.seen.wait_for(Option::is_some).await.map(|it| *it) {
            Ok(Some(interrupt)) => interrupt,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// A second signal: the person will not wait for a proper end. Cancel safe.
    pub async fn insisted(&mut self) {
        if self.insisted.wait_for(|it| *it).await.is_err() {
            std::future::pending().await
        }
    }

    /// The signal, if one has come.
    pub fn seen(&self) -> Option<Interrupt> {
        *self.seen.borrow()
    }
}

/// A file at the limit of what this process may write (`ulimit -f`) is a failure of the disk like others:
/// the call fails, and says so; the signal that comes with it would end the process without a word.
#[cfg(unix)]
fn survive_size_limits() {
    use tokio::signal::unix::{SignalKind, signal};
    // Whoever has listened once is never ended by it again.
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).ok();
}

#[cfg(not(unix))]
fn survive_size_limits() {}

#[cfg(unix)]
async fn next_signal() -> Interrupt {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => Interrupt::Interrupted,
        _ = terminate.recv() => Interrupt::Terminated,
        _ = hang_up.recv() => Interrupt::Terminated,
    }
}

#[cfg(not(unix))]
async fn next_signal() -> Interrupt {
    match tokio::signal::ctrl_c().await {
        Ok(()) => Interrupt::Interrupted,
        Err(_) => std::future::pending().await,
    }
}

/// Hears Ctrl-Z, for whoever has something to put in order before the process stops.
#[derive(Debug)]
pub struct Stops {
    #[cfg(unix)]
    asked: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Stops {
    /// Hears nothing: the system stops the process at once, as ever.
    pub fn none() -> Self {
        Self { asked: None }
    }

    /// From now on the process stops by [`Stops::stop`] only. Call it inside a tokio runtime.
    pub fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self { asked: signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw())).ok() }
    }

    /// Resolves when it is asked for. Cancel safe.
    pub async fn asked(&mut self) {
        if let Some(asked) = &mut self.asked
            && asked.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }

    /// Stops the process here and now; returns when it goes on.
    pub fn stop(&self) {
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP).ok();
    }
}

#[cfg(not(unix))]
impl Stops {
    /// Hears nothing.
    pub fn none() -> Self {
        Self {}
    }

    /// Hears nothing: there is no such signal.
    pub fn listen() -> Self {
        Self {}
    }

    /// Never.
    pub async fn asked(&mut self) {
        std::future::pending().await
    }

    /// Does nothing.
    pub fn stop(&self) {}
}
