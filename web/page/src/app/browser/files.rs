//! Bytes of pictures: from files, and from the gallery's folder.

use js_sys::{Array, JSON, Reflect, Uint8Array};
use leptos::prelude::window;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, Response};

use crate::state::Sample;
use crate::text;
use terms::picture::MAX_FILE_BYTES;

/// Folders with an `index.json` that lists pictures. The second is for what may not be shipped: asked for only if it was there
/// when the page was built, since a browser reports each answer that there is nothing.
const FOLDERS: &[&str] = match env!("BASTION_LOCAL_SAMPLES").as_bytes() {
    b"true" => &["samples/", "samples/local/"],
    _ => &["samples/"],
};

/// Returns a file's bytes.
///
/// # Errors
///
/// A sentence, if it is too large to be taken into memory or cannot be read.
pub(crate) async fn read(file: &Blob) -> Result<Vec<u8>, String> {
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

/// Returns the bytes at an address.
///
/// # Errors
///
/// What the network or the server said.
pub(crate) async fn fetch(address: &str) -> Result<Vec<u8>, String> {
    let unreachable = |_: JsValue| "the network does not answer".to_owned();
    let response = JsFuture::from(window().fetch_with_str(address)).await.map_err(unreachable)?;
    let response: Response = response.unchecked_into();
    if !response.ok() {
        return Err(format!("the server answered {}", response.status()));
    }
    let buffer = JsFuture::from(response.array_buffer().map_err(unreachable)?).await.map_err(unreachable)?;
    Ok(Uint8Array::new(&buffer).to_vec())
}

/// Returns all samples there are.
pub(crate) async fn list_samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    for &folder in FOLDERS {
        let Ok(list) = fetch(&format!("{folder}index.json")).await else {
            continue;
        };
        match read_samples(&list, folder) {
            Some(listed) => samples.extend(listed),
            None => leptos::logging::warn!("{folder}index.json is no list of samples with a file and a title each"),
        }
    }
    samples
}

/// Returns a list of samples; none if it is not one.
fn read_samples(list: &[u8], folder: &str) -> Option<Vec<Sample>> {
    let list: Array = JSON::parse(std::str::from_utf8(list).ok()?).ok()?.dyn_into().ok()?;
    let sample = |sample: JsValue| {
        let get = |name: &str| Reflect::get(&sample, &name.into()).ok()?.as_string();
        Some(Sample {
            file: get("file")?,
            label: get("label").or_else(|| get("wnid")),
            title: get("title")?,
            source: get("source"),
            folder: folder.to_owned(),
        })
    };
    list.iter().map(sample).collect()
}
