//! The conversations with a proxy, over a stream that reaches it.

use std::pin::pin;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_socks::tcp::Socks5Stream;
use tokio_socks::{Error as SocksError, TargetAddr};

use crate::dial::{BoxStream, Host, ProxyFault};

/// Bytes of an answer's head that are read at most; hyper wants 8 KiB or more.
const HEAD_BYTES: usize = 8 * 1024;

/// Asks an HTTP proxy for a tunnel (RFC 9110 §9.3.6). It resolves the name.
pub(super) async fn http(
    stream: BoxStream,
    host: &Host,
    port: u16,
    authorization: Option<HeaderValue>,
) -> Result<BoxStream, ProxyFault> {
    let authority = format!("{host}:{port}");
    let mut request = Request::builder().method(Method::CONNECT).uri(&authority).header(HOST, &authority);
    if let Some(authorization) = authorization {
        request = request.header(PROXY_AUTHORIZATION, authorization);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|_| ProxyFault::NotAProxy)?;
    let builder = http1::Builder::new().max_buf_size(HEAD_BYTES).to_owned();
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(judge)?;
    let mut connection = pin!(connection.with_upgrades());
    let mut asked = pin!(sender.send_request(request));
    let mut ended = false;
    let response = loop {
        tokio::select! {
            response = &mut asked => break response.map_err(judge)?,
            _ = &mut connection, if !ended => ended = true,
        }
    };
    match response.status() {
        status if status.is_success() => (),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => return Err(ProxyFault::Credentials),
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            return Err(ProxyFault::NoWay);
        }
        status => return Err(ProxyFault::Refused(Some(status.as_u16()))),
    }
    let mut upgraded = pin!(hyper::upgrade::on(response));
    let upgraded = loop {
        tokio::select! {
            upgraded = &mut upgraded => break upgraded.map_err(judge)?,
            _ = &mut connection, if !ended => ended = true,
        }
    };
    let parts = upgraded.downcast::<TokioIo<BoxStream>>().map_err(|_| ProxyFault::NotAProxy)?;
    // No server that we dial speaks first, so these bytes are the proxy's.
    match parts.read_buf.is_empty() {
        true => Ok(parts.io.into_inner()),
        false => Err(ProxyFault::NotAProxy),
    }
}

fn judge(error: hyper::Error) -> ProxyFault {
    match error.is_parse() {
        true => ProxyFault::NotAProxy,
        false => ProxyFault::Unreachable(Box::new(error)),
    }
}

/// Asks a SOCKS proxy for a connection (RFC 1928), with a user name and password where it wants them (RFC 1929).
pub(super) async fn socks(
    stream: BoxStream,
    host: &Host,
    port: u16,
    login: Option<(&str, &str)>,
) -> Result<BoxStream, ProxyFault> {
    let target = match host {
        Host::Name(name) => TargetAddr::Domain(name.into(), port),
        Host::Address(address, _) => TargetAddr::Ip((*address, port).into()),
    };
    let asked = match login {
        None => Socks5Stream::connect_with_socket(stream, target).await,
        Some((name, word)) => {
            Socks5Stream::connect_with_password_and_socket(stream, target, name, word).await
        }
    };
    match asked {
        Ok(stream) => Ok(stream.into_inner()),
        Err(error) => Err(match error {
            SocksError::Io(error) => ProxyFault::Unreachable(Box::new(error)),
            SocksError::NoAcceptableAuthMethods
            | SocksError::PasswordAuthFailure(_)
            | SocksError::AuthorizationRequired
            | SocksError::InvalidAuthValues(_) => ProxyFault::Credentials,
            SocksError::ConnectionNotAllowedByRuleset
            | SocksError::CommandNotSupported
            | SocksError::AddressTypeNotSupported => ProxyFault::Refused(None),
            SocksError::GeneralSocksServerFailure
            | SocksError::NetworkUnreachable
            | SocksError::HostUnreachable
            | SocksError::ConnectionRefused
            | SocksError::TtlExpired => ProxyFault::NoWay,
            _ => ProxyFault::NotAProxy,
        }),
    }
}
