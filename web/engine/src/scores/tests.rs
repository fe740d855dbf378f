use super::*;
use protocol::Proportion;

fn score(what: &str, hits: usize, of: usize) -> ScoreLine {
    let share = hits as f64 / of as f64;
    ScoreLine {
        what: what.into(),
        pictures: PictureSet::Clean,
        attack: None,
        crafted_on: None,
        top1: Proportion { hits, of },
        top1_interval: [share - 0.01, share + 0.01],
        top5: Some(Proportion { hits: 2 * hits, of }),
    }
}

/// `family` names a menu's attack: its place there is told by its first letter.
fn attacked(family: &str, levels: f32, hits: usize) -> ScoreLine {
    let rank = ["FGSM", "BIM", "PGD", "noise"].iter().position(|name| family.starts_with(name)).unwrap();
    let steps = family.split('-').nth(1).map_or(1, |steps| steps.parse().unwrap());
    ScoreLine {
        attack: Some(AttackLine {
            family: family.into(),
            rank,
            steps,
            epsilon: levels,
            unit: EpsilonUnit::Levels,
            is_control: family == "noise",
        }),
        ..score(&format!("{family} at {levels}/255"), hits, 100)
    }
}

fn transferred(line: ScoreLine) -> ScoreLine {
    ScoreLine { crafted_on: Some("standard".into()), ..line }
}

fn info(scores: Vec<ScoreLine>) -> ModelInfo {
    ModelInfo {
        title: "Standard".into(),
        name: "standard".into(),
        architecture: "WRN-10-3".into(),
        parameters: 713_944,
        macs: 61_600_000,
        weights_bytes: 1_439_824,
        weights_sha256: "809a".into(),
        precision: "f16".into(),
        recipe: "normal".into(),
        mix: vec!["normal".into()],
        commands: vec!["bastion train".into()],
        data_sha256: "a2b6".into(),
        classes: 200,
        mean: [0.4802, 0.4481, 0.3975],
        std: [0.2764, 0.2689, 0.2816],
        scores,
        checks: None,
    }
}

fn networks(infos: &[ModelInfo]) -> Vec<Network<'_>> {
    let titles = ["Standard", "Hardened", "Third"];
    titles.into_iter().zip(infos).map(|(title, info)| Network { title, info }).collect()
}

#[test]
fn measurements_stand_side_by_side_under_their_protocols_weakest_first() {
    let augmented = ScoreLine { pictures: PictureSet::Augmented, ..score("augmented", 20, 100) };
    let fog = ScoreLine { pictures: PictureSet::Corrupted, ..score("fog 3", 12, 100) };
    let infos = [
        info(vec![
            attacked("PGD-10", 4.0, 2),
            fog,
            attacked("BIM-5", 8.0, 1),
            transferred(attacked("BIM-5", 4.0, 9)),
            attacked("noise", 4.0, 25),
            augmented,
            score("clean", 30, 100),
        ]),
        info(vec![score("clean", 22, 100), attacked("BIM-5", 8.0, 5), attacked("BIM-5", 4.0, 7)]),
    ];
    let sheet = Sheet::of(&networks(&infos));
    let titles: Vec<(&str, Vec<&str>)> = sheet
        .groups
        .iter()
        .map(|group| (group.protocol.name(), group.rows.iter().map(|row| row.title.as_str()).collect()))
        .collect();
    assert_eq!(
        titles,
        [
            ("no-attack", vec!["Clean", "Augmented", "Random noise at 4/255"]),
            ("white-box", vec!["BIM-5 at 4/255", "BIM-5 at 8/255", "PGD-10 at 4/255"]),
            ("transfer", vec!["BIM-5 at 4/255"]),
            ("corruptions", vec!["Fog 3"]),
        ]
    );
    let cells = |group: usize, row: usize| {
        let cells = &sheet.groups[group].rows[row].cells;
        cells.iter().map(|cell| cell.map(|cell| cell.top1.hits)).collect::<Vec<_>>()
    };
    assert_eq!(cells(0, 0), [Some(30), Some(22)]);
    assert_eq!(cells(1, 0), [None, Some(7)], "not measured on the first network");
    assert_eq!(cells(1, 1), [Some(1), Some(5)]);
    assert_eq!(cells(2, 0), [Some(9), None], "a transferred attack is no white-box one");
}

#[test]
fn scores_that_are_called_the_same_keep_a_row_each() {
    let infos =
        [info(vec![attacked("BIM-5", 4.0, 1), attacked("BIM-5", 4.0, 2)]), info(vec![attacked("BIM-5", 4.0, 3)])];
    let sheet = Sheet::of(&networks(&infos));
    let hits: Vec<Vec<Option<usize>>> = sheet.groups[0]
        .rows
        .iter()
        .map(|row| row.cells.iter().map(|cell| cell.map(|cell| cell.top1.hits)).collect())
        .collect();
    assert_eq!(hits, [vec![Some(1), Some(3)], vec![Some(2), None]]);
}

#[test]
fn cells_are_put_into_words() {
    let infos = [info(vec![score("clean", 2714, 10_000), attacked("FGSM", 4.0, 2)])];
    let sheet = Sheet::of(&networks(&infos));
    let clean = sheet.groups[0].rows[0].cells[0].unwrap();
    assert_eq!(
        [clean.top1_words(), clean.interval_words(), clean.top5_words().unwrap()],
        ["27.1%", "26.1–28.1%", "54.3%"].map(String::from)
    );
    assert_eq!((sheet.bar_end, sheet.pictures), (0.3, 10_000));
    assert!(sheet.caption().contains("10\u{202f}000 validation pictures"), "{}", sheet.caption());
    assert!(sheet.caption().contains("full bar is 30%"), "{}", sheet.caption());
}

#[test]
fn a_score_on_fewer_pictures_says_so_once() {
    let infos = [
        info(vec![score("clean", 2714, 10_000), attacked("FGSM", 4.0, 2), score("augmented", 3, 10)]),
        info(vec![score("clean", 2188, 10_000), attacked("FGSM", 4.0, 7), score("augmented", 2000, 10_000)]),
    ];
    let sheet = Sheet::of(&networks(&infos));
    let said = |group: usize, row: usize| {
        let row = &sheet.groups[group].rows[row];
        let here = row.cells.iter().flatten().map(|cell| sheet.fewer_here(row, cell).is_some()).collect::<Vec<_>>();
        (sheet.fewer(row), here)
    };
    assert_eq!(said(0, 0), (None, vec![false, false]));
    assert_eq!(said(0, 1), (None, vec![true, false]), "only of the first network");
    assert_eq!(said(1, 0), (Some("of 100 pictures".into()), vec![false, false]));
}

#[test]
fn what_needs_a_word_gets_one() {
    let plain = attacked("BIM-5", 4.0, 2);
    let mut paper = transferred(attacked("BIM-5", 0.2, 2));
    paper.what = "BIM-5 at 0.2 std, saved".into();
    paper.attack.as_mut().unwrap().unit = EpsilonUnit::Deviations;
    let jpeg = ScoreLine { pictures: PictureSet::Corrupted, ..score("jpeg compression 3", 1, 4) };
    let infos = [info(vec![plain, paper, jpeg])];
    let groups = Sheet::of(&networks(&infos)).groups;
    let words = |group: &Group| ["standard deviations", "8-bit"].map(|word| group.meaning().contains(word));
    assert_eq!(groups.iter().map(words).collect::<Vec<_>>(), [[false; 2], [true; 2], [false; 2]]);
    assert_eq!(groups[2].rows[0].title, "JPEG compression 3");
}

#[test]
fn a_network_without_scores_is_named_and_does_no_harm() {
    let infos = [info(vec![score("clean", 1, 4)]), info(Vec::new())];
    let sheet = Sheet::of(&networks(&infos));
    assert_eq!(sheet.unevaluated, ["Hardened"]);
    assert_eq!(sheet.groups[0].rows[0].cells[1], None);
    let none = [info(Vec::new()), info(Vec::new())];
    let sheet = Sheet::of(&networks(&none));
    assert_eq!((sheet.groups.len(), sheet.unevaluated.len()), (0, 2));
    assert_eq!(charts(&networks(&none)), []);
}

#[test]
fn only_white_box_is_called_robust() {
    let protocols =
        [Protocol::NoAttack, Protocol::WhiteBox, Protocol::Transfer("standard".into()), Protocol::Corruptions];
    let claims: Vec<bool> = protocols.iter().map(|it| it.meaning().contains("be called robust accuracy")).collect();
    assert_eq!(claims, [false, true, false, false]);
    assert!(protocols[2].title().contains("standard") && protocols[2].meaning().contains("standard"));
}

#[test]
fn an_attack_at_several_radii_is_a_curve_that_starts_at_the_clean_score() {
    let infos = [
        info(vec![
            score("clean", 30, 100),
            attacked("BIM-5", 8.0, 1),
            attacked("BIM-5", 4.000_001, 5),
            attacked("FGSM", 4.0, 8),
            transferred(attacked("BIM-5", 4.0, 12)),
        ]),
        info(vec![score("clean", 220, 1000), attacked("BIM-5", 4.0, 9)]),
        info(vec![score("clean", 1, 4)]),
    ];
    let charts = charts(&networks(&infos));
    let [bim] = charts.as_slice() else { panic!("one attack was measured at several radii: {charts:?}") };
    assert_eq!(bim.title, "BIM-5, white-box");
    let points = |line: &chart::Line| line.points.iter().map(|point| (point.epsilon, point.top1)).collect::<Vec<_>>();
    assert_eq!(bim.lines.len(), 2, "the third network was not attacked");
    assert_eq!(points(&bim.lines[0]), [(0.0, 0.3), (4.0, 0.05), (8.0, 0.01)]);
    assert_eq!(points(&bim.lines[1]), [(4.0, 0.09)], "the clean score is of other pictures");
    assert_eq!(
        bim.description(),
        "Standard: 30.0% without attack, 5.0% at 4/255, 1.0% at 8/255. Hardened: 9.0% at 4/255."
    );
}

#[test]
fn a_chart_stays_within_its_frame_and_its_names_apart() {
    let scores = |offset: usize| {
        let mut scores = vec![score("clean", 30 + offset, 100)];
        scores.extend([0.5, 1.0, 2.0, 4.0, 8.0, 16.0].map(|levels| attacked("PGD-10", levels, 2 + offset)));
        info(scores)
    };
    let infos = [scores(0), scores(0), scores(1)];
    let charts = charts(&networks(&infos));
    let plot = Plot::of(&charts[0], charts[0].highest());
    let [left, top, right, bottom] = plot.frame;
    for dot in plot.lines.iter().flat_map(|line| &line.dots) {
        assert!((left..=right).contains(&dot.x) && (top..=bottom).contains(&dot.y), "{dot:?}");
        assert!(dot.whisker[0] < dot.y && dot.y < dot.whisker[1], "{dot:?}");
    }
    let mut names: Vec<f64> = plot.lines.iter().map(|line| line.name_at[1]).collect();
    names.sort_by(f64::total_cmp);
    assert!(names.windows(2).all(|pair| pair[1] - pair[0] >= 14.9) && names[2] <= bottom, "{names:?}");
    let labels: Vec<&str> = plot.x_ticks.iter().map(|tick| tick.label.as_str()).collect();
    assert_eq!(labels, ["0", "", "", "2", "4", "8", "16"]);
    let y: Vec<&str> = plot.y_ticks.iter().map(|tick| tick.label.as_str()).collect();
    assert_eq!(y, ["0%", "10%", "20%", "30%", "40%"]);
    assert!(plot.lines[0].path.starts_with("M38.0 ") && plot.lines[0].path.matches('L').count() == 6);
}

#[test]
fn a_card_leaves_out_what_it_does_not_know() {
    let facts = |info: &ModelInfo| sections(info).into_iter().flat_map(|section| section.facts).collect::<Vec<_>>();
    let full = facts(&info(Vec::new()));
    let parameters = Fact { name: "Parameters", value: Value::Words("713\u{202f}944".into()) };
    assert!(full.contains(&parameters), "{full:?}");
    let operations =
        Fact { name: "Operations", value: Value::Words("62 million multiply-accumulates a picture".into()) };
    assert!(full.contains(&operations), "{full:?}");
    assert!(full.contains(&Fact { name: "Weights", value: Value::Words("1.4 MB, f16".into()) }));
    let bare = ModelInfo {
        recipe: String::new(),
        mix: Vec::new(),
        commands: Vec::new(),
        data_sha256: String::new(),
        ..info(Vec::new())
    };
    let missing: Vec<&str> =
        full.iter().map(|fact| fact.name).filter(|name| facts(&bare).iter().all(|fact| fact.name != *name)).collect();
    assert_eq!(missing, ["Recipe", "Data", "Data’s sha256", "Made by"]);
}

#[test]
fn a_card_says_what_its_recipe_means_and_how_often_the_network_is_wrong() {
    let said = |info: &ModelInfo, name: &str| {
        let mut facts = sections(info).into_iter().flat_map(|section| section.facts);
        match facts.find(|fact| fact.name == name).map(|fact| fact.value) {
            Some(Value::Words(words)) => words,
            other => panic!("{name}: {other:?}"),
        }
    };
    let measured = info(vec![score("clean", 30, 100), attacked("BIM-5", 4.0, 2), attacked("FGSM", 4.0, 7)]);
    assert!(
        said(&measured, "Recipe").starts_with("normal: pictures that are as they are"),
        "{}",
        said(&measured, "Recipe")
    );
    let mix = ["augmented", "pgd", "pgd"].map(str::to_owned).into();
    let mixed = said(&ModelInfo { mix, ..measured.clone() }, "Recipe");
    assert!(
        mixed.starts_with("normal: of each 3 pictures, one is disturbed") && mixed.contains("; 2 are att"),
        "{mixed}"
    );
    let limits = said(&measured, "Limitations");
    assert!(limits.contains("it knows 30.0%, and 2.0% under BIM-5 at 4/255 (white-box)"), "{limits}");
    assert!(said(&measured, "Data").contains("one’s own"), "another hash is another data set");
    let own = ModelInfo { recipe: "mine".into(), mix: Vec::new(), ..info(Vec::new()) };
    assert_eq!(said(&own, "Recipe"), "mine");
    assert!(!said(&own, "Limitations").contains('%'));
}

#[test]
fn the_headline_is_the_strongest_attack_that_all_networks_were_measured_with() {
    let infos = [
        info(vec![
            score("clean", 30, 100),
            attacked("FGSM", 4.0, 8),
            attacked("BIM-5", 4.0, 3),
            attacked("BIM-5", 8.0, 1),
            attacked("PGD-10", 4.0, 2),
        ]),
        info(vec![
            score("clean", 22, 100),
            attacked("FGSM", 4.0, 9),
            attacked("BIM-5", 4.0, 7),
            attacked("BIM-5", 8.0, 5),
        ]),
    ];
    let found = headline(&Sheet::of(&networks(&infos))).unwrap();
    assert_eq!(found.attack, "BIM-5 at 4/255", "PGD was not measured on both");
    let hits: Vec<_> = found.networks.iter().map(|it| (it.clean.top1.hits, it.attacked.top1.hits)).collect();
    assert_eq!(hits, [(30, 3), (22, 7)]);
    let fewer = ScoreLine { top1: Proportion { hits: 1, of: 10 }, ..attacked("BIM-5", 4.0, 1) };
    let targeted = ScoreLine { what: "BIM-5 at 4/255, targeted".into(), ..attacked("BIM-5", 4.0, 1) };
    for only in [fewer, targeted, transferred(attacked("BIM-5", 4.0, 1))] {
        let infos = [info(vec![score("clean", 30, 100), only])];
        assert_eq!(headline(&Sheet::of(&networks(&infos))), None);
    }
}

#[test]
fn what_is_drawn_holds_its_parts_and_no_markup_of_a_card() {
    let evil = ModelInfo {
        title: "<b>Bad</b>".into(),
        commands: vec!["bastion \"><script>alert(1)</script>".into()],
        recipe: "a<img src=x onerror=alert(2)>".into(),
        ..info(vec![
            score("clean", 30, 100),
            transferred(attacked("BIM-5", 4.0, 12)),
            attacked("BIM-5", 4.0, 5),
            attacked("BIM-5", 8.0, 1),
        ])
    };
    let other = info(vec![score("clean", 22, 100), attacked("BIM-5", 4.0, 7)]);
    let html = draw([&evil, &other]);
    assert!(["<b>", "<script", "<img"].iter().all(|markup| !html.contains(markup)), "{html}");
    assert!(html.contains("&lt;b&gt;Bad&lt;/b&gt;: model card"), "{html}");
    for part in [
        "scores-headline",
        "scores-no-attack",
        "scores-white-box",
        "scores-transfer",
        "score-curves",
        "card-left",
        "card-right",
        "30.0%",
        "60.0% in top 5",
        "not measured",
        "of 100 validation pictures",
    ] {
        assert!(html.contains(part), "no {part} in {html}");
    }
    // As many marks as the curves have points: the clean scores, and two radii and one.
    assert_eq!((html.matches("<circle").count(), html.matches("<rect").count()), (3, 2));
    let alone = draw([&evil, &info(Vec::new())]);
    assert!(alone.contains("Standard: not evaluated yet") && !alone.contains("scores-headline"), "{alone}");
    let neither = draw([&info(Vec::new()), &info(Vec::new())]);
    assert!(!neither.contains("<table") && !neither.contains("<svg"), "{neither}");
}

#[test]
fn a_card_counts_what_the_checks_found() {
    let item =
        |name: &str, passed| CheckLine { name: name.into(), figure: "0.2%".into(), limit: "at most 1%".into(), passed };
    let items = vec![item("zero gradients", Some(true)), item("noise", Some(true)), item("transfer", None)];
    let checks = Some(Checks { epsilon_255: 4.000_000_5, pictures: 1000, items: items.clone() });
    let last = sections(&ModelInfo { checks, ..info(Vec::new()) }).pop().unwrap();
    let [on, found] = last.facts.as_slice() else { panic!("{last:?}") };
    let Value::Words(words) = &on.value else { panic!("{on:?}") };
    assert!(words.contains("1\u{202f}000 validation pictures") && words.contains("at 4/255"), "{words}");
    assert!(words.ends_with("2 passed, 1 not measured."), "{words}");
    assert_eq!(found.value, Value::Checks(items));
    assert!(sections(&info(Vec::new())).iter().all(|section| section.title != last.title), "nobody has checked");
}
