//! Imported data sets that are damaged, moved or of numbers that cannot be.

use super::*;

fn change(dir: &TempDir, file: &str, change: impl Fn(&mut Vec<u8>)) {
    let path = dir.path().join("data").join(file);
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Replaces the text behind `key` in `meta.json` by as much other text.
fn change_meta(dir: &TempDir, key: &str, to: &str) {
    change(dir, "meta.json", |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let start = text.find(key).unwrap() + key.len();
        *bytes = format!("{}{to}{}", &text[..start], &text[start + to.len()..]).into_bytes();
    });
}

#[test]
fn a_damaged_data_set_is_noticed_before_training_and_evaluation() {
    let dir = with_data();
    succeeds(&dir, &small_run("5", &[]));
    let meta = fs::read(dir.path().join("data/meta.json")).unwrap();
    type Damage<'a> = (&'a str, &'a dyn Fn(&TempDir), &'a str);
    let flip = |bytes: &mut Vec<u8>| bytes[77] ^= 1;
    // A label that is another class of the set.
    let relabel = |bytes: &mut Vec<u8>| bytes[0] ^= 1;
    let damages: [Damage<'_>; 6] = [
        ("train", &|dir| change(dir, "train.rgb8", flip), "train.rgb8 is damaged"),
        ("train", &|dir| change(dir, "train.labels.u16le", relabel), "train.labels.u16le is damaged"),
        ("both", &|dir| change(dir, "val.rgb8", flip), "val.rgb8 is damaged"),
        ("both", &|dir| change(dir, "val.labels.u16le", relabel), "val.labels.u16le is damaged"),
        ("both", &|dir| change_meta(dir, "\n  \"sha256\": \"", "00000000"), "meta.json is damaged"),
        ("both", &|dir| change_meta(dir, "\"name\": \"", "xxx"), "meta.json is damaged"),
    ];
    for (by, damage, says) in damages {
        let kept: Vec<_> = fs::read_dir(dir.path().join("data")).unwrap().map(|entry| entry.unwrap().path()).collect();
        let kept: Vec<_> = kept.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        damage(&dir);
        let train =
            ["train", "--run", "other", "--steps", "5", "--batch-size", "8", "--width", "1", "--image-size", "32"];
        fails(&dir, &train, 1, &[says, "import the data set again with --force"]);
        assert!(!dir.path().join("other").exists());
        if by == "both" {
            fails(&dir, &["evaluate", "--model", "run", "--attack", "none"], 1, &[says]);
        }
        fails(&dir, &["data", "subset", "--per-class", "2", "--out", "part"], 1, &[says]);
        kept.into_iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    }
    assert_eq!(fs::read(dir.path().join("data/meta.json")).unwrap(), meta);
    succeeds(&dir, &["evaluate", "--model", "run", "--attack", "none"]);
}

#[test]
fn numbers_that_no_disk_holds_are_damage() {
    let dir = with_data();
    for images in ["1152921504606846976", "18446744073709551615"] {
        change(&dir, "meta.json", |bytes| {
            let text = String::from_utf8(bytes.clone()).unwrap();
            let start = text.find("\"images\": ").unwrap() + 10;
            let end = start + text[start..].find(',').unwrap();
            *bytes = format!("{}{images}{}", &text[..start], &text[end..]).into_bytes();
        });
        for args in [&["data", "info"][..], &["data", "info", "--verify"], &small_run("5", &[])] {
            fails(&dir, args, 1, &["meta.json is damaged"]);
        }
        fails(&dir, &["data", "subset", "--per-class", "2", "--out", "part"], 1, &["meta.json is damaged"]);
    }
}

#[test]
fn a_data_set_that_was_moved_or_replaced_is_asked_for() {
    let dir = with_data();
    stop_after_a_round(&dir, &small_run("100000", &[]));
    fs::rename(dir.path().join("data"), dir.path().join("moved")).unwrap();
    fails(&dir, &["train", "--resume", "run"], 1, &["there is no imported data set in", "say with --data where it is"]);
    stop_after_a_round(&dir, &["train", "--resume", "run", "--data", "moved"]);
}

#[test]
fn more_held_out_pictures_than_there_are_is_told() {
    let dir = with_data();
    let mut args = small_run("5", &[]);
    let place = args.iter().position(|arg| *arg == "--held-out").unwrap();
    args[place + 1] = "100000";
    let told = succeeds(&dir, &args);
    assert!(
        told.contains("warning: held-out 100000 is more than half") && told.contains("6 of the smallest"),
        "{told}"
    );
}
