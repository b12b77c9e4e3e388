//! A file system of one's own, as small as one likes: a tmpfs in a mount namespace.

use p2pcp::error::ExitCode;

use crate::support::{Running, Start, Work, program, superuser, until};

/// A shell whose folder `to` is a file system of its own, which goes away with it.
pub struct Mounted {
    shell: Running,
    asked: usize,
}

/// What became of a `recv` in it.
pub struct Received {
    /// Its exit code.
    pub code: i32,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Mounted {
    /// Mounts with these options of tmpfs; `None` where that is not possible.
    pub fn new(work: &Work, options: &str) -> Option<Self> {
        let unshare = program("unshare")?;
        work.tree("to");
        let user: &[&str] = if superuser() { &[] } else { &["--user", "--map-root-user"] };
        let start = Start::new(&unshare, &work.path("")).variable("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let start = start.arguments(user).arguments(&["--mount", "--propagation", "private", "sh"]);
        let mut mounted = Self { shell: start.typing().spawn(), asked: 0 };
        mounted.run(&format!("mount -t tmpfs -o {options} none to")).then_some(mounted)
    }

    /// Runs a command of the shell; whether it went well.
    pub fn run(&mut self, command: &str) -> bool {
        self.asked += 1;
        let asked = self.asked;
        self.shell.type_in(&format!("{command}; echo \"did {asked}: $?.\"\n"));
        let start = format!("did {asked}: ");
        until("the end of a command", || {
            let shown = self.shell.stdout();
            let answer = shown.lines().find_map(|line| line.strip_prefix(&start)?.strip_suffix('.'))?;
            Some(answer == "0")
        })
    }

    /// Receives with this code and these further arguments.
    pub fn recv(&mut self, work: &Work, code: &str, arguments: &str) -> Received {
        let p2pcp = env!("CARGO_BIN_EXE_p2pcp");
        let command = format!("'{p2pcp}' recv --loopback --yes --verbose -o to {arguments} {code}");
        self.run(&format!("{{ {command}; }} 2> heard; ended=$?; echo $ended > ended"));
        let stderr = std::fs::read_to_string(work.path("heard")).unwrap();
        let code = std::fs::read_to_string(work.path("ended")).unwrap().trim().parse().unwrap();
        Received { code, stderr }
    }

    /// Everything in `to`, as paths that begin with `to`.
    pub fn listed(&mut self, work: &Work) -> Vec<String> {
        assert!(self.run("find to > listed"));
        let listed = std::fs::read_to_string(work.path("listed")).unwrap();
        listed.lines().map(str::to_owned).collect()
    }
}

impl Received {
    /// Asserts its exit code and that it said all of this.
    pub fn ended(self, code: ExitCode, said: &[&str]) -> Self {
        assert_eq!(self.code, i32::from(code.number()), "{}", self.stderr);
        for text in said {
            assert!(self.stderr.contains(text), "it did not say `{text}`:\n{}", self.stderr);
        }
        self
    }

    /// Bytes that came over the network, as `--verbose` tells.
    pub fn came(&self) -> u64 {
        let line = self.stderr.lines().find_map(|line| line.strip_prefix("bytes: ")).unwrap();
        line.split(' ').next().unwrap().parse().unwrap()
    }
}
