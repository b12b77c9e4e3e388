//! Finding the other side again, at the place where they met.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::connect::reunion::{self, Reunion};
use crate::error::Error;
use crate::reconnect::reconnect;
use crate::send::place::Place;
use crate::send::{Finding, Options, surroundings};
use crate::signaling::Signaling;
use crate::transfer::Teller;
use crate::transport::peer::WebRtcLink;

pub(super) struct Again {
    pub(super) options: Options,
    pub(super) place: Mutex<Place>,
    pub(super) reunion: Reunion,
    pub(super) teller: Teller,
}

impl Again {
    pub(super) fn finding(self) -> impl FnMut() -> Finding {
        let again = Arc::new(self);
        move || {
            let again = again.clone();
            Box::pin(async move { Some(again.find().await) })
        }
    }

    async fn find(&self) -> WebRtcLink {
        let Self { options, reunion, teller, .. } = self;
        let mut place = self.place.lock().await;
        place.announce();
        let url = &place.url;
        let link = reconnect(teller, || async {
            let signaling = Signaling::connect_by(&options.routes.dialer, url, reunion::SERVER_WITHIN).await;
            let signaling = signaling.map_err(|error| Error::server(url, error))?;
            let surroundings = surroundings(&options.meeting, &options.routes, options.lanes, teller);
            reunion.meet(signaling, surroundings).await.map_err(Error::Join)
        });
        let link = link.await;
        place.be_silent().await;
        link
    }
}
