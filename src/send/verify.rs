//! The comparison of words, where one of the two persons wants it: between the connection and the offer.

use std::time::Duration;

use crate::connect::verify::{agree_on_verdict, agree_on_words};
use crate::connect::{Bound, ConnectError, PEER_WITHIN, random};
use crate::crypto::Role;
use crate::error::{Error, Unverified};
use crate::event::Event;
use crate::session::Answer;
use crate::transfer::Teller;
use crate::transport::Link;
use crate::wire::verify::Verdict;

/// Longest wait for two people to compare three words.
const COMPARED_WITHIN: Duration = Duration::from_secs(600);

/// Goes on with `bound` only if both persons say that the words are the same, or neither wants to compare any.
pub(crate) async fn verified(bound: Bound, role: Role, teller: &Teller) -> Result<Bound, Error> {
    match compare(&bound, role, teller).await {
        Ok(()) => Ok(bound),
        Err(error) => {
            bound.link.close().await;
            Err(error)
        }
    }
}

async fn compare(bound: &Bound, role: Role, teller: &Teller) -> Result<(), Error> {
    let Some(key) = &bound.verify else { return Ok(()) };
    let late = |_| Error::Join(ConnectError::PeerSilent);
    let words = agree_on_words(role, key, &bound.link, random());
    let words = tokio::time::timeout(PEER_WITHIN, words).await.map_err(late)?.map_err(Error::Join)?;
    let answer = teller.ask(Event::Verify { words: words.join(" ") });
    let here = async {
        match answer.await {
            Ok(Answer::Yes) => Verdict::Same,
            Ok(Answer::No | Answer::NoRoom | Answer::NotOneFile) => Verdict::Different,
            Ok(Answer::Unattended) | Err(_) => Verdict::Nobody,
        }
    };
    let verdicts = tokio::time::timeout(COMPARED_WITHIN, agree_on_verdict(&bound.link, here)).await;
    match verdicts.map_err(late)?.map_err(Error::Join)? {
        (Some(Verdict::Different), _) => Err(Error::Unverified(Unverified::Here)),
        (Some(Verdict::Nobody), _) => Err(Error::Unverified(Unverified::NobodyHere)),
        (_, Some(Verdict::Different)) => Err(Error::Unverified(Unverified::There)),
        (_, Some(Verdict::Nobody)) => Err(Error::Unverified(Unverified::NobodyThere)),
        (_, Some(Verdict::Same) | None) => Ok(()),
    }
}
