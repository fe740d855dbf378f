//! How messages travel between page and engine: as postcard's bytes in one typed array, and a picture's file as another one
//! beside it. A message is copied out of the memory of the program that sends it and into that of the program that receives
//! it, since neither sees the other's; on the way between, the arrays change hands and are not copied.
//!
//! Both programs are of one build (their addresses say so), so the order of fields is format enough; it takes half the code
//! that names of fields in JavaScript's objects do.

use std::sync::Arc;

use js_sys::{Array, Uint8Array};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue};

use crate::{Reply, Request};

/// A message, which may have a file that travels beside it.
pub trait Message: Serialize + DeserializeOwned {
    /// Returns the file, if the message is one that has one.
    fn file(&self) -> Option<&[u8]> {
        None
    }

    /// Returns the file's place, to be filled in where the message is received.
    fn file_mut(&mut self) -> Option<&mut Arc<Vec<u8>>> {
        None
    }
}

impl Message for Reply {}

impl Message for Request {
    fn file(&self) -> Option<&[u8]> {
        match self {
            Self::Open { file, .. } => Some(file),
            _ => None,
        }
    }

    fn file_mut(&mut self) -> Option<&mut Arc<Vec<u8>>> {
        match self {
            Self::Open { file, .. } => Some(file),
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
    Ok(match message.file() {
        None => (array.clone().into(), Array::of1(&array.buffer())),
        Some(file) => {
            let file = Uint8Array::from(file);
            (Array::of2(&array, &file).into(), Array::of2(&array.buffer(), &file.buffer()))
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
    match (message.file_mut(), beside) {
        (None, None) => {}
        (Some(file), Some(beside)) => *file = Arc::new(beside.to_vec()),
        (Some(_), None) => return Err("its file is missing".to_owned()),
        (None, Some(_)) => return Err("a file is left over".to_owned()),
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
    use crate::{BackendChoice, Disturbance, Guess, Listed, Pixels, Settings, Slot, Step};
    use terms::picture::Crop;

    fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
        let bytes = to_bytes(&value).unwrap();
        assert_eq!(from_bytes::<T>(&bytes).unwrap(), value);
        assert!(from_bytes::<T>(&bytes[..bytes.len() - 1]).is_err());
        assert_eq!(from_bytes::<T>(&[&bytes[..], &[0, 0]].concat()).unwrap_err(), "2 bytes are left over");
    }

    #[test]
    fn messages_come_through_unchanged() {
        round_trip(Request::Start { choice: BackendChoice::WebGpu, base: "http://localhost/".into(), measured: None });
        let crop = Some(Crop { x: 1, y: 2, side: 300 });
        round_trip(Request::Crop { id: 3, crop, disturbance: Disturbance::default() });
        round_trip(Request::Save { id: 6, slot: Slot::Left, pixels: Pixels(vec![9; 4]) });
        round_trip(Request::Attack { id: 4, settings: Settings::default() });
        round_trip(Request::Load { id: 5, pair: ["standard".into(), "wide".into()] });
        round_trip(Request::Cancel);
        round_trip(Reply::Listed(vec![Listed { folder: "wide".into(), offer: Err("It is not there.".into()) }]));
        round_trip(Reply::Seen { id: 3, pixels: Pixels(vec![1; 64 * 64 * 4]), original_size: Some((500, 375)) });
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
                elapsed_ms: 12.5,
            }),
        });
    }

    #[test]
    fn a_message_of_a_kind_that_is_not_known_is_an_error() {
        assert!(from_bytes::<Request>(&[200, 1]).is_err());
    }

    #[test]
    fn a_file_travels_beside_its_message() {
        let open = |file: &[u8]| Request::Open {
            id: 3,
            file: Arc::new(file.to_vec()),
            crop: None,
            disturbance: Disturbance::default(),
        };
        let bytes = to_bytes(&open(&[7; 1000])).unwrap();
        assert_eq!(bytes, to_bytes(&open(&[])).unwrap());
        let mut received: Request = from_bytes(&bytes).unwrap();
        *received.file_mut().unwrap() = Arc::new(vec![7; 1000]);
        assert_eq!(received, open(&[7; 1000]));
    }
}
