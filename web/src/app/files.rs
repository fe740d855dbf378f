//! Bytes of pictures: from files, and from the gallery's folder.

use js_sys::Uint8Array;
use leptos::prelude::window;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, Response};

use crate::protocol::MAX_FILE_BYTES;
use crate::state::Sample;
use crate::text;

/// Folders with an `index.json` that lists pictures. The second is for what may not be shipped: asked for only if it was there
/// when the page was built, since a browser reports each answer that there is nothing.
const FOLDERS: &[&str] = match env!("BASTION_LOCAL_SAMPLES").as_bytes() {
    b"true" => &["samples/", "samples/local/"],
    _ => &["samples/"],
};

/// A file's bytes.
///
/// # Errors
///
/// A sentence, if it is too large to be taken into memory or cannot be read.
pub(super) async fn read(file: &Blob) -> Result<Vec<u8>, String> {
    if file.size() > MAX_FILE_BYTES as f64 {
        return Err(format!(
            "The file is too large: {}, and at most {} are read. Save the picture smaller, as a JPEG for example.",
            text::bytes(file.size() as u64),
            text::bytes(MAX_FILE_BYTES as u64)
        ));
    }
    match JsFuture::from(file.array_buffer()).await {
        Ok(buffer) => Ok(Uint8Array::new(&buffer).to_vec()),
        Err(_) => Err("The browser could not read the file. Perhaps it was moved or changed; choose it again.".into()),
    }
}

/// The bytes at an address.
///
/// # Errors
///
/// What the network or the server said.
pub(super) async fn fetch(address: &str) -> Result<Vec<u8>, String> {
    let unreachable = |_: JsValue| "the network does not answer".to_owned();
    let response = JsFuture::from(window().fetch_with_str(address)).await.map_err(unreachable)?;
    let response: Response = response.unchecked_into();
    if !response.ok() {
        return Err(format!("the server answered {}", response.status()));
    }
    let buffer = JsFuture::from(response.array_buffer().map_err(unreachable)?).await.map_err(unreachable)?;
    Ok(Uint8Array::new(&buffer).to_vec())
}

/// All samples there are.
pub(super) async fn list_samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    for &folder in FOLDERS {
        let Ok(list) = fetch(&format!("{folder}index.json")).await else {
            continue;
        };
        match serde_json::from_slice::<Vec<Sample>>(&list) {
            Ok(listed) => {
                samples.extend(listed.into_iter().map(|sample| Sample { folder: folder.into(), ..sample }));
            }
            Err(error) => leptos::logging::warn!("{folder}index.json is no list of samples: {error}"),
        }
    }
    samples
}
