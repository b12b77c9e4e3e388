//! The page, what it is to do, and what it found, over HTTP on a free port of loopback.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

const PAGE: &str = include_str!("page.html");

/// What the page found.
#[derive(Debug, Deserialize)]
pub struct Report {
    pub error: Option<String>,
    pub lines: Vec<String>,
}

/// Serves the page; dropping it ends it.
pub struct Page {
    pub address: SocketAddr,
    pub reports: mpsc::Receiver<Report>,
    _tasks: JoinSet<()>,
}

impl Page {
    /// `jobs` is what `GET /jobs` answers.
    pub async fn serve(jobs: Value) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (sender, reports) = mpsc::channel(1);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (jobs, sender) = (jobs.to_string(), sender.clone());
                let service = service_fn(move |request| answer(request, jobs.clone(), sender.clone()));
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
    jobs: String,
    reports: mpsc::Sender<Report>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let (status, kind, text) = match (head.method, head.uri.path()) {
        (Method::GET, "/") => (StatusCode::OK, "text/html; charset=utf-8", PAGE.to_owned()),
        (Method::GET, "/jobs") => (StatusCode::OK, "application/json", jobs),
        (Method::POST, "/report") => {
            if let Ok(report) = serde_json::from_slice(&body) {
                reports.send(report).await.ok();
            }
            (StatusCode::OK, "text/plain", String::new())
        }
        _ => (StatusCode::NOT_FOUND, "text/plain", String::new()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", kind.parse().expect("a header value"));
    Ok(response)
}
