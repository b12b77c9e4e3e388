//! What went over a host's wires: whether an address stands in it anywhere, in any form that STUN or text has.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::lab::{Host, Lab};
use crate::process::Process;

/// The cookie with which STUN masks addresses (RFC 8489 section 5).
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Before the packets of a pcap file, and before each of them, in bytes.
const FILE_HEAD: usize = 24;
const PACKET_HEAD: usize = 16;

/// How long capturing may take to begin and to end.
const WITHIN: Duration = Duration::from_secs(10);

/// A capture that runs.
pub struct Capture {
    process: Process,
    file: PathBuf,
}

/// A packet of IPv4 whose addresses and bytes are known.
#[derive(Debug)]
pub struct Packet {
    pub from: Ipv4Addr,
    pub to: Ipv4Addr,
    rest: Vec<u8>,
}

impl Capture {
    /// Begins to write down what passes the interfaces of a host.
    pub fn start(lab: &Lab, host: Host, folder: &Path) -> Result<Self, String> {
        let file = folder.join(format!("{host:?}.pcap"));
        let mut command = lab.command(host, lab.tool());
        let mut process = Process::start(command.args(["capture", "--file"]).arg(&file))?;
        process.wait_for("capturing", WITHIN)?;
        Ok(Self { process, file })
    }

    /// All packets so far. One that was missed would prove nothing, so it is an error.
    pub fn end(mut self) -> Result<Vec<Packet>, String> {
        self.process.terminate(WITHIN)?;
        self.process.wait_for("missed 0", WITHIN)?;
        let bytes = fs::read(&self.file).map_err(|error| error.to_string())?;
        Ok(packets(&bytes))
    }
}

impl Packet {
    /// Whether it goes from or to this address.
    pub fn touches(&self, address: Ipv4Addr) -> bool {
        self.from == address || self.to == address
    }

    /// Whether the address stands behind the IP header: as it is, masked as STUN does it, or as text.
    pub fn tells(&self, address: Ipv4Addr) -> bool {
        let plain = address.octets();
        let masked: Vec<u8> = plain.iter().zip(COOKIE).map(|(byte, mask)| byte ^ mask).collect();
        let text = address.to_string();
        [&plain[..], &masked, text.as_bytes()].iter().any(|it| has(&self.rest, it))
    }
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|it| it == part)
}

/// The IPv4 packets of a pcap file in this machine's byte order, as netlab writes it.
fn packets(file: &[u8]) -> Vec<Packet> {
    let mut packets = Vec::new();
    let mut left = file.get(FILE_HEAD..).unwrap_or_default();
    while let Some(head) = left.get(8..12) {
        let length = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some(packet) = left.get(PACKET_HEAD..PACKET_HEAD + length) else { break };
        packets.extend(parse(packet));
        left = &left[PACKET_HEAD + length..];
    }
    packets
}

fn parse(packet: &[u8]) -> Option<Packet> {
    let first = *packet.first()?;
    let address = |at: usize| {
        let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(octets))
    };
    let rest = packet.get(usize::from(first & 15) * 4..)?.to_vec();
    (first >> 4 == 4).then_some(())?;
    Some(Packet { from: address(12)?, to: address(16)?, rest })
}

#[cfg(test)]
mod tests {
    use super::{FILE_HEAD, PACKET_HEAD, packets};
    use std::net::Ipv4Addr;

    fn file(payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45; 12];
        packet.extend([198, 18, 0, 10, 198, 18, 2, 2]);
        packet.extend(payload);
        let mut file = vec![0; FILE_HEAD + PACKET_HEAD];
        file[FILE_HEAD + 8..FILE_HEAD + 12].copy_from_slice(&(packet.len() as u32).to_ne_bytes());
        file.extend(packet);
        file
    }

    #[test]
    fn an_address_is_found_in_every_form() {
        let hidden = Ipv4Addr::new(192, 168, 11, 2);
        let masked = [192 ^ 0x21, 168 ^ 0x12, 11 ^ 0xa4, 2 ^ 0x42];
        for payload in [&b"..\xc0\xa8\x0b\x02.."[..], &masked, b"a=192.168.11.2 typ host"] {
            let packets = packets(&file(payload));
            assert!(packets.len() == 1 && packets[0].tells(hidden), "{payload:?}");
            assert!(!packets[0].tells(Ipv4Addr::new(192, 168, 11, 3)));
            assert!(packets[0].touches(Ipv4Addr::new(198, 18, 0, 10)) && !packets[0].touches(hidden));
        }
    }
}
