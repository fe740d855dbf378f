//! The page's main thread.

fn main() {
    web::app::start();
}
