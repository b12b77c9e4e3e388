//! The task of one tunnel: opens the stream, and carries between it and the pipe.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time;

use crate::dial::{BoxStream, DialError};
use crate::transport::tunnel::framing;
use crate::transport::tunnel::pipe::Pipe;

/// The library's TURN client gives up after nine seconds without an answer.
const OPEN_WITHIN: Duration = Duration::from_secs(9);

/// How long what was sent last may take to leave, when the lane is closed: the peer hears by it that we went.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// Bytes that are read at a time.
const READ: usize = 64 << 10;

/// Runs a tunnel to its end.
pub(super) async fn run(
    server: String,
    pipe: Arc<Pipe>,
    opening: impl Future<Output = Result<BoxStream, DialError>>,
) {
    let work = async {
        let stream = match time::timeout(OPEN_WITHIN, opening).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return log::debug!("{server} cannot be used: {}", chain(&error)),
            Err(_) => return log::debug!("{server} does not answer"),
        };
        let (read, write) = tokio::io::split(stream);
        let ended = tokio::select! {
            ended = bring(read, &pipe) => ended,
            ended = send(write, &pipe) => ended,
        };
        if let Err(error) = ended {
            log::debug!("{server} was lost: {error}");
        }
    };
    let over = async {
        pipe.ended().await;
        time::sleep(LINGER).await;
    };
    tokio::select! {
        () = work => (),
        () = over => (),
    }
    pipe.lose();
}

async fn bring(mut stream: impl AsyncRead + Unpin, pipe: &Pipe) -> io::Result<()> {
    let (mut came, mut incoming) = (BytesMut::new(), framing::Messages::default());
    loop {
        // At most one message is left over from before.
        came.reserve(READ.max(framing::LONGEST - came.len().min(framing::LONGEST)));
        if stream.read_buf(&mut came).await? == 0 {
            return Ok(());
        }
        let mut messages = Vec::new();
        while let Some(message) = incoming.next(&mut came).map_err(io::Error::other)? {
            messages.push(message);
        }
        pipe.put(messages).await;
    }
}

async fn send(mut stream: impl AsyncWrite + Unpin, pipe: &Pipe) -> io::Result<()> {
    let mut bytes = Vec::new();
    while pipe.take(&mut bytes).await {
        stream.write_all(&bytes).await?;
        stream.flush().await?;
    }
    stream.shutdown().await
}

/// An error and what it says lies behind it.
fn chain(error: &dyn std::error::Error) -> String {
    let behind = error.source().map(|it| format!(": {}", chain(it)));
    format!("{error}{}", behind.unwrap_or_default())
}
