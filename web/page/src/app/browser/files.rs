//! Bytes of pictures: from files, and from the gallery's folder.

use js_sys::{Array, JSON, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, Blob, RequestInit};

use crate::state::Sample;
use crate::text;
use protocol::download::{DownloadError, Limits, download};
use protocol::js::describe;
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

/// Returns the bytes at an address of this page's server.
///
/// # Errors
///
/// What the network or the server said, as the end of a sentence.
pub(crate) async fn fetch(address: &str) -> Result<Vec<u8>, DownloadError> {
    let connection = AbortController::new().map_err(|error| DownloadError::Unreachable(describe(&error)))?;
    let limits = Limits { most_bytes: MAX_FILE_BYTES as u64, ..Limits::default() };
    let mut bytes = Vec::new();
    download(address, &RequestInit::new(), &connection, limits, &mut bytes, |_| {}).await?;
    Ok(bytes)
}

/// Returns all samples there are, and why a list of samples did not come.
pub(crate) async fn list_samples() -> (Vec<Sample>, Option<String>) {
    let (mut samples, mut trouble) = (Vec::new(), None);
    for &folder in FOLDERS {
        match fetch(&format!("{folder}index.json")).await.map(|list| read_samples(&list, folder)) {
            Ok(Some(listed)) => samples.extend(listed),
            // Whoever serves the page may want none.
            Err(DownloadError::Status(404)) => {}
            Ok(None) => trouble = Some("what came is no list of samples".to_owned()),
            Err(error) => trouble = Some(error.to_string()),
        }
    }
    (samples, trouble)
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
