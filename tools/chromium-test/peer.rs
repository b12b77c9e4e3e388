//! The end that is not the browser: what it does with a channel says the channel's label.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::peer_connection::configuration::setting_engine::SctpMaxMessageSize;
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::JoinSet;
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState, RTCSessionDescription, SettingEngineBuilder,
};

use crate::server::Offerer;

/// Longest message, in bytes, as Chromium has it.
const MAX_MESSAGE_BYTES: u32 = 256 << 10;

/// What may wait in a channel before sending waits, in bytes.
const SEND_BUFFER_BYTES: usize = 4 << 20;

/// The receive window, in bytes.
const WINDOW_BYTES: u32 = 4 << 20;

/// Longest wait for the addresses of this machine.
const GATHER_PATIENCE: Duration = Duration::from_secs(10);

/// Channels: label and whether they are ordered.
const CHANNELS: [(&str, bool); 5] =
    [("echo", true), ("echo-unordered", false), ("up", true), ("down", true), ("closing", true)];

/// A peer connection and the tasks that serve its channels.
pub struct Peer {
    connection: Arc<dyn PeerConnection>,
    gathered: Arc<Notify>,
    failures: Mutex<mpsc::Receiver<String>>,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

struct Handler {
    gathered: Arc<Notify>,
    failures: mpsc::Sender<String>,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.gathered.notify_one();
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if state == RTCPeerConnectionState::Failed {
            self.failures.try_send("the connection failed".into()).ok();
        }
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        self.tasks.lock().await.spawn(serve(channel, self.failures.clone()));
    }
}

impl Peer {
    pub async fn new(offerer: Offerer) -> Result<Self, String> {
        let (gathered, tasks) = (Arc::new(Notify::new()), Arc::new(Mutex::new(JoinSet::new())));
        let (sender, failures) = mpsc::channel(16);
        let handler =
            Handler { gathered: Arc::clone(&gathered), failures: sender.clone(), tasks: Arc::clone(&tasks) };
        let settings = SettingEngineBuilder::new()
            .with_include_loopback_candidate(true)
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(MAX_MESSAGE_BYTES))
            .with_sctp_max_receive_buffer_size(WINDOW_BYTES)
            .build();
        let connection = PeerConnectionBuilder::new()
            .with_setting_engine(settings)
            .with_handler(Arc::new(handler))
            .with_udp_addrs(vec!["127.0.0.1:0"])
            .with_data_channel_send_buffer_limit(SEND_BUFFER_BYTES)
            .build()
            .await
            .map_err(text)?;
        let connection: Arc<dyn PeerConnection> = Arc::new(connection);
        if offerer == Offerer::Peer {
            for (label, ordered) in CHANNELS {
                let init = RTCDataChannelInit { ordered, ..Default::default() };
                let channel = connection.create_data_channel(label, Some(init)).await.map_err(text)?;
                tasks.lock().await.spawn(serve(channel, sender.clone()));
            }
        }
        Ok(Self { connection, gathered, failures: Mutex::new(failures), tasks })
    }

    pub async fn offer(&self) -> Result<String, String> {
        let offer = self.connection.create_offer(None).await.map_err(text)?;
        self.connection.set_local_description(offer).await.map_err(text)?;
        self.whole_description().await
    }

    pub async fn answer(&self, offer: String) -> Result<String, String> {
        let offer = RTCSessionDescription::offer(offer).map_err(text)?;
        self.connection.set_remote_description(offer).await.map_err(text)?;
        let answer = self.connection.create_answer(None).await.map_err(text)?;
        self.connection.set_local_description(answer).await.map_err(text)?;
        self.whole_description().await
    }

    pub async fn accept(&self, answer: String) -> Result<(), String> {
        let answer = RTCSessionDescription::answer(answer).map_err(text)?;
        self.connection.set_remote_description(answer).await.map_err(text)
    }

    /// With all candidates in it, so that nothing has to be trickled.
    async fn whole_description(&self) -> Result<String, String> {
        tokio::time::timeout(GATHER_PATIENCE, self.gathered.notified()).await.map_err(text)?;
        let description = self.connection.local_description().await.ok_or("no local description")?;
        Ok(description.sdp)
    }

    /// Waits for something to go wrong.
    pub async fn failed(&self) -> String {
        let failure = self.failures.lock().await.recv().await;
        failure.unwrap_or_else(|| "the peer is gone".into())
    }

    pub async fn close(&self) {
        self.connection.close().await.ok();
        self.tasks.lock().await.shutdown().await;
    }
}

async fn serve(channel: Arc<dyn DataChannel>, failures: mpsc::Sender<String>) {
    let label = channel.label().await.unwrap_or_default();
    let served = match label.as_str() {
        "up" => take(&*channel).await,
        "down" => give(&*channel).await,
        _ => echo(&*channel).await,
    };
    if let Err(reason) = served {
        failures.try_send(format!("channel `{label}`: {reason}")).ok();
    }
}

/// The next message and whether it is a text; nothing once the channel is closed.
async fn next_message(channel: &dyn DataChannel) -> Option<(bool, BytesMut)> {
    loop {
        match channel.poll().await? {
            DataChannelEvent::OnMessage(message) => return Some((message.is_string, message.data)),
            DataChannelEvent::OnClose => return None,
            _ => (),
        }
    }
}

/// Sends back what comes; a channel whose page says `close` is closed from here.
async fn echo(channel: &dyn DataChannel) -> Result<(), String> {
    while let Some((is_text, data)) = next_message(channel).await {
        match (is_text, std::str::from_utf8(&data)) {
            (true, Ok("close")) => channel.close().await.map_err(text)?,
            (true, Ok(words)) => channel.send_text(words).await.map_err(text)?,
            (true, Err(error)) => return Err(error.to_string()),
            (false, _) => channel.send(data).await.map_err(text)?,
        }
    }
    Ok(())
}

/// Holds what comes against the pattern, and says how much it was when the page says `end`.
async fn take(channel: &dyn DataChannel) -> Result<(), String> {
    let (mut messages, mut bytes) = (0_u32, 0);
    while let Some((is_text, data)) = next_message(channel).await {
        if is_text {
            channel.send_text(&format!("{messages} {bytes}")).await.map_err(text)?;
            continue;
        }
        if data[..] != pattern(messages, data.len())[..] {
            return Err(format!("message {messages} is not what was sent"));
        }
        messages += 1;
        bytes += data.len();
    }
    Ok(())
}

/// Sends as many messages as the page asks for, `COUNT LENGTH`, then `end`.
async fn give(channel: &dyn DataChannel) -> Result<(), String> {
    while let Some((_, data)) = next_message(channel).await {
        let words = String::from_utf8_lossy(&data).into_owned();
        let mut numbers: VecDeque<usize> = words.split(' ').filter_map(|word| word.parse().ok()).collect();
        let (Some(count), Some(length)) = (numbers.pop_front(), numbers.pop_front()) else {
            return Err(format!("`{words}` is not understood"));
        };
        for number in 0..count {
            channel.send(pattern(number as u32, length)).await.map_err(text)?;
        }
        channel.send_text("end").await.map_err(text)?;
    }
    Ok(())
}

/// The message of that number: a sequence of words, the first of which is the number. The page has the same.
fn pattern(number: u32, length: usize) -> BytesMut {
    thread_local! {
        static WORDS: BytesMut = words(MAX_MESSAGE_BYTES as usize);
    }
    let mut message = WORDS.with(|words| BytesMut::from(&words[..length]));
    if let Some(first) = message.first_chunk_mut() {
        *first = number.to_le_bytes();
    }
    message
}

/// A linear congruential sequence (Numerical Recipes' constants).
fn words(length: usize) -> BytesMut {
    let mut word = 1_u32;
    let mut words = BytesMut::with_capacity(length);
    while words.len() < length {
        words.extend_from_slice(&word.to_le_bytes());
        word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    }
    words
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
