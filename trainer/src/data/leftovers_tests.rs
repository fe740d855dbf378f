//! Data sets as people have them: with what systems leave behind, marks before texts, backslashes and links.

use std::fs;
use std::io::Write;
use std::path::Path;

use tempfile::TempDir;

use super::layout::RawPicture;
use super::made::{self, Made, MadeFile};
use super::{Dataset, ImportOptions};
use crate::progress::{Progress, Stop};

const MADE: Made = Made { classes: 3, train_per_class: 4, val_per_class: 2, seed: 5 };

fn import(path: &Path) -> anyhow::Result<String> {
    let out = TempDir::new().unwrap();
    let out = out.path().join("out");
    super::import(path, &out, ImportOptions::default(), &Progress::silent(), &Stop::default())?;
    Ok(Dataset::load(&out)?.sha256)
}

fn import_bytes(bytes: &[u8]) -> anyhow::Result<String> {
    let dir = TempDir::new().unwrap();
    import(&made::write_file(dir.path(), "archive", bytes).unwrap())
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Imports `files` as a folder and as each kind of archive, and checks that all give the set `expected`.
#[track_caller]
fn assert_imported_in_every_form(files: &[MadeFile], expected: &str) {
    let folder = TempDir::new().unwrap();
    made::write_folder(&folder.path().join("top"), files).unwrap();
    assert_eq!(import(folder.path()).unwrap(), expected, "a folder above it");
    assert_eq!(import(&folder.path().join("top")).unwrap(), expected, "a folder");
    let tar = made::tar("top", files).unwrap();
    for (form, bytes) in [
        ("tar.gz", gz(&tar)),
        ("tar.zst", made::tar_zst("top", files).unwrap()),
        ("zip", made::zip("top", files).unwrap()),
        ("tar", tar),
    ] {
        assert_eq!(import_bytes(&bytes).unwrap(), expected, "{form}");
    }
}

fn clean() -> (Vec<MadeFile>, String) {
    let files = MADE.files().unwrap();
    let sha256 = import_bytes(&made::zip("", &files).unwrap()).unwrap();
    (files, sha256)
}

#[test]
fn what_systems_leave_behind_is_passed_over_in_every_form() {
    let (mut files, expected) = clean();
    for place in ["", "train/", "train/n90000000/", "train/n90000000/images/", "val/", "val/images/"] {
        for left in [
            ".DS_Store",
            "._val_0.JPEG",
            "Thumbs.db",
            "thumbs.db",
            "ehthumbs.db",
            "desktop.ini",
            "Icon\r",
            ".directory",
            "val_0.JPEG~",
            "val_0.JPEG:Zone.Identifier",
            ".git/config",
            "@eaDir/val_0.JPEG/SYNOFILE_THUMB_M.jpg",
            "__MACOSX/train/n90000000/images/._n90000000_0.JPEG",
            ".Trashes/501/wnids.txt",
            ".Spotlight-V100/store.db",
            ".fseventsd/fseventsd-uuid",
            "$RECYCLE.BIN/desktop.ini",
            "System Volume Information/IndexerVolumeGuid",
            "lost+found/wnids.txt",
            ".ipynb_checkpoints/wnids.txt",
            ".ipynb_checkpoints/images/a.JPEG",
        ] {
            files.push((format!("{place}{left}"), b"left behind".to_vec()));
        }
    }
    assert_imported_in_every_form(&files, &expected);
}

#[test]
fn marks_and_line_ends_of_windows_change_nothing() {
    let (files, expected) = clean();
    let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    type Write<'a> = &'a dyn Fn(&str) -> Vec<u8>;
    let writings: [Write<'_>; 3] = [
        &|text| format!("\u{feff}{}", text.replace('\n', "\r\n")).into_bytes(),
        &|text| utf16(&format!("\u{feff}{}", text.replace('\n', "\r\n")), u16::to_le_bytes),
        &|text| utf16(&format!("\u{feff}{text}"), u16::to_be_bytes),
    ];
    for write in writings {
        let mut files = files.clone();
        for (path, bytes) in files.iter_mut().filter(|(path, _)| path.ends_with(".txt")) {
            *bytes = write(std::str::from_utf8(bytes).unwrap_or_else(|_| panic!("{path}")));
        }
        assert_imported_in_every_form(&files, &expected);
    }
}

#[test]
fn paths_with_backslashes_are_paths() {
    let (files, expected) = clean();
    let files: Vec<MadeFile> =
        files.into_iter().map(|(path, bytes)| (format!("tiny/{path}").replace('/', "\\"), bytes)).collect();
    // Each file lies in one folder, with the whole path as its name, where a program unpacked it so.
    assert_imported_in_every_form(&files, &expected);
}

#[cfg(unix)]
#[test]
fn links_beside_the_set_are_passed_over_and_those_in_it_are_followed() {
    use std::os::unix::fs::symlink;

    let (files, expected) = clean();
    let dir = TempDir::new().unwrap();
    made::write_folder(dir.path(), &files).unwrap();
    for (name, to) in
        [("test", "/nowhere"), ("README", "/nowhere"), ("train-old", "/nowhere"), ("loop", "."), ("x.txt", "/")]
    {
        symlink(to, dir.path().join(name)).unwrap();
    }
    symlink("..", dir.path().join("train/n90000000/up")).unwrap();
    symlink(".", dir.path().join("val/images/again")).unwrap();
    // A picture and a folder on another disk.
    for moved in ["train/n90000001", "val/images/val_0.JPEG"] {
        let away = dir.path().join(moved.replace('/', "-"));
        fs::rename(dir.path().join(moved), &away).unwrap();
        symlink(&away, dir.path().join(moved)).unwrap();
    }
    assert_eq!(import(dir.path()).unwrap(), expected);
    fs::remove_file(dir.path().join("val-images-val_0.JPEG")).unwrap();
    let error = format!("{:#}", import(dir.path()).unwrap_err());
    assert!(error.contains("val_0.JPEG"), "{error}");
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_refused_at_once() {
    let dir = TempDir::new().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [&pipe, Path::new("/dev/zero")] {
        let error = format!("{:#}", import(path).unwrap_err());
        assert!(error.contains("is a pipe or a device") && error.contains("save"), "{error}");
    }
}

/// The bytes of thousands of files of a megabyte would not fit into memory; what they decode to does.
#[test]
fn a_large_file_is_decoded_at_once_and_let_go() {
    assert!(matches!(RawPicture::new(vec![0; 1 << 20]), RawPicture::Decoded(Err(_))));
    assert!(matches!(RawPicture::new(made::png(64, 64, made::picture(0, 1)).unwrap()), RawPicture::Encoded(_)));
    let noise = (0..64 * 64 * 3_u32).map(|k| (k.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<u8>>();
    let mut large = made::png(64, 64, noise.clone()).unwrap();
    large.resize(1 << 20, 0);
    let RawPicture::Decoded(Ok(picture)) = RawPicture::new(large) else { panic!("not decoded") };
    assert_eq!(picture.as_rgb8(), noise);
}
