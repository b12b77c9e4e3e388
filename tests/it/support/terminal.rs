//! A terminal with a person at it: a process on a pty, and the screen that it draws.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use p2pcp::error::ExitCode;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, SlavePty, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{PATIENCE, until};

/// Rows and columns of a new terminal.
const SIZE: (u16, u16) = (50, 100);

/// A process at its terminal; dropping it kills it.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    /// Kept open, so that the terminal outlives the process.
    _slave: Box<dyn SlavePty + Send>,
    keyboard: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shown: Arc<(Mutex<vt100::Parser>, Condvar)>,
    /// The terminal's modes before anything ran.
    modes: String,
}

impl Terminal {
    /// `program` with these arguments, in the folder `folder`.
    pub fn start(program: &str, arguments: &[&str], folder: &Path) -> Self {
        let pair = native_pty_system().openpty(size(SIZE)).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.cwd(folder);
        command.env_clear();
        command.env("XDG_CONFIG_HOME", folder.join("config"));
        for (name, value) in [("TERM", "xterm"), ("LC_ALL", "C.UTF-8"), ("NO_COLOR", "1")] {
            command.env(name, value);
        }
        let mut reader = pair.master.try_clone_reader().unwrap();
        let keyboard = pair.master.take_writer().unwrap();
        let modes = format!("{:?}", pair.master.get_termios().unwrap());
        let (rows, columns) = checked(SIZE);
        let shown = Arc::new((Mutex::new(vt100::Parser::new(rows, columns, 0)), Condvar::new()));
        let child = pair.slave.spawn_command(command).unwrap();
        let screen = shown.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                screen.0.lock().unwrap().process(&buffer[..read]);
                screen.1.notify_all();
            }
        });
        Self { master: pair.master, _slave: pair.slave, keyboard, child, shown, modes }
    }

    /// What is on the screen, without the space at the ends of its lines.
    pub fn screen(&self) -> String {
        self.shown.0.lock().unwrap().screen().contents()
    }

    /// Waits until the screen is as `look` wants it.
    pub fn wait<T>(&self, what: &str, look: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut parser = self.shown.0.lock().unwrap();
        loop {
            let screen = parser.screen().contents();
            if let Some(found) = look(&screen) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {what}; the screen:\n{screen}");
            parser = self.shown.1.wait_timeout(parser, left).unwrap().0;
        }
    }

    /// Waits until `text` is on the screen.
    pub fn shows(&self, text: &str) {
        self.wait(&format!("`{text}`"), |screen| screen.contains(text).then_some(()));
    }

    /// Waits until `text` is on the screen no more.
    pub fn hides(&self, text: &str) {
        self.wait(&format!("an end of `{text}`"), |screen| (!screen.contains(text)).then_some(()));
    }

    /// The rest of the first line that begins with `start`, once it is whole.
    pub fn line(&self, start: &str) -> String {
        self.wait(&format!("a line `{start}`"), |screen| {
            let whole = screen.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            whole.filter_map(|line| line.strip_prefix(start)).next().map(|it| it.trim_end().to_owned())
        })
    }

    /// Types.
    pub fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Gives it another width, as a person does with the mouse.
    pub fn resize(&mut self, columns: u16) {
        let (rows, wide) = checked((SIZE.0, columns));
        self.shown.0.lock().unwrap().set_size(rows, wide);
        self.master.resize(size((SIZE.0, columns))).unwrap();
    }

    /// Sends the process a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.process_id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// The terminal's modes.
    pub fn modes(&self) -> String {
        format!("{:?}", self.master.get_termios().unwrap())
    }

    /// Whether the terminal is as it was before.
    pub fn is_as_before(&self) -> bool {
        self.modes() == self.modes
    }

    /// Waits for the end; asserts its exit code, that `text` is on the screen, and that the terminal is as it was.
    pub fn ends(mut self, code: ExitCode, text: &str) -> Self {
        let status = until("the end of a process at a terminal", || self.child.try_wait().unwrap());
        self.shows(text);
        let screen = self.screen();
        assert_eq!(status.exit_code(), u32::from(code.number()), "{status:?}:\n{screen}");
        assert!(self.is_as_before(), "the terminal's modes changed:\n{}\n{}", self.modes, self.modes());
        assert!(!self.shown.0.lock().unwrap().screen().hide_cursor(), "the cursor is hidden");
        assert!(!screen.contains("panicked"), "{screen}");
        self
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn size((rows, cols): (u16, u16)) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn checked((rows, columns): (u16, u16)) -> (NonZeroU16, NonZeroU16) {
    (NonZeroU16::new(rows).unwrap(), NonZeroU16::new(columns).unwrap())
}
