//! `bastion explain` as users run it.

use shared::explanation::MapCheck;

use super::*;

#[test]
fn a_picture_is_explained_in_words_figures_and_numbers() {
    let dir = with_model();
    let args = ["explain", "disc.png", "--model", "model", "--attack", "bim", "--epsilon", "8/255", "--out", "out"];
    let text = stdout(&dir, &args);
    for words in ["disc.png: BIM, epsilon 8/255", "The network random answers", "layer3"] {
        assert!(text.contains(words), "'{words}' is not in: {text}");
    }
    assert!(!text.contains("cells the evidence for"), "maps that were not checked are put into words: {text}");
    for file in ["disc-random.png", "disc-maps.png", "explain.json"] {
        assert!(dir.path().join("out").join(file).is_file(), "{file}");
    }
    let report: Value = serde_json::from_slice(&fs::read(dir.path().join("out/explain.json")).unwrap()).unwrap();
    let model = &report["models"][0];
    let number = |value: &Value| value.as_f64().unwrap();
    let evidence = &model["facts"]["evidence"];
    let cells: f64 = evidence["cells"].as_array().unwrap().iter().map(number).sum();
    let ratio = (number(&model["before"][0]["probability"]) / number(&model["before"][1]["probability"])).ln();
    assert!((cells + number(&evidence["bias"]) - ratio).abs() < 1e-3, "{cells} {ratio}");
    assert!(number(&model["attacked"]["linf"]) <= 8.0 / 255.0 + 1e-6);
    assert!(number(&model["stages"][0]["change"]) > 0.0);
    assert_fails(&dir, &args, 1, "give --force to replace it");
    // Once a check has found that the maps can be believed, words say what they show.
    let mut checks = vec![MapCheck {
        method: "cam".into(),
        images: 100,
        depends_on_network: true,
        above_gaussian: 0.1,
        interval: Some(0.05),
    }];
    for (above, said) in [(0.1, true), (0.01, false)] {
        checks[0].above_gaussian = above;
        trainer::models::save_explanations(&dir.path().join("model"), checks.clone()).unwrap();
        let text = stdout(&dir, &[&args[..], &["--force"]].concat());
        assert_eq!(text.contains("cells the evidence for"), said, "{text}");
    }
}

#[test]
fn a_class_and_a_method_are_chosen_and_nothing_is_written_without_a_folder() {
    let dir = with_model();
    let base = ["explain", "disc.png", "--model", "model", "--attack", "none", "--json"];
    let before = fs::read_dir(dir.path()).unwrap().count();
    for (method, cells) in [("cam", 4), ("grad-cam", 8), ("smooth-gradient", 64)] {
        let report = json(&dir, &[&base[..], &["--method", method, "--class", "2"]].concat());
        let model = &report["models"][0];
        assert_eq!(model["map"]["height"], cells, "{method}");
        assert_eq!(model["class"].as_str(), made::class_name(2).split(',').next());
        assert_eq!((&model["attacked"], &report["attack"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), before);
}

#[test]
fn methods_are_checked_and_mistakes_are_named() {
    let dir = with_model();
    let output =
        run(&dir, &["explain", "--check", "--made", "--limit", "2", "--model", "model", "--json", "--out", "out"]);
    let message = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let failed = report["failed"].as_u64().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(failed > 0)), "{message}");
    assert_eq!(failed + report["passed"].as_u64().unwrap() + report["without_words"].as_u64().unwrap(), 9);
    assert_eq!(report["models"][0]["areas"][4]["order"], "centred Gaussian");
    assert!(dir.path().join("out/explain-check.json").is_file());

    assert_fails(&dir, &["explain", "--model", "model"], 2, "IMAGE");
    assert_fails(&dir, &["explain", "disc.png", "--check"], 2, "cannot be used with");
    assert_fails(&dir, &["explain", "--check", "--attack", "bim"], 2, "cannot be used with");
    assert_fails(&dir, &["explain", "disc.png", "--limit", "3"], 2, "--check");
    assert_fails(&dir, &["explain", "disc.png", "--method", "guided"], 2, "cam, grad-cam, smooth-gradient");
    assert_fails(
        &dir,
        &["explain", "disc.png", "--model", "model", "--class", "unicorn"],
        2,
        "'unicorn' is not a class",
    );
    assert_fails(&dir, &["explain", "disc.png", "--attack", "bim,pgd"], 2, "one attack with one radius");
    assert_fails(&dir, &["explain", "absent.png", "--model", "model"], 1, "absent.png");
    assert_fails(&dir, &["explain", "--check", "--data", "absent", "--model", "model"], 1, "absent");
}
