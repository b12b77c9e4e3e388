//! One process, used as a person would: started, read, interrupted, and judged by how it ended.

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use p2pcp::error::ExitCode;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::support::PATIENCE;

/// The user and group `nobody` of every Unix that we know.
const NOBODY: u32 = 65_534;

/// A process that has not been started.
pub struct Start {
    command: Command,
}

impl Start {
    /// `program` in the folder `folder`, with an empty environment and nobody at its stdin.
    pub fn new(program: &str, folder: &Path) -> Self {
        let mut command = Command::new(program);
        command.current_dir(folder).env_clear().stdin(Stdio::null());
        // The settings of whoever runs the tests are not theirs.
        command.env("XDG_CONFIG_HOME", folder.join("config"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        Self { command }
    }

    /// Adds arguments.
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    /// Runs it in a folder below its own.
    pub fn inside(mut self, folder: &str) -> Self {
        let inner = self.command.get_current_dir().unwrap().join(folder);
        self.command.current_dir(inner);
        self
    }

    /// Sets an environment variable.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Keeps its stdin open for [`Running::type_in`].
    pub fn typing(mut self) -> Self {
        self.command.stdin(Stdio::piped());
        self
    }

    /// Runs it as a user who may nothing; only for a superuser.
    pub fn by_nobody(mut self) -> Self {
        self.command.uid(NOBODY).gid(NOBODY);
        self
    }

    /// Starts it, if that is possible.
    pub fn try_spawn(mut self) -> std::io::Result<Running> {
        let mut child = self.command.spawn()?;
        let stdout = Captured::collect(child.stdout.take().unwrap());
        let stderr = Captured::collect(child.stderr.take().unwrap());
        Ok(Running { child, line: format!("{:?}", self.command), stdout, stderr, codes: 0 })
    }

    /// Starts it.
    pub fn spawn(self) -> Running {
        self.try_spawn().unwrap()
    }

    /// Starts it and waits for its end.
    pub fn run(self) -> End {
        self.spawn().end()
    }
}

/// A process that runs; dropping it kills it and its children.
pub struct Running {
    child: Child,
    line: String,
    stdout: Arc<Captured>,
    stderr: Arc<Captured>,
    codes: usize,
}

impl Running {
    /// The rest of the first line on stderr that begins with `start`, once it is there.
    pub fn line(&self, start: &str) -> String {
        self.nth_line(start, 0)
    }

    /// How many lines on stderr begin with `start` by now.
    pub fn lines(&self, start: &str) -> usize {
        let so_far = self.stderr.so_far.lock().unwrap();
        String::from_utf8_lossy(&so_far.0).lines().filter(|line| line.starts_with(start)).count()
    }

    /// The rests of all whole lines on stderr that begin with `start` by now.
    pub fn all_lines(&self, start: &str) -> Vec<String> {
        let so_far = self.stderr.so_far.lock().unwrap();
        let text = String::from_utf8_lossy(&so_far.0);
        let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        whole.filter_map(|line| line.strip_prefix(start)).map(str::to_owned).collect()
    }

    /// Bytes that it has read from files so far, where the system tells (Linux, proc(5)): sockets do not count.
    pub fn bytes_read(&self) -> Option<u64> {
        let told = std::fs::read_to_string(format!("/proc/{}/io", self.child.id())).ok()?;
        told.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok())
    }

    fn nth_line(&self, start: &str, number: usize) -> String {
        self.stderr.wait(&format!("`{start}` from {}", self.line), |text| {
            let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            whole.filter_map(|line| line.strip_prefix(start)).nth(number).map(str::to_owned)
        })
    }

    /// The next code that this sender shows.
    pub fn code(&mut self) -> String {
        self.codes += 1;
        self.nth_line("code: ", self.codes - 1)
    }

    /// The port that this rendezvous listens on.
    pub fn port(&self) -> u16 {
        let rest = self.line("listening on 127.0.0.1:");
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    }

    /// Waits until `text` is on stdout, which is where a terminal shows everything.
    pub fn shows(&self, text: &str) {
        self.stdout.wait(&format!("`{text}` from {}", self.line), |all| all.contains(text).then_some(()));
    }

    /// All that it wrote to stdout so far.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout.so_far.lock().unwrap().0).into_owned()
    }

    /// Types into its stdin.
    pub fn type_in(&mut self, text: &str) {
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Ends its stdin.
    pub fn close_stdin(&mut self) {
        self.child.stdin.take();
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Sends it a signal, unless it has ended.
    pub fn signal_if_there(&mut self, signal: Signal) {
        if !self.has_ended() {
            kill_process(Pid::from_child(&self.child), signal).ok();
        }
    }

    /// Whether it has ended by now.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    ///
    /// A process has ended when nobody holds its output any more; that, unlike the end of a process,
    /// can be waited for with a deadline.
    pub fn end(mut self) -> End {
        let end = format!("the end of {}", self.line);
        let stdout = self.stdout.whole(&end);
        let stderr = self.stderr.whole(&end);
        let status = self.child.wait().unwrap();
        assert!(!stderr.contains("panicked"), "{} panicked: {stderr}", self.line);
        End { line: self.line.clone(), status, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let ended = matches!(self.child.try_wait(), Ok(Some(_)));
        if !ended {
            kill_process_group(Pid::from_child(&self.child), Signal::KILL).ok();
            self.child.wait().ok();
        }
    }
}

/// A process that has ended.
pub struct End {
    line: String,
    status: ExitStatus,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl End {
    /// Asserts its exit code, that stdout is empty, and that errors and failures go together: a failure has
    /// one `error: ` and a `hint:`, warnings where it went through in part, or a verdict.
    pub fn exits(self, code: ExitCode) -> Self {
        let shown = format!("{}\nended with {}:\n{}", self.line, self.status, self.stderr);
        assert_eq!(self.status.code(), Some(code.number().into()), "{shown}");
        assert_eq!(self.stdout, "", "{shown}");
        let errors = self.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        match code {
            ExitCode::Done => assert_eq!(errors, 0, "{shown}"),
            _ if errors == 0 => {
                let told = ["warning: ", "verdict: "].iter().any(|word| self.stderr.contains(word));
                assert!(told, "no word of the failure: {shown}");
            }
            _ => assert_eq!(errors, 1, "{shown}"),
        }
        self
    }

    /// Asserts that it failed with this exit code and this one sentence, and says what to do.
    pub fn fails(self, code: ExitCode, sentence: &str) -> Self {
        let end = self.fails_at_will(code, sentence);
        assert!(end.stderr.lines().any(|line| line.starts_with("hint: ")), "no hint: {}", end.stderr);
        end
    }

    /// As [`End::fails`], where somebody wanted it so and nothing is to be advised.
    pub fn fails_at_will(self, code: ExitCode, sentence: &str) -> Self {
        let end = self.exits(code);
        let expected = format!("error: {sentence}");
        let said = end.stderr.lines().any(|line| line == expected);
        assert!(said, "`{expected}` is not what {} said:\n{}", end.line, end.stderr);
        end
    }

    /// Asserts that stderr has `text`.
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{} did not say `{text}`:\n{}", self.line, self.stderr);
        self
    }

    /// Asserts that stderr does not have `text`.
    pub fn says_not(self, text: &str) -> Self {
        assert!(!self.stderr.contains(text), "{} said `{text}`:\n{}", self.line, self.stderr);
        self
    }

    /// Asserts that stderr is empty.
    pub fn said_nothing(self) -> Self {
        assert_eq!(self.stderr, "", "{}", self.line);
        self
    }

    /// Asserts that a signal killed it.
    pub fn was_killed(self) -> Self {
        assert_eq!(self.status.signal(), Some(Signal::KILL.as_raw()), "{}", self.stderr);
        self
    }

    /// Bytes that came over the network, and bytes that were here already, as `recv --verbose` tells.
    pub fn bytes(&self) -> (u64, u64) {
        let line = self.stderr.lines().find_map(|line| line.strip_prefix("bytes: "));
        let line = line.unwrap_or_else(|| panic!("no count of bytes from {}:\n{}", self.line, self.stderr));
        let mut numbers = line.split(' ').filter_map(|word| word.parse().ok());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }

    /// Its exit code.
    pub fn number(&self) -> Option<i32> {
        self.status.code()
    }
}

/// What a stream has brought, collected by a thread.
#[derive(Default)]
struct Captured {
    so_far: Mutex<(Vec<u8>, Stream)>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stream {
    #[default]
    Open,
    Closed,
}

impl Captured {
    fn collect(mut stream: impl Read + Send + 'static) -> Arc<Self> {
        let captured = Arc::new(Self::default());
        let collected = captured.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let read = stream.read(&mut buffer).unwrap_or(0);
                let mut so_far = collected.so_far.lock().unwrap();
                so_far.0.extend_from_slice(&buffer[..read]);
                if read == 0 {
                    so_far.1 = Stream::Closed;
                }
                collected.changed.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        captured
    }

    /// Waits until `find` finds something in all that came.
    fn wait<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        self.look(what, |text, stream| match (find(text), stream) {
            (Some(found), _) => Some(found),
            (None, Stream::Closed) => panic!("the output ended without {what}:\n{text}"),
            (None, Stream::Open) => None,
        })
    }

    /// All of it.
    fn whole(&self, what: &str) -> String {
        self.look(what, |text, stream| (stream == Stream::Closed).then(|| text.to_owned()))
    }

    fn look<T>(&self, what: &str, find: impl Fn(&str, Stream) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut so_far = self.so_far.lock().unwrap();
        loop {
            let text = String::from_utf8_lossy(&so_far.0);
            if let Some(found) = find(&text, so_far.1) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {what}; so far:\n{text}");
            so_far = self.changed.wait_timeout(so_far, left).unwrap().0;
        }
    }
}
