//! Values of attributes and texts that change.

use std::sync::{Arc, Mutex};

/// A function that an attribute or a text follows. Leptos compiles attributes and texts anew for each type of value, and every
/// closure has a type of its own: behind a pointer the functions have one type for each `T`, which makes the program smaller.
pub(super) type Followed<T> = Arc<Mutex<dyn FnMut() -> T + Send>>;

/// Returns a function for an attribute or a text to follow.
pub(super) fn follow<T: 'static>(value: impl FnMut() -> T + Send + 'static) -> Followed<T> {
    Arc::new(Mutex::new(value))
}
