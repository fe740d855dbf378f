use burn::module::{ModuleMapper, Param};
use clap::Parser;
use shared::image::SIDE;
use tempfile::TempDir;

use super::*;
use crate::epsilon::Epsilon;
use crate::models::tests::bundle;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    args: AttackArgs,
}

fn args(more: &[&str]) -> AttackArgs {
    Flags::parse_from(["attack", "dir/photo.jpg"].iter().chain(more)).args
}

/// Returns a picture with values in the middle of the range, so that no change is clipped.
fn picture() -> Picture {
    Picture::from_rgb8((0..SIDE * SIDE * 3).map(|i| 100 + (i * 7 % 50) as u8).collect()).unwrap()
}

/// Attacks two random networks of the same name.
fn attack_two(out: &TempDir, more: &[&str]) -> Result<Vec<ModelReport>> {
    let args = args(&[&["--out", out.path().to_str().unwrap()], more].concat());
    let device = Device::flex();
    let bundles = [bundle("a/b", 1, &device), bundle("a/b", 2, &device)];
    attack_all(&args, &args.chosen()?, &picture(), &bundles, &device, &Progress::silent())
}

fn names(dir: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(dir.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_written_picture_is_in_the_ball_and_is_what_is_judged() {
    for (attack, epsilon, steps) in
        [("fgsm", "2/255", 2), ("bim", "0.03", 7), ("pgd", "8/255", 8), ("noise", "4/255", 4)]
    {
        let dir = TempDir::new().unwrap();
        let reports = attack_two(&dir, &["--attack", attack, "--epsilon", epsilon]).unwrap();
        assert_eq!(reports.len(), 2);
        for (report, seed) in reports.iter().zip([1, 2]) {
            let written = read_picture(&report.attacked).unwrap();
            let pairs = written.as_rgb8().iter().zip(picture().as_rgb8().to_vec());
            let largest = pairs.map(|(to, from)| to.abs_diff(from)).max().unwrap();
            assert!(largest > 0 && largest <= steps, "{attack}: {largest}");
            assert!((report.linf * 255.0 - f32::from(largest)).abs() < 1e-3);
            assert!(report.l2 > report.linf);

            let device = Device::flex();
            let again = models::classify(&bundle("a/b", seed, &device), &[written], 5, &device).unwrap();
            assert_eq!(again[0], report.after);
            assert_eq!(report.success, report.after[0].index != report.before[0].index);
        }
    }
}

#[test]
fn in_l2_the_written_picture_is_in_the_ball_too() {
    let dir = TempDir::new().unwrap();
    for more in [&["--epsilon", "2"][..], &["--epsilon", "0.5", "--restarts", "2"]] {
        let flags = [&["--attack", "pgd-l2", "--steps", "4"], more].concat();
        let epsilon: f32 = more[1].parse().unwrap();
        for report in attack_two(&dir, &flags).unwrap() {
            assert!(report.l2 <= epsilon + 1e-5 && report.l2 > 0.9 * epsilon, "{epsilon}: {}", report.l2);
            assert!(report.attacked.to_string_lossy().contains(&format!("pgd-l2-eps{epsilon}")));
        }
    }
}

#[test]
fn a_smallest_change_fools_in_the_written_picture_too() {
    for attack in ["deepfool", "ddn"] {
        let dir = TempDir::new().unwrap();
        for report in attack_two(&dir, &["--attack", attack, "--steps", "20"]).unwrap() {
            assert!(report.success && report.l2 > 0.0 && report.l2 < 3.0, "{attack}: {}", report.l2);
        }
    }
    // Far too near to fool.
    let dir = TempDir::new().unwrap();
    for report in attack_two(&dir, &["--attack", "ddn", "--steps", "3", "--epsilon", "0.01"]).unwrap() {
        assert!(!report.success && report.l2 <= 0.01, "{}", report.l2);
    }
}

#[test]
fn as_many_pixels_change_as_are_allowed() {
    let dir = TempDir::new().unwrap();
    for report in attack_two(&dir, &["--attack", "one-pixel", "--epsilon", "3", "--steps", "1"]).unwrap() {
        assert!((1..=3).contains(&report.pixels), "{}", report.pixels);
        assert!(report.attacked.to_string_lossy().contains("one-pixel-eps3"), "{}", report.attacked.display());
    }
}

#[test]
fn a_target_becomes_likelier() {
    let dir = TempDir::new().unwrap();
    for target in ["n00000002", "2", "Class 2", "second name 2"] {
        let reports = attack_two(&dir, &["--target", target, "--steps", "3", "--force"]).unwrap();
        for report in reports {
            let of = |guesses: &[Guess]| guesses.iter().find(|guess| guess.index == 2).unwrap().probability;
            assert!(of(&report.after) > of(&report.before));
            assert_eq!(report.success, report.after[0].index == 2 && report.before[0].index != 2);
        }
    }
}

#[test]
fn models_of_one_name_do_not_share_a_file() {
    let dir = TempDir::new().unwrap();
    attack_two(&dir, &["--attack", "fgsm"]).unwrap();
    let expected = [
        "photo-a_b-2-fgsm-eps4-side-by-side.png",
        "photo-a_b-2-fgsm-eps4.png",
        "photo-a_b-fgsm-eps4-side-by-side.png",
        "photo-a_b-fgsm-eps4.png",
    ];
    assert_eq!(names(&dir), expected);
}

#[test]
fn names_in_any_script_keep_their_letters_and_are_kept_apart() {
    let names = |names: &[&str]| file_names(names.iter().copied());
    assert_eq!(names(&["标准", "加固"]), ["标准", "加固"]);
    assert_eq!(names(&["Größe", "größe", "GRÖSSE"]), ["Größe", "größe-2", "GRÖSSE"]);
    assert_eq!(names(&["a b", "a/b", "a:b", "A_B"]), ["a_b", "a_b-2", "a_b-3", "A_B-4"]);
    assert_eq!(names(&["a", "a", "a-2", "A-2"]), ["a", "a-2", "a-2-2", "A-2-3"]);
    assert_eq!(names(&["😀", "🙂"]), ["_", "_-2"]);
}

/// Logits so far apart that the loss is exactly zero, and its gradient too.
#[test]
fn a_network_that_is_too_sure_for_a_gradient_is_not_said_to_hold() {
    struct Surer;

    impl ModuleMapper for Surer {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if D == 2 { param.map(|weights| weights * 1e6) } else { param }
        }
    }

    let dir = TempDir::new().unwrap();
    let args = args(&["--out", dir.path().to_str().unwrap()]);
    let device = Device::flex();
    let ordinary = bundle("ordinary", 1, &device);
    let mut sure = bundle("sure", 1, &device);
    sure.model = sure.model.map(&mut Surer);
    let chosen = args.chosen().unwrap();
    let models = attack_all(&args, &chosen, &picture(), &[ordinary, sure], &device, &Progress::silent()).unwrap();
    assert_eq!(models.iter().map(|model| model.had_gradient).collect::<Vec<_>>(), [true, false]);
    assert!(!models[1].success);
    let report = Report { device: "CPU", image: &args.image, attack: &chosen.config, restarts: 1, models };
    assert_eq!(text(&report).matches("there was no gradient to follow").count(), 1, "{}", text(&report));
}

#[test]
fn a_target_that_is_there_already_is_no_success() {
    let dir = TempDir::new().unwrap();
    let first = attack_two(&dir, &["--attack", "fgsm"]).unwrap()[0].before[0].index.to_string();
    let more = ["--attack", "fgsm", "--epsilon", "0", "--target", &first, "--force"];
    assert!(!attack_two(&dir, &more).unwrap()[0].success);
}

#[test]
fn pictures_are_replaced_only_by_force_and_another_epsilon_has_another_name() {
    let dir = TempDir::new().unwrap();
    attack_two(&dir, &["--attack", "fgsm"]).unwrap();
    attack_two(&dir, &["--attack", "fgsm", "--epsilon", "0.03"]).unwrap();
    assert_eq!(names(&dir).len(), 8);
    assert!(names(&dir).contains(&"photo-a_b-fgsm-eps7.65.png".to_string()));
    attack_two(&dir, &["--attack", "fgsm", "--target", "2"]).unwrap();
    assert!(names(&dir).contains(&"photo-a_b-fgsm-eps4-to-Class_2.png".to_string()));
    let error = attack_two(&dir, &["--attack", "fgsm"]).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("photo-a_b-fgsm-eps4.png is there already: give --force"), "{error}");
    attack_two(&dir, &["--attack", "fgsm", "--force"]).unwrap();
}

#[test]
fn defaults_are_those_of_every_command() {
    assert_eq!(args(&["--out", "x"]).chosen().unwrap().config, AttackConfig::bim(Epsilon::default().value(), 5));
    for (attack, steps) in [("fgsm", 1), ("bim", 5), ("pgd", 20), ("noise", 0)] {
        assert_eq!(args(&["--out", "x", "--attack", attack]).chosen().unwrap().config.steps, steps);
    }
}

#[test]
fn what_cannot_be_meant_is_a_usage_error_and_writes_nothing() {
    let dir = TempDir::new().unwrap();
    for (more, says) in [
        (&["--target", "unicorn"][..], "'unicorn' is not a class of the model a/b"),
        (&["--target", "name"], "perhaps Class 0 (n00000000)"),
        (&["--target", "7"], "index from 0 to 4"),
        (&["--attack", "fgsm", "--steps", "5"], "fgsm takes one step"),
        (&["--attack", "noise", "--steps", "5"], "noise takes no steps"),
        (&["--attack", "noise", "--step-size", "1/255"], "noise takes no steps"),
        (&["--attack", "noise", "--target", "2"], "noise is aimed at nothing"),
    ] {
        let error = attack_two(&dir, more).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.downcast_ref::<UsageError>().is_some(), "{error}");
    }
    assert!(names(&dir).is_empty());
}
