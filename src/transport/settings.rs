//! What is set otherwise than the library would, and why.

use std::time::Duration;

use rtc::ice::mdns::MulticastDnsMode;
use rtc::peer_connection::configuration::setting_engine::SctpMaxMessageSize;
use rtc::peer_connection::transport::RTCDtlsRole;
use webrtc::peer_connection::{SettingEngine, SettingEngineBuilder};

use crate::transport::engine::Engine;
use crate::transport::grounds::{Policy, Reach};
use crate::wire::block::{HEADER_BYTES, MAX_PAYLOAD_BYTES};

/// The largest SCTP packet, in bytes.
///
/// DTLS records end at 16,384 (RFC 6347 §4.1.1), so this is the largest packet that one record holds. On loopback,
/// whose MTU is 65,536, it moves twice what the default of 1,191 does. Elsewhere our own SCTP probes how much
/// of it the path takes; the stock one would just send it.
const LARGEST_SCTP_PACKET: u32 = 16_300;

/// No packet for this long on an open lane: the link is lost, and another one is looked for.
///
/// A session loses nothing with its link, so it is better to be quick: SCTP, after an outage of some
/// seconds, would wait as long again before it tries to send (RFC 9260 §6.3.3); and where only one way
/// is broken, the other side begins to miss packets when this one has given up. Three seconds without a
/// packet, at a request and a response a second each way, are rare even where 20 % are lost.
const ICE_DISCONNECTED_AFTER: Duration = Duration::from_secs(3);

/// No packet for so much longer, and ICE gives up: this bounds the checks while a lane is set up.
const ICE_FAILED_AFTER: Duration = Duration::from_secs(20);

/// An idle line says something so often.
const ICE_KEEPALIVE_EVERY: Duration = Duration::from_secs(1);

/// Pace of ICE checks (RFC 8445 §14.2); the library's own 200 ms tick costs half a second of set-up.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// The same inside one host, where there is one pair of addresses.
const LOOPBACK_CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// How long a path through an address that a STUN server told waits for one without.
///
/// Both directions of such a path may be the same network seen from outside, where a router sends back in
/// what it was given. The library waits 500 ms, and 1 s for an address that only a check told ("peer
/// reflexive"). That one need not wait: it is any address of the peer whose check was faster than its
/// candidate, which is what happens whenever the server is farther away than the peer.
const STUN_PATH_AFTER: Duration = Duration::from_millis(50);

/// How long a path through a relay waits for one without, from the first check on.
///
/// The library waits 2 s. A relay takes two round trips to the server to be there, one for a permission, and its
/// checks go over the server twice; a direct path takes one round trip for its address, and shorter checks. So
/// where the direct path exists it is mostly there before this runs at all; this much is for two checks that were lost, or
/// that a NAT dropped because the other side had not sent yet. The selector nominates once and for all, so a relay that came too
/// soon would stay; a lane that is tried later (`transport::growing`) mends that.
const RELAY_AFTER: Duration = Duration::from_millis(500);

/// How long an address pair is tried.
const CHECK_FOR: Duration = Duration::from_secs(15);

/// The settings of a lane with such an SCTP receive window, in bytes.
pub(super) fn settings(reach: Reach, policy: Policy, window: u32) -> SettingEngine {
    let max_message = u32::try_from(HEADER_BYTES + MAX_PAYLOAD_BYTES).expect("256 KiB fits");
    let check_interval = match reach {
        Reach::SameHost => LOOPBACK_CHECK_INTERVAL,
        Reach::Everywhere => CHECK_INTERVAL,
    };
    let checks = CHECK_FOR.as_millis() / check_interval.as_millis();
    let checks = u16::try_from(checks).expect("a check interval of at least a millisecond");
    let builder = SettingEngineBuilder::new()
        .with_include_loopback_candidate(reach == Reach::SameHost)
        .with_host_acceptance_min_wait(Some(Duration::ZERO))
        .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_srflx_acceptance_min_wait(Some(STUN_PATH_AFTER))
        .with_relay_acceptance_min_wait(Some(match policy {
            Policy::RelayOnly => Duration::ZERO,
            Policy::Any | Policy::DirectOnly => RELAY_AFTER,
        }))
        .with_ice_connection_attempts(Some(check_interval), Some(checks))
        // Joining the mDNS group fails where there is no default route, and takes the connection with it.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_answering_dtls_role(RTCDtlsRole::Client)
        .with_ice_timeouts(Some(ICE_DISCONNECTED_AFTER), Some(ICE_FAILED_AFTER), Some(ICE_KEEPALIVE_EVERY))
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(max_message))
        .with_sctp_max_receive_buffer_size(window);
    match (reach, Engine::HERE) {
        (Reach::SameHost, _) | (_, Engine::Own) => builder.with_sctp_mtu(LARGEST_SCTP_PACKET).build(),
        (Reach::Everywhere, Engine::Stock) => builder.build(),
    }
}
