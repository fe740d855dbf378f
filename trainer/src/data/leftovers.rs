//! What systems and programs leave behind in folders and archives: passed over, wherever it is.

/// Names of files and folders, in lower case; those that begin with a dot need no mention.
const NAMES: [&str; 24] = [
    // macOS, which ends the name of the file with a folder's icon by a carriage return
    "__macosx",
    "icon\r",
    "desktop db",
    "desktop df",
    "temporary items",
    "network trash folder",
    // Windows
    "thumbs.db",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    "folder.jpg",
    "$recycle.bin",
    "recycler",
    "recycled",
    "system volume information",
    "found.000",
    // Linux
    "lost+found",
    "nohup.out",
    // storage in the network: Synology, QNAP
    "@eadir",
    "@tmp",
    "@recycle",
    "@__thumb",
    "#recycle",
    "#snapshot",
];

/// Returns whether a file or folder is such a leftover.
pub fn is_leftover(name: &str) -> bool {
    let lower = name.to_lowercase();
    lower.starts_with('.')
        || lower.starts_with("~$")
        || (lower.starts_with('#') && lower.ends_with('#'))
        || lower.ends_with('~')
        || NAMES.contains(&lower.as_str())
        // What Linux makes of Windows' streams beside a file: `photo.jpg:Zone.Identifier`, `Thumbs.db:encryptable`.
        || lower.split_once(':').is_some_and(|(_, stream)| matches!(stream, "zone.identifier" | "encryptable"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_systems_leftovers_are_known_and_pictures_are_none() {
        let left = [
            ".DS_Store",
            "._val_0.JPEG",
            ".localized",
            ".Spotlight-V100",
            ".Trashes",
            ".fseventsd",
            ".git",
            ".directory",
            "__MACOSX",
            "Icon\r",
            "Thumbs.db",
            "THUMBS.DB",
            "ehthumbs.db",
            "desktop.ini",
            "Desktop.ini",
            "$RECYCLE.BIN",
            "System Volume Information",
            "lost+found",
            "@eaDir",
            "val_0.JPEG~",
            "val_0.JPEG:Zone.Identifier",
            ".",
        ];
        assert_eq!(left.iter().find(|name| !is_leftover(name)), None);
        for name in ["val_0.JPEG", "n01443537", "images", "train", "wnids.txt", "a~b.JPEG", "Icon.JPEG", "@home"] {
            assert!(!is_leftover(name), "{name}");
        }
    }
}
