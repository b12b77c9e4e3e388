//! The page, and the descriptions that it and the peer exchange, over HTTP on a free port of loopback.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::peer::Peer;

const PAGE: &str = include_str!("page.html");

/// Who makes the offer, and the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offerer {
    Browser,
    Peer,
}

impl Offerer {
    pub fn name(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Peer => "peer",
        }
    }
}

/// What the page found.
#[derive(Debug, Deserialize)]
pub struct Report {
    pub error: Option<String>,
    pub lines: Vec<String>,
}

/// The server; dropping it ends it.
pub struct Server {
    pub address: SocketAddr,
    pub reports: mpsc::Receiver<Report>,
    _tasks: JoinSet<()>,
}

impl Server {
    pub async fn start(peer: Arc<Peer>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (sender, reports) = mpsc::channel(1);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (peer, sender) = (Arc::clone(&peer), sender.clone());
                let service = service_fn(move |request| answer(request, Arc::clone(&peer), sender.clone()));
                connections.spawn(async move {
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
                });
            }
        });
        Ok(Self { address, reports, _tasks: tasks })
    }
}

async fn answer(
    request: Request<Incoming>,
    peer: Arc<Peer>,
    reports: mpsc::Sender<Report>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let text = String::from_utf8_lossy(&body).into_owned();
    let result = match (head.method, head.uri.path()) {
        (Method::GET, "/") => Ok(PAGE.to_owned()),
        (Method::GET, "/offer") => peer.offer().await,
        (Method::POST, "/offer") => peer.answer(text).await,
        (Method::POST, "/answer") => peer.accept(text).await.map(|()| String::new()),
        (Method::POST, "/report") => match serde_json::from_str(&text) {
            Ok(report) => {
                reports.send(report).await.map(|()| String::new()).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        },
        _ => Err("there is nothing here".to_owned()),
    };
    let (status, text) = match result {
        Ok(text) => (StatusCode::OK, text),
        Err(reason) => (StatusCode::BAD_REQUEST, reason),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert("content-type", "text/html; charset=utf-8".parse().expect("a header value"));
    Ok(response)
}
