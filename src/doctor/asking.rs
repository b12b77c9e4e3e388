//! Asking over UDP: requests on one socket, repeated until they are answered or the time is over.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{self, Instant};

use crate::doctor::stun::{Request, Said, parse};

/// When a request goes out again, after it first did (RFC 8489 §6.2.1, with a shorter beginning: here somebody waits).
const REPEATS: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(600), Duration::from_millis(1_200)];

/// Errors of a socket that are passed over before it is given up; each is about one packet.
const MOST_ERRORS: u32 = 64;

/// Largest packet that is looked at.
const LARGEST: usize = 2_048;

/// A question and where it goes.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) to: SocketAddr,
    pub(super) request: Request,
    pub(super) from: Answerer,
}

/// Who may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answerer {
    /// Whoever was asked.
    WhoWasAsked,
    /// Another port of the same address.
    AnotherPort,
    /// Anybody: the packet itself may come back by a way that nobody knows.
    Anybody,
}

/// An answer, and when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) said: Said,
    pub(super) after: Duration,
}

impl Question {
    /// One that whoever is asked answers.
    pub(super) fn new(to: SocketAddr, request: Request) -> Self {
        Self { to, request, from: Answerer::WhoWasAsked }
    }

    fn is_answered_from(&self, from: SocketAddr) -> bool {
        let same_host = from.ip().to_canonical() == self.to.ip().to_canonical();
        match self.from {
            Answerer::WhoWasAsked => same_host && from.port() == self.to.port(),
            Answerer::AnotherPort => same_host && from.port() != self.to.port(),
            Answerer::Anybody => true,
        }
    }
}

/// Asks all questions from one socket; the answers stand in their places. Returns when all are there, and after
/// `patience` at the latest. Cancel safe.
pub(super) async fn ask(
    socket: &UdpSocket,
    questions: &[Question],
    patience: Duration,
) -> Vec<Option<Heard>> {
    ask_and_listen(socket, socket, questions, patience).await
}

/// The same, but the answers come to another socket.
pub(super) async fn ask_and_listen(
    asking: &UdpSocket,
    listening: &UdpSocket,
    questions: &[Question],
    patience: Duration,
) -> Vec<Option<Heard>> {
    let mut heard: Vec<Option<Heard>> = vec![None; questions.len()];
    let begun = Instant::now();
    let mut repeats = REPEATS.into_iter();
    let mut send_at = Some(begun);
    let mut errors = 0;
    let mut packet = [0; LARGEST];
    let deadline = time::sleep_until(begun + patience);
    tokio::pin!(deadline);
    while heard.iter().any(Option::is_none) && errors < MOST_ERRORS {
        tokio::select! {
            () = &mut deadline => break,
            () = time::sleep_until(send_at.unwrap_or(begun)), if send_at.is_some() => {
                for (question, _) in questions.iter().zip(&heard).filter(|it| it.1.is_none()) {
                    // What cannot be sent is not answered, which is what is to be found out.
                    asking.send_to(&question.request.bytes, question.to).await.ok();
                }
                send_at = repeats.next().map(|it| begun + it);
            }
            received = listening.recv_from(&mut packet) => match received {
                Ok((length, from)) => {
                    let said = packet.get(..length).and_then(parse);
                    take(questions, &mut heard, from, said, begun.elapsed());
                }
                Err(_) => errors += 1,
            },
        }
    }
    heard
}

fn take(
    questions: &[Question],
    heard: &mut [Option<Heard>],
    from: SocketAddr,
    said: Option<([u8; 12], Said)>,
    after: Duration,
) {
    let Some((id, said)) = said else { return };
    let mut open = questions.iter().zip(heard).filter(|it| it.1.is_none());
    if let Some((_, place)) = open.find(|it| it.0.request.id == id && it.0.is_answered_from(from)) {
        *place = Some(Heard { said, after });
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use tokio::net::UdpSocket;

    use crate::doctor::asking::{Answerer, Question, ask, ask_and_listen};
    use crate::doctor::stun::{Said, binding};

    /// Longer than any test waits; only a failing one waits so long.
    const PATIENCE: Duration = Duration::from_secs(30);

    async fn socket() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    #[tokio::test]
    async fn a_question_is_asked_again_until_it_is_answered() {
        let ((ours, _), (server, address)) = (socket().await, socket().await);
        let serve = async {
            let mut packet = [0; 256];
            let (_, _) = server.recv_from(&mut packet).await.unwrap();
            let (length, from) = server.recv_from(&mut packet).await.unwrap();
            server.send_to(b"garbage", from).await.unwrap();
            // An echo parses as a request with the right number.
            server.send_to(&packet[..length], from).await.unwrap();
        };
        let questions = [Question::new(address, binding())];
        let (heard, ()) = tokio::join!(ask(&ours, &questions, PATIENCE), serve);
        assert_eq!(heard[0].as_ref().unwrap().said, Said::Request);
    }

    #[test]
    fn an_answer_counts_from_whom_it_may_come_alone() {
        let asked = Question::new("192.0.2.1:8091".parse().unwrap(), binding());
        let elsewhere = Question { from: Answerer::AnotherPort, ..asked.clone() };
        let anybody = Question { from: Answerer::Anybody, ..asked.clone() };
        for (from, expect) in [
            ("192.0.2.1:8091", [true, false, true]),
            ("[::ffff:192.0.2.1]:8091", [true, false, true]),
            ("192.0.2.1:8092", [false, true, true]),
            ("192.0.2.2:8091", [false, false, true]),
            ("192.0.2.2:8092", [false, false, true]),
        ] {
            let from: SocketAddr = from.parse().unwrap();
            let allowed = [&asked, &elsewhere, &anybody].map(|it| it.is_answered_from(from));
            assert_eq!(allowed, expect, "{from}");
        }
    }

    #[tokio::test]
    async fn a_packet_may_come_back_to_another_socket() {
        let ((ours, _), (listening, address)) = (socket().await, socket().await);
        let question = Question { from: Answerer::Anybody, ..Question::new(address, binding()) };
        let heard = ask_and_listen(&ours, &listening, &[question], PATIENCE).await;
        assert_eq!(heard[0].as_ref().unwrap().said, Said::Request);
    }

    #[tokio::test]
    async fn nobody_there_is_no_answer() {
        let ((ours, _), (silent, address)) = (socket().await, socket().await);
        let heard = ask(&ours, &[Question::new(address, binding())], Duration::from_millis(20)).await;
        assert_eq!(heard, [None]);
        drop(silent);
    }
}
