//! A text that is sent as one: typed behind `--text`, or from a pipe.

use std::io::{self, Read};

use clap::Args;

use crate::error::Error;
use crate::fs::DASH;
use crate::interrupt::Interrupts;
use crate::wire::peer::OfferItem;

/// A text.
#[derive(Debug, Args)]
pub(super) struct TextArgs {
    /// Send this text, to be shown there and not kept; `-` for what is piped in
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["paths", "name", "dry_run"])]
    text: Option<String>,
}

impl TextArgs {
    /// The text, if there is one. Reads standard input where that is it, and so may wait.
    pub(super) async fn read(&self) -> Result<Option<String>, Error> {
        match self.text.as_deref() {
            None => Ok(None),
            Some(DASH) => piped().await.map(Some),
            Some(typed) => text(&mut typed.as_bytes()).map(Some),
        }
    }
}

/// Reads on a thread of its own, which nobody waits for if the process ends first.
async fn piped() -> Result<String, Error> {
    let (sender, read) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || sender.send(text(&mut io::stdin().lock())).ok());
    let mut interrupts = Interrupts::listen();
    tokio::select! {
        read = read => read.unwrap_or_else(|_| text(&mut io::empty())),
        interrupt = interrupts.wait() => Err(Error::Interrupted { interrupt, again: None }),
    }
}

fn text(from: &mut dyn Read) -> Result<String, Error> {
    let misfit = |fault: String, hint: &str| Error::Setting {
        place: "--text".to_owned(),
        fault,
        hint: hint.to_owned(),
    };
    let mut bytes = Vec::new();
    let most = OfferItem::MAX_TEXT_BYTES;
    let read = from.take(most as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| misfit(format!("standard input cannot be read: {error}"), "give the text itself"))?;
    if bytes.len() > most {
        return Err(misfit(
            format!("a text has at most {most} bytes"),
            "send it as a file, or as a stream with `p2pcp send -`",
        ));
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.is_empty() => {
            Err(misfit("there is no text".to_owned(), "write something between the quotes"))
        }
        Ok(text) => Ok(text),
        Err(_) => Err(misfit(
            "that is not a text in UTF-8".to_owned(),
            "send it as a file, or as a stream with `p2pcp send -`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::text::text;
    use crate::wire::peer::OfferItem;

    #[test]
    fn a_text_is_neither_empty_nor_long_nor_anything_else() {
        let most = "x".repeat(OfferItem::MAX_TEXT_BYTES);
        for good in ["a", "two\nlines\n", &most] {
            assert_eq!(text(&mut good.as_bytes()).unwrap(), good);
        }
        for bad in [&b""[..], b"\xff", format!("{most}x").as_bytes()] {
            assert!(text(&mut &bad[..]).is_err());
        }
    }
}
