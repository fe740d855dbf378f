//! Panics of decoders, which become errors where programs can unwind.

/// Runs a decoder; none if the decoder panicked, without a word on standard error. A damaged file can make a decoder index
/// outside of its buffers, and the rest of the program is not touched by that.
#[cfg(panic = "unwind")]
pub(super) fn guarded<T>(decode: impl FnOnce() -> T) -> Option<T> {
    use std::cell::Cell;
    use std::panic::{self, AssertUnwindSafe};
    use std::sync::Once;

    thread_local! {
        static GUARDED: Cell<bool> = const { Cell::new(false) };
    }
    static SILENCER: Once = Once::new();

    SILENCER.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                usual(info);
            }
        }));
    });
    GUARDED.set(true);
    // Nothing that the decoder wrote to is used after a panic.
    let outcome = panic::catch_unwind(AssertUnwindSafe(decode));
    GUARDED.set(false);
    outcome.ok()
}

/// Runs a decoder. A panic ends the program: in a browser, a worker that does nothing else.
#[cfg(panic = "abort")]
pub(super) fn guarded<T>(decode: impl FnOnce() -> T) -> Option<T> {
    Some(decode())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_decoder_is_no_panic_of_the_caller() {
        assert_eq!(guarded(|| -> u8 { panic!("a damaged file") }), None);
        assert_eq!(guarded(|| 7), Some(7));
    }
}
