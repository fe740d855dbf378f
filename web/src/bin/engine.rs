//! The Web Worker that computes.

fn main() {
    web::engine::start();
}
