//! The browser's Cache API as a shelf for the networks' files.
//!
//! There may be none (on a page that is neither `https` nor local), or no room in it: then the files are downloaded each
//! time.

use js_sys::{Array, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Cache, CacheStorage, Request, Response};

use super::files::Shelf;
use protocol::js::describe;

const NAME: &str = "bastion-models";

/// The cache, opened.
pub(crate) struct CacheShelf(Cache);

impl CacheShelf {
    /// Opens the cache, if there is one.
    pub(crate) async fn open() -> Option<Self> {
        let storage = Reflect::get(&js_sys::global(), &"caches".into()).ok()?;
        if storage.is_undefined() || storage.is_null() {
            return None;
        }
        let storage: CacheStorage = storage.unchecked_into();
        let cache = JsFuture::from(storage.open(NAME)).await.ok()?;
        Some(Self(cache.unchecked_into()))
    }

    async fn find(&self, address: &str) -> Option<Response> {
        JsFuture::from(self.0.match_with_str(address)).await.ok()?.dyn_into().ok()
    }

    async fn try_put(&self, address: &str, bytes: &[u8]) -> Result<(), JsValue> {
        let body = Uint8Array::from(bytes);
        let response = Response::new_with_opt_js_u8_array(Some(&body))?;
        JsFuture::from(self.0.put_with_str(address, &response)).await?;
        Ok(())
    }
}

impl Shelf for CacheShelf {
    async fn has(&self, address: &str) -> bool {
        self.find(address).await.is_some()
    }

    async fn get(&self, address: &str, bytes: &mut Vec<u8>) -> bool {
        let Some(response) = self.find(address).await else { return false };
        let Ok(body) = response.array_buffer() else { return false };
        let Ok(buffer) = JsFuture::from(body).await else { return false };
        let (found, start) = (Uint8Array::new(&buffer), bytes.len());
        bytes.resize(start + found.length() as usize, 0);
        found.copy_to(&mut bytes[start..]);
        true
    }

    async fn put(&self, address: &str, bytes: &[u8]) -> bool {
        match self.try_put(address, bytes).await {
            Ok(()) => true,
            Err(error) => {
                log::warn!("{address} could not be kept for the next visit: {}", describe(&error));
                false
            }
        }
    }

    async fn forget(&self, prefix: &str, wanted: impl Fn(&str) -> bool) {
        let Ok(kept) = JsFuture::from(self.0.keys()).await else {
            return;
        };
        for request in kept.unchecked_into::<Array>().iter() {
            let address = request.unchecked_ref::<Request>().url();
            if address.starts_with(prefix) && !wanted(&address) {
                // Not being able to delete is as harmless as not being able to keep.
                let _ = JsFuture::from(self.0.delete_with_str(&address)).await;
            }
        }
    }
}
