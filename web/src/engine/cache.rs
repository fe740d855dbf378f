//! The networks' files in the browser's Cache API, so that a second visit needs no network.
//!
//! All of it is best effort: where there is no Cache API (a page that is neither `https` nor local), or no room in it, the
//! files are downloaded each time.

use js_sys::{Array, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Cache, CacheStorage, Request, Response};

const NAME: &str = "bastion-models";

/// The cache, opened.
pub(crate) struct Shelf(Cache);

impl Shelf {
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

    /// The bytes kept under an address.
    pub(crate) async fn get(&self, address: &str) -> Option<Vec<u8>> {
        let found = JsFuture::from(self.0.match_with_str(address)).await.ok()?;
        let response: Response = found.dyn_into().ok()?;
        let buffer = JsFuture::from(response.array_buffer().ok()?).await.ok()?;
        Some(Uint8Array::new(&buffer).to_vec())
    }

    /// Keeps bytes under an address, instead of what was there.
    pub(crate) async fn put(&self, address: &str, bytes: &[u8]) {
        if let Err(error) = self.try_put(address, bytes).await {
            log::warn!("{address} could not be kept for the next visit: {error:?}");
        }
    }

    async fn try_put(&self, address: &str, bytes: &[u8]) -> Result<(), JsValue> {
        let body = Uint8Array::from(bytes);
        let response = Response::new_with_opt_js_u8_array(Some(&body))?;
        JsFuture::from(self.0.put_with_str(address, &response)).await?;
        Ok(())
    }

    /// Forgets all addresses that begin with `prefix`, except one.
    pub(crate) async fn forget(&self, prefix: &str, except: Option<&str>) {
        let Ok(kept) = JsFuture::from(self.0.keys()).await else {
            return;
        };
        for request in kept.unchecked_into::<Array>().iter() {
            let address = request.unchecked_ref::<Request>().url();
            if address.starts_with(prefix) && Some(address.as_str()) != except {
                // Not being able to delete is as harmless as not being able to keep.
                let _ = JsFuture::from(self.0.delete_with_str(&address)).await;
            }
        }
    }
}
