//! The engine for browsers with a graphics adapter. Built with feature `webgpu`; the CPU is there too, to be measured beside it.

fn main() {
    engine::run();
}
