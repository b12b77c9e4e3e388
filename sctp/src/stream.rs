//! Streams as the layer above sees them.

use std::time::{Duration, Instant};

use bytes::Bytes;
use shared::error::{Error, Result};

use crate::association::Association;
use crate::message::{Chunks, PayloadProtocolIdentifier};
use crate::outbound::{Message, Reliability};

pub use crate::message::StreamId;

/// What happened on a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEvent {
    /// A complete message waits to be read.
    Readable {
        /// The stream.
        id: StreamId,
    },
    /// Fewer bytes wait to be sent and acknowledged than the lower threshold.
    BufferedAmountLow {
        /// The stream.
        id: StreamId,
    },
    /// More bytes wait than the upper threshold.
    BufferedAmountHigh {
        /// The stream.
        id: StreamId,
    },
    /// Bytes were sent, or given up. What ends a message is released only when it is acknowledged, so that whoever has
    /// nothing buffered knows that the end of each message has arrived.
    ///
    /// Who bounds what is buffered bounds what waits, and keeps the line full over whatever distance; what is under way
    /// is bounded by the windows.
    BufferedAmountReleased {
        /// The stream.
        id: StreamId,
        /// How many.
        n_bytes: usize,
    },
}

/// How hard a stream's messages are tried (RFC 8831 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ReliabilityType {
    /// Until the association ends.
    #[default]
    Reliable,
    /// A number of retransmissions.
    Rexmit,
    /// A number of milliseconds.
    Timed,
}

/// A stream of an association.
#[derive(Debug)]
pub struct Stream<'a> {
    pub(crate) id: StreamId,
    pub(crate) association: &'a mut Association,
}

impl Stream<'_> {
    /// The next complete message, if there is one.
    ///
    /// # Errors
    /// [`Error::ErrStreamClosed`].
    pub fn read_sctp(&mut self) -> Result<Option<Chunks>> {
        self.association.read(self.id)
    }

    /// Queues a message, whose bytes are not copied. Returns its length.
    ///
    /// Data channel control messages are always ordered and reliable (RFC 8832 §6).
    ///
    /// # Errors
    /// [`Error::ErrStreamClosed`], or [`Error::ErrOutboundPacketTooLarge`] past the peer's limit.
    pub fn write_chunk_with_ppi(
        &mut self,
        now: Instant,
        data: &Bytes,
        ppi: PayloadProtocolIdentifier,
    ) -> Result<usize> {
        let settings = self.association.streams.get(self.id).ok_or(Error::ErrStreamClosed)?.settings;
        let control = ppi == PayloadProtocolIdentifier::Dcep;
        let reliability = match settings.reliability {
            _ if control => Reliability::Reliable,
            ReliabilityType::Reliable => Reliability::Reliable,
            ReliabilityType::Rexmit => Reliability::Retransmits(settings.value),
            ReliabilityType::Timed => {
                Reliability::Until(now + Duration::from_millis(u64::from(settings.value)))
            }
        };
        let message = Message {
            payload: data.clone(),
            ppid: ppi as u32,
            unordered: settings.unordered && !control,
            reliability,
        };
        self.association.write(self.id, message)
    }

    /// Whether messages are taken.
    pub fn is_writable(&self) -> bool {
        self.association.is_writable(self.id)
    }

    /// Closes the stream both ways once what is queued has gone out (RFC 8831 §6.7).
    ///
    /// # Errors
    /// [`Error::ErrStreamClosed`] if there is no such stream.
    pub fn close(&mut self, now: Instant) -> Result<()> {
        self.association.close_stream(now, self.id)
    }

    /// Sets how messages from now on are sent; `value` is a number of retransmissions or milliseconds.
    ///
    /// # Errors
    /// [`Error::ErrStreamClosed`].
    pub fn set_reliability_params(
        &mut self,
        unordered: bool,
        reliability: ReliabilityType,
        value: u32,
    ) -> Result<()> {
        let entry = self.association.streams.get_mut(self.id).ok_or(Error::ErrStreamClosed)?;
        entry.settings = Settings { unordered, reliability, value };
        Ok(())
    }

    /// Bytes that wait to be sent, and ends of messages that wait to be acknowledged.
    ///
    /// # Errors
    /// [`Error::ErrStreamClosed`].
    pub fn buffered_amount(&self) -> Result<usize> {
        let entry = self.association.streams.get(self.id).ok_or(Error::ErrStreamClosed)?;
        Ok(entry.buffered)
    }

    /// Sets when [`StreamEvent::BufferedAmountLow`] is told, in bytes.
    ///
    /// # Errors
    /// [`Error::ErrStreamClosed`].
    pub fn set_buffered_amount_low_threshold(&mut self, bytes: usize) -> Result<()> {
        self.association.streams.get_mut(self.id).ok_or(Error::ErrStreamClosed)?.low = bytes;
        Ok(())
    }

    /// Sets when [`StreamEvent::BufferedAmountHigh`] is told, in bytes.
    ///
    /// # Errors
    /// [`Error::ErrStreamClosed`].
    pub fn set_buffered_amount_high_threshold(&mut self, bytes: usize) -> Result<()> {
        self.association.streams.get_mut(self.id).ok_or(Error::ErrStreamClosed)?.high = bytes;
        Ok(())
    }
}

/// How a stream's messages are sent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settings {
    pub(crate) unordered: bool,
    pub(crate) reliability: ReliabilityType,
    pub(crate) value: u32,
}
