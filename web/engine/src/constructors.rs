//! Runs the program's static constructors, once.
//!
//! burn's kernels register themselves by some five thousand of them (`inventory`). Where no object of a program names
//! `__wasm_call_ctors`, the linker takes the program for a command that is started anew by each call from outside, and makes
//! every export run all of them first: 0.3 ms for each `malloc` from JavaScript, most of the engine's own time on WebGPU.
//! `inventory`'s documentation has the remedy: naming the function, and calling it at the start.
#![allow(unsafe_code, reason = "a function that the linker makes can be declared in no other way")]

/// Registers what the dependencies register. Called once, before anything else.
#[cfg(target_family = "wasm")]
pub(crate) fn run() {
    unsafe extern "C" {
        fn __wasm_call_ctors();
    }
    // SAFETY: The linker defines this function, of no arguments and no result, in every program that names it. It has to run
    // before any constructed value is read, and once: `main` calls it first and nowhere else.
    unsafe { __wasm_call_ctors() }
}

/// Does nothing: natively the loader has run them.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn run() {}
