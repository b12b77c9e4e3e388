//! The names: those that are none, and odd ones that are.

/// Names that try to climb out or to stand still.
const DOTS: &[&str] = &[
    ".",
    "..",
    "./",
    "../",
    "./x",
    "../x",
    "x/.",
    "x/..",
    "x/./y",
    "x/../y",
    "../..",
    "../../x",
    "x/../..",
    "a/b/..",
    "a/b/../../../x",
    "a/../../x",
    "././x",
    "./../x",
    ".././x",
    "./.",
    "../.",
    "...//..",
    ".../..",
    "../...",
    "../.hidden",
    "x/../",
    "../../secret.txt",
    "../.ssh/authorized_keys",
    "mine.txt/..",
    "photos/../../../secret.txt",
    "photos/up/../secret.txt",
    "out/../x",
    "out/..",
    "x/y/z/../../../../../q",
];

/// Names that begin at the root, or would once something joined them.
const ABSOLUTE: &[&str] = &[
    "/",
    "//",
    "///",
    "/x",
    "//x",
    "/.",
    "/..",
    "/../x",
    "/./x",
    "/etc/passwd",
    "/dev/null",
    "/proc/self/mem",
    "//server/share/x",
    "//?/C:/x",
    "//./pipe/x",
    "/~/.profile",
    "/C:/x",
    "/\u{2f}",
];

/// Names with nothing where a part should be.
const EMPTY: &[&str] = &["", "a/", "a//", "a//b", "a/b/", "a///b", "mine.txt/", "photos/", "photos//x"];

/// Names that lie to whoever reads them on a terminal, or end where a C program looks.
const CONTROL: &[&str] = &[
    "\0",
    "a\0",
    "\0a",
    "a\0b",
    "a/\0",
    "mine.txt\0.jpg",
    "../\0",
    "x/\0/y",
    "\x1b",
    "\x1b[2J",
    "\x1b[31mred",
    "\x1bc",
    "\x1b]0;owned\x07",
    "\x1b]52;c;cm0gLXJm\x07",
    "\x1bP$q\x1b\\",
    "\u{9b}2J",
    "\u{9d}0;owned\u{9c}",
    "a\nb",
    "a\rb",
    "\r\n",
    "ok\r100% done",
    "a\tb",
    "abc\x08\x08\x08xyz",
    "a\x7fb",
    "a\u{85}b",
    "x/\x1b[2J/y",
    "photo\u{202e}gpj.exe",
    "\u{202d}abc",
    "a\u{2066}b\u{2069}c",
    "a\u{200f}b",
    "\u{200e}",
    "a\u{61c}b",
    "one\u{2028}two",
    "one\u{2029}two",
    "a/\u{202e}",
];

/// Names of stages, in which another session's unfinished bytes may lie.
const STAGES: &[&str] =
    &[".p2pcp-", ".p2pcp-x", ".p2pcp-0123456789abcdef", ".p2pcp-x/journal", ".p2pcp-0123456789abcdef/data/0"];

/// Bytes that are no text: overlong `/` and `.`, surrogates, cut sequences, other encodings.
const NOT_UTF8: &[&[u8]] = &[
    b"\xff",
    b"a\xff",
    b"\xfe\xff\0a",
    b"..\xc0\xaf",
    b"\xc0\xae\xc0\xae/x",
    b"\xe0\x80\xae\xe0\x80\xae/x",
    b"\xed\xa0\x80",
    b"a\xe2\x82",
    b"\x80",
    b"r\xe9sum\xe9",
    b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80",
];

/// Odd names that are names all the same on this file system: made inside, as one says them.
pub const LEGAL: &[&str] = &[
    "...",
    "....",
    "..a",
    "a..",
    "a..b",
    ".a",
    "a.",
    "x/...",
    ".x/..y",
    "..;",
    "..%2f..%2fx",
    "%2e%2e",
    "%2e%2e%2fx",
    "%00",
    "..\\x",
    "..\\..\\secret.txt",
    "\\..\\x",
    "\\x",
    "a\\b",
    "\\",
    "．．",
    "‥",
    "․․",
    "..\u{ff0f}x",
    "..\u{2215}x",
    "..\u{200d}",
    "C:",
    "C:x",
    "C:\\x",
    "c:/x",
    "\\\\server\\share\\x",
    "\\\\?\\C:\\x",
    "\\\\.\\pipe\\x",
    "nul",
    "NUL",
    "con",
    "CON",
    "prn",
    "aux",
    "com1",
    "COM9",
    "lpt1",
    "LPT9",
    "con.txt",
    "nul.",
    "aux .txt",
    "conin$",
    "conout$",
    "clock$",
    "COM¹",
    "a:stream",
    "a.txt:hidden:$DATA",
    "a|b",
    "a<b>c",
    "a\"b",
    "a?b*c",
    "trailing.",
    "trailing...",
    "trailing ",
    "trailing. .",
    " leading",
    " ",
    "\u{a0}",
    "\u{3000}",
    "~",
    "~root",
    "$HOME",
    "$(reboot)",
    "`reboot`",
    "-rf",
    "--help",
    "-",
    "a;b",
    "a&&b",
    "a'b",
    "%s%n",
    "{a,b}",
    "!x",
    "#x",
    ".bashrc",
    ".ssh/authorized_keys",
    ".git/hooks/post-checkout",
    "desktop.ini",
    "\u{200b}",
    "\u{feff}a",
    "\u{fffd}",
    "a\u{e0041}",
    "\u{e9}",
    "e\u{301}",
    "\u{1f600}",
    "a\u{300}\u{301}\u{302}\u{303}\u{304}",
    ".p2pcp",
    ".P2PCP-x",
    "p2pcp-x",
    "x/.p2pcp-y",
    "journal",
    "data/0",
    "photos/new.jpg",
    "photos/.p2pcp-x",
];

/// Every control and text-direction character in the middle of a name.
fn every_unsafe_character() -> impl Iterator<Item = String> {
    let ranges = [0..=0x1f, 0x7f..=0x9f, 0x200e..=0x200f, 0x2028..=0x202e, 0x2066..=0x2069];
    let all = ranges.into_iter().flatten().chain([0x61c]);
    all.filter_map(char::from_u32).map(|c| format!("a{c}b"))
}

fn too_long() -> impl Iterator<Item = String> {
    let name = |length| "x".repeat(length);
    [
        name(256),
        format!("a/{}/b", name(256)),
        format!("{}/b", name(4000)),
        "ü".repeat(128),
        format!("{}{}", "x".repeat(254), "文"),
        name(4096),
        name(60_000),
        format!("{}xx", "a/".repeat(2047)),
        "a/".repeat(2048),
        format!("{}a", "a/".repeat(20_000)),
        format!("{}x", "../".repeat(1365)),
        format!("{}x", "../".repeat(20_000)),
    ]
    .into_iter()
}

pub fn long_and_legal() -> impl Iterator<Item = String> {
    let deep = |part: &str, bytes: usize| [part, "/"].concat().repeat(bytes / (part.len() + 1));
    [
        "x".repeat(255),
        "文".repeat(85),
        format!("{}f", deep("d", 600)),
        format!("{}{}", deep(&"y".repeat(39), 3840), "z".repeat(255)),
    ]
    .into_iter()
}

/// Everything that is no name.
pub fn refused() -> Vec<Vec<u8>> {
    let scene_independent = [DOTS, ABSOLUTE, EMPTY, CONTROL, STAGES].concat().into_iter().map(str::to_owned);
    let text = scene_independent.chain(every_unsafe_character()).chain(too_long()).map(String::into_bytes);
    text.chain(NOT_UTF8.iter().map(|it| it.to_vec())).collect()
}
