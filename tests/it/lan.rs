//! Finding each other over multicast, in a network that each test has to itself.
//!
//! A test runs this program again in a network namespace of its own, as whoever it is there, with a virtual cable whose both ends
//! are in it. Where that is not allowed it says so and passes; `tools/lan-test.sh` does the same with several machines.

use std::collections::HashSet;
use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use mdns_sd::{ServiceDaemon, ServiceInfo};
use p2pcp::lan::names::Names;
use p2pcp::lan::{Announcement, Neighbours, Scope, find};
use p2pcp::wire::signaling::Nameplate;

/// Set in the process inside, to the addresses of the cable's end.
const INSIDE: &str = "P2PCP_TEST_INSIDE";

/// Longer than any answer takes.
const NEVER: Duration = Duration::from_secs(30);

/// What the shell does before: a cable with such addresses, and the process.
const NETWORK: &str = r#"
ip link set lo up && ip link add cable type veth peer name end || exit 77
for address in $P2PCP_TEST_INSIDE; do ip address add "$address" dev cable $(case $address in *:*) echo nodad;; esac) || exit 77; done
[ -n "$P2PCP_TEST_V6" ] || echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 || exit 77
ip link set cable up && ip link set end up || exit 77
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -z "$(ip -6 address show tentative)" ] && break
    sleep 0.2
done
exec "$0" --exact "$1" --nocapture
"#;

/// Runs `test` in a network of its own with these addresses; whether this is the process inside.
fn inside(test: &str, addresses: &str, has_v6: bool) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "sh", "-c", NETWORK]).arg(program).arg(test);
    command.env(INSIDE, addresses).env("P2PCP_TEST_V6", if has_v6 { "1" } else { "" });
    match command.output() {
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.contains("1 passed"), "it ran nothing: {said}");
        }
        Ok(output) if output.status.code() == Some(101) => {
            panic!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        }
        Ok(output) => eprintln!("SKIPPED {test}: {}", String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) => eprintln!("SKIPPED {test}: {error}"),
    }
    false
}

/// What a receiver of this nameplate finds beyond its own machine first.
async fn found(number: u32) -> String {
    let mut finder = find(Nameplate::new(number).unwrap(), Scope::Lan);
    let look = async {
        loop {
            let address = finder.next().await.expect("the search goes on");
            if !address.ip().is_loopback() {
                return address.to_string();
            }
        }
    };
    tokio::time::timeout(NEVER, look).await.expect("it is announced")
}

/// Announces two nameplates and looks for both.
async fn announced(expect: &str) {
    let announce = |number| Announcement::start(Nameplate::new(number).unwrap(), Scope::Lan).unwrap();
    let (mut first, mut second) = (announce(417), announce(418));
    assert!(first.announced(NEVER).await && second.announced(NEVER).await);
    for number in [418, 417] {
        let address = found(number).await;
        assert!(
            address.starts_with(expect) && address.ends_with(&format!(":{}", 21_000 + number)),
            "{address}"
        );
    }
    // Who said something less than a second ago does not repeat it (RFC 6762 §6).
    let both: HashSet<_> = [417, 418].map(|it| Nameplate::new(it).unwrap()).into();
    let mut heard = HashSet::new();
    while heard != both {
        heard.extend(Neighbours::listen(Scope::Lan).nameplates().await);
        assert!(heard.is_subset(&both), "{heard:?}");
    }
    first.end().await;
    second.end().await;
}

#[tokio::test]
async fn senders_are_found_over_ipv4_alone() {
    if inside("lan::senders_are_found_over_ipv4_alone", "192.168.77.1/24", false) {
        announced("192.168.77.1:").await;
    }
}

#[tokio::test]
async fn senders_are_found_over_ipv6_alone() {
    if inside("lan::senders_are_found_over_ipv6_alone", "fd77::1/64", true) {
        announced("[f").await;
    }
}

#[tokio::test]
async fn senders_are_found_over_link_local_addresses_alone() {
    if inside("lan::senders_are_found_over_link_local_addresses_alone", "", true) {
        announced("[fe80::").await;
    }
}

/// As a browser does, which announces a name for its address and nothing else.
#[tokio::test]
async fn the_name_in_a_browsers_candidate_becomes_its_address() {
    if !inside(
        "lan::the_name_in_a_browsers_candidate_becomes_its_address",
        "192.168.77.1/24 8.8.8.8/32",
        false,
    ) {
        return;
    }
    let browser = ServiceDaemon::new().unwrap();
    for (name, address) in [("f7a1-0001", "192.168.77.1"), ("f7a1-0002", "8.8.8.8")] {
        let host = format!("{name}.local.");
        let none: &[(&str, &str)] = &[];
        let info = ServiceInfo::new("_x._udp.local.", name, &host, address, 9, none).unwrap();
        browser.register(info).unwrap();
    }
    let mut names = Names::default();
    assert!(names.ask("F7A1-0001.local") && names.ask("f7a1-0002.local") && names.ask("nobody.local"));
    let mut answers = Vec::new();
    while let Some(answer) = tokio::time::timeout(NEVER, names.next()).await.unwrap() {
        answers.push(answer);
    }
    answers.sort();
    let expect: [(&str, &[IpAddr]); 3] =
        [("f7a1-0001.local", &[[192, 168, 77, 1].into()]), ("f7a1-0002.local", &[]), ("nobody.local", &[])];
    assert_eq!(answers, expect.map(|(name, addresses)| (name.to_owned(), addresses.to_vec())));
}
