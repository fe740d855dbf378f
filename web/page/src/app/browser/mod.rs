//! What the views need of the browser: the store and all that it does there. Nothing here knows a view.

mod adapter;
pub(crate) mod copying;
mod decoder;
mod files;
pub(crate) mod memory;
pub(crate) mod offline;
mod store;
mod worker;

pub(crate) use store::Store;
