//! The engine for browsers without a graphics adapter, and for visitors who choose the CPU: without the GPU's compilers, so that
//! the first answer is sooner there.

fn main() {
    engine::run();
}
