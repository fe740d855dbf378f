//! The page's main thread.

fn main() {
    page::app::start();
}
