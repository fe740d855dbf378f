//! Bastion's page: what runs on the browser's main thread.
//!
//! - [`app`] is the view, and nothing that computes.
//! - [`state`] is all that the view shows, changed by a reducer that knows no browser and is tested natively.
//! - [`text`] puts numbers into words.
//! - [`pictures`] and [`lines`] compute what is drawn: changes of pictures, and small charts.
//! - [`json`] writes the report of a run.
//!
//! What browser tests find elements by is listed in `docs/page-test-ids.md`.

pub mod app;
pub mod json;
pub mod lines;
pub mod pictures;
pub mod state;
pub mod text;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Returns the values of `data-testid` in a folder of sources, but for those that are put together.
    fn test_ids(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let of_entry = |path: std::path::PathBuf| {
            if path.is_dir() {
                return test_ids(&path);
            }
            let source = fs::read_to_string(path).unwrap();
            let found = source.split(" data-testid=\"").skip(1);
            found.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
        };
        entries.flat_map(of_entry).collect()
    }

    #[test]
    fn every_test_id_is_in_the_list() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let list = fs::read_to_string(root.join("../../docs/page-test-ids.md")).unwrap();
        let ids = test_ids(&root.join("src/app"));
        assert!(ids.len() > 40, "{ids:?}");
        for id in ids {
            assert!(list.contains(&format!("`{id}`")), "docs/page-test-ids.md says nothing of {id}");
        }
    }
}
