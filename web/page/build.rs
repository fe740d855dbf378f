//! Says in `BASTION_LOCAL_SAMPLES` whether there are samples that git ignores, so that the page asks for their list only where
//! there is one.

use std::path::Path;

/// The folder of the gallery, and the list of what may be added to it: see `bastion export --samples`.
const SAMPLES: &str = "../../static/samples";
const LOCAL_LIST: &str = "../../static/samples/local/index.json";

fn main() {
    // The folder, which is always there: cargo would run this each time for the sake of a list that is not.
    println!("cargo::rerun-if-changed={SAMPLES}");
    println!("cargo::rustc-env=BASTION_LOCAL_SAMPLES={}", Path::new(LOCAL_LIST).exists());
}
