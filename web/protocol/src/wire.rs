//! How messages travel between the page and its workers: as postcard's bytes in one typed array, and what is large in a message,
//! a picture's file or its preview, as another one beside it. A message is copied out of the memory of the program that sends it
//! and into that of the program that receives it, since neither sees the other's; on the way between, the arrays change hands
//! and are not copied.
//!
//! All programs are of one build (their addresses say so), so the order of fields is format enough; it takes half the code
//! that names of fields in JavaScript's objects do.

use std::sync::Arc;

use js_sys::{Array, Uint8Array};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue};

use crate::{DecodeReply, DecodeRequest, Reply, Request};

/// A message, which may have bytes that travel beside it.
pub trait Message: Serialize + DeserializeOwned {
    /// Returns the bytes, if the message is one that has some.
    fn beside(&self) -> Option<&[u8]> {
        None
    }

    /// Returns the place of the bytes, to be filled in where the message is received.
    fn beside_mut(&mut self) -> Option<&mut Arc<Vec<u8>>> {
        None
    }
}

impl Message for Request {}

impl Message for Reply {}

impl Message for DecodeRequest {
    fn beside(&self) -> Option<&[u8]> {
        match self {
            Self::Open { file, .. } => Some(file),
            Self::Cut { .. } => None,
        }
    }

    fn beside_mut(&mut self) -> Option<&mut Arc<Vec<u8>>> {
        match self {
            Self::Open { file, .. } => Some(file),
            Self::Cut { .. } => None,
        }
    }
}

impl Message for DecodeReply {
    fn beside(&self) -> Option<&[u8]> {
        match self {
            Self::Opened { decoded, .. } => Some(&decoded.preview.rgba),
            _ => None,
        }
    }

    fn beside_mut(&mut self) -> Option<&mut Arc<Vec<u8>>> {
        match self {
            Self::Opened { decoded, .. } => Some(&mut decoded.preview.rgba),
            _ => None,
        }
    }
}

/// Returns a message as it is posted, and the list of what is handed over with it rather than copied.
///
/// # Errors
/// If it cannot be written, with postcard's reason.
pub fn packed(message: &impl Message) -> Result<(JsValue, Array), JsValue> {
    let bytes = to_bytes(message).map_err(|reason| JsValue::from_str(&reason))?;
    let array = Uint8Array::from(bytes.as_slice());
    Ok(match message.beside() {
        None => (array.clone().into(), Array::of1(&array.buffer())),
        Some(beside) => {
            let beside = Uint8Array::from(beside);
            (Array::of2(&array, &beside).into(), Array::of2(&array.buffer(), &beside.buffer()))
        }
    })
}

/// Returns the message in what an event brought.
///
/// # Errors
/// If that is no message of this build.
pub fn unpacked<T: Message>(data: JsValue) -> Result<T, String> {
    let bytes = |data: JsValue| data.dyn_into::<Uint8Array>().map_err(|_| "it is no array of bytes".to_owned());
    let (array, beside) = match data.dyn_into::<Array>() {
        Ok(both) => (bytes(both.get(0))?, Some(bytes(both.get(1))?)),
        Err(data) => (bytes(data)?, None),
    };
    let mut message: T = from_bytes(&array.to_vec())?;
    match (message.beside_mut(), beside) {
        (None, None) => {}
        (Some(place), Some(beside)) => *place = Arc::new(beside.to_vec()),
        (Some(_), None) => return Err("what travels beside it is missing".to_owned()),
        (None, Some(_)) => return Err("what came beside it is left over".to_owned()),
    }
    Ok(message)
}

fn to_bytes(message: &impl Serialize) -> Result<Vec<u8>, String> {
    postcard::to_allocvec(message).map_err(|error| error.to_string())
}

fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        Ok((_, rest)) => Err(format!("{} bytes are left over", rest.len())),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;
    use crate::{Adapter, BackendChoice, Decoded, Disturbance, Guess, Listed, Pixels, Preview, Settings, Slot, Step};
    use terms::picture::Crop;

    fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
        let bytes = to_bytes(&value).unwrap();
        assert_eq!(from_bytes::<T>(&bytes).unwrap(), value);
        assert!(from_bytes::<T>(&bytes[..bytes.len() - 1]).is_err());
        assert_eq!(from_bytes::<T>(&[&bytes[..], &[0, 0]].concat()).unwrap_err(), "2 bytes are left over");
    }

    #[test]
    fn messages_come_through_unchanged() {
        round_trip(Request::Start {
            choice: BackendChoice::WebGpu,
            base: "http://localhost/".into(),
            measured: None,
            adapter: Adapter::Missing,
        });
        let pixels = Pixels(vec![8; 64 * 64 * 4]);
        round_trip(Request::Open { id: 3, pixels, disturbance: Disturbance::default() });
        round_trip(Request::Save { id: 6, slot: Slot::Left, pixels: Pixels(vec![9; 4]) });
        round_trip(Request::Attack { id: 4, settings: Settings::default() });
        round_trip(Request::Load { id: 5, pair: ["standard".into(), "wide".into()] });
        round_trip(Request::Cancel);
        round_trip(Reply::Listed(vec![Listed { folder: "wide".into(), offer: Err("It is not there.".into()) }]));
        round_trip(Reply::Seen { id: 3, pixels: Pixels(vec![1; 64 * 64 * 4]) });
        round_trip(Reply::Step {
            id: 4,
            slot: Slot::Right,
            step: Box::new(Step {
                done: 1,
                total: 5,
                attacked: Pixels(vec![2; 16]),
                largest_change: 8,
                l2: 0.5,
                loss: 1.5,
                top: vec![Guess { class: 199, share: 0.25 }],
                own_share: 0.125,
                target_share: Some(0.0625),
                no_gradient: true,
                elapsed_ms: 12.5,
            }),
        });
    }

    #[test]
    fn a_message_of_a_kind_that_is_not_known_is_an_error() {
        assert!(from_bytes::<Request>(&[200, 1]).is_err());
    }

    #[test]
    fn messages_of_the_decoder_come_through_unchanged() {
        let crop = Some(Crop { x: 1, y: 2, side: 300 });
        round_trip(DecodeRequest::Cut { id: 3, crop });
        round_trip(DecodeReply::Loaded);
        round_trip(DecodeReply::Square { id: 3, pixels: Pixels(vec![1; 64 * 64 * 4]) });
        round_trip(DecodeReply::Bad { id: 4, message: "This is not a picture.".into() });
        round_trip(DecodeReply::Panicked("index out of bounds".into()));
    }

    /// Checks that the bytes beside a message are no part of it, and that it has a place for them.
    fn travels_beside<T: Message + PartialEq + Debug>(message: impl Fn(Vec<u8>) -> T) {
        let bytes = to_bytes(&message(vec![7; 1000])).unwrap();
        assert_eq!(bytes, to_bytes(&message(Vec::new())).unwrap());
        let mut received: T = from_bytes(&bytes).unwrap();
        *received.beside_mut().unwrap() = Arc::new(vec![7; 1000]);
        assert_eq!(received, message(vec![7; 1000]));
        assert_eq!(received.beside().map(<[u8]>::len), Some(1000));
    }

    #[test]
    fn files_and_previews_travel_beside_their_messages() {
        travels_beside(|file| DecodeRequest::Open { id: 3, file: Arc::new(file), crop: None });
        travels_beside(|rgba| DecodeReply::Opened {
            id: 3,
            decoded: Decoded {
                size: (500, 375),
                preview: Preview { width: 25, height: 10, rgba: Arc::new(rgba) },
                square: Pixels(vec![1; 16]),
                memory_bytes: 1 << 33,
            },
        });
    }
}
