//! The browser's Cache API as a shelf for the networks' files.
//!
//! There may be none (on a page that is neither `https` nor local), or no room in it: then the files are downloaded each
//! time.

use js_sys::{Array, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Cache, CacheStorage, Request, Response};

use super::files::Shelf;
use web::js::describe;

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

    async fn try_put(&self, address: &str, bytes: &[u8]) -> Result<(), JsValue> {
        let body = Uint8Array::from(bytes);
        let response = Response::new_with_opt_js_u8_array(Some(&body))?;
        JsFuture::from(self.0.put_with_str(address, &response)).await?;
        Ok(())
    }
}

impl Shelf for CacheShelf {
    async fn get(&self, address: &str) -> Option<Vec<u8>> {
        let found = JsFuture::from(self.0.match_with_str(address)).await.ok()?;
        let response: Response = found.dyn_into().ok()?;
        let buffer = JsFuture::from(response.array_buffer().ok()?).await.ok()?;
        Some(Uint8Array::new(&buffer).to_vec())
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

    async fn forget(&self, prefix: &str, except: Option<&str>) {
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
