//! The desktop's clipboard, by the tool that each desktop has for it.
//!
//! A library that speaks Wayland and X11 itself (`arboard`) is 19 more packages for one line of text, and has to keep the text for as long as
//! somebody may paste it; these tools stay for that. A machine without a desktop, or without the tool, has no such clipboard.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// A program and its arguments; it takes the text from its standard input.
pub(super) type Tool = &'static [&'static str];

/// What is tried, in order, until one takes the text. Without a desktop to talk to each fails by itself.
pub(super) const TOOLS: &[Tool] = if cfg!(target_vendor = "apple") {
    &[&["pbcopy"]]
} else if cfg!(windows) {
    &[&["clip.exe"]]
} else {
    // The last is for Linux inside Windows.
    &[&["wl-copy"], &["xclip", "-selection", "clipboard"], &["xsel", "-ib"], &["clip.exe"]]
};

/// A desktop that is far away, or gone, may keep a tool for long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Gives `text` to the first of `tools` that takes it, on a thread of its own.
pub(super) fn put(text: &str, tools: &'static [Tool]) -> Putting {
    let (sender, taken) = mpsc::channel();
    let text = text.to_owned();
    let work = move || sender.send(tools.iter().any(|tool| takes(tool, &text))).unwrap_or_default();
    // A thread that does not start answers nothing, which is a no.
    std::thread::Builder::new().name("p2pcp-clipboard".to_owned()).spawn(work).ok();
    Putting { taken }
}

/// A text on its way to the clipboard. It goes on when this is dropped.
pub(super) struct Putting {
    taken: mpsc::Receiver<bool>,
}

impl Putting {
    /// Whether it is there; waits 2 s at most.
    pub(super) fn succeeds(self) -> bool {
        self.taken.recv_timeout(PATIENCE).unwrap_or(false)
    }
}

/// By standard input, as everybody on the machine can read arguments. What a tool says is of no use to the person.
fn takes(tool: Tool, text: &str) -> bool {
    let Some((program, arguments)) = tool.split_first() else { return false };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return false };
    // Taken out, so that it is closed before the end is waited for.
    let written = child.stdin.take().is_some_and(|mut stdin| stdin.write_all(text.as_bytes()).is_ok());
    child.wait().is_ok_and(|status| status.success()) && written
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn tools_are_tried_until_one_takes_the_text() {
        const MISSING: Tool = &["p2pcp-no-such-tool"];
        const FAILING: Tool = &["false"];
        const STRICT: Tool = &["sh", "-c", "test \"$(cat)\" = 'p2pcp recv 417-a'"];
        assert!(put("p2pcp recv 417-a", &[MISSING, FAILING, STRICT, FAILING]).succeeds());
        assert!(!put("something else", &[STRICT]).succeeds());
        assert!(!put("p2pcp recv 417-a", &[MISSING, FAILING]).succeeds());
        assert!(!put("p2pcp recv 417-a", &[]).succeeds());
    }
}
