//! The JSON form of what is known of an offer before the answer: what a person sees of it, in a shape that stays.

use serde::ser::{SerializeMap, Serializer};

use crate::event::Preview;

pub(super) fn preview<S: Serializer>(preview: &Preview, to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(None)?;
    map.serialize_entry("complete", &preview.complete)?;
    map.serialize_entry("taken", &preview.taken)?;
    map.serialize_entry("taken_count", &preview.taken_count)?;
    map.serialize_entry("hidden", &preview.hidden())?;
    map.serialize_entry("alike", &preview.alike)?;
    if let Some(needed) = preview.needed_bytes {
        map.serialize_entry("needed_bytes", &needed)?;
    }
    if let Some(free) = preview.free_bytes {
        map.serialize_entry("free_bytes", &free)?;
    }
    if preview.lacking_bytes > 0 {
        map.serialize_entry("lacking_bytes", &preview.lacking_bytes)?;
    }
    map.end()
}
