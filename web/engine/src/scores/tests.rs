use serde_json::json;
use terms::attack::ensemble::autoattack;
use terms::attack::{AttackConfig, AttackKind, Goal, Norm};
use terms::card::{CheckItem, Checks, Class, FORMAT_VERSION, Precision, Probe, Recipe, Weights};
use terms::corruption::{Corruption, Severity};
use terms::metrics::Proportion;
use terms::model::{Architecture, WideResNetConfig};
use terms::score::{ImageSet, Score};

use super::*;

fn score(set: ImageSet, hits: usize, of: usize) -> Score {
    let share = hits as f64 / of as f64;
    Score {
        set,
        attack: None,
        then: vec![],
        left: vec![],
        goal: Goal::Untargeted,
        restarts: 1,
        until_fooled: false,
        crafted_on: None,
        crafted_sha256: None,
        top1: Proportion { hits, of },
        top1_interval: [share - 0.01, share + 0.01],
        top5: Proportion { hits: 2 * hits, of },
        hits_at: Vec::new(),
        success: None,
        median_linf: None,
        median_l2: None,
        smallest: None,
        no_gradient: 0,
    }
}

fn clean(hits: usize, of: usize) -> Score {
    score(ImageSet::Validation, hits, of)
}

fn augmented(hits: usize, of: usize) -> Score {
    score(ImageSet::Augmented, hits, of)
}

fn corrupted(corruption: Corruption, hits: usize, of: usize) -> Score {
    score(ImageSet::Corrupted { corruption, severity: Severity::ALL[2] }, hits, of)
}

/// `name` is that of an attack, with the number of its steps where it takes any: `BIM-5`.
fn attacked(name: &str, levels: f32, hits: usize) -> Score {
    let (kind, steps) = name.split_once('-').unwrap_or((name, "1"));
    let kind: AttackKind = kind.to_lowercase().parse().unwrap();
    Score { attack: Some(AttackConfig::new(kind, levels / 255.0, steps.parse().unwrap())), ..clean(hits, 100) }
}

fn transferred(score: Score) -> Score {
    Score { crafted_on: Some("standard".into()), ..score }
}

fn card(scores: Vec<Score>) -> Card {
    let class = |class| Class { wnid: format!("n{class:08}"), name: format!("class {class}") };
    Card {
        format_version: FORMAT_VERSION,
        name: "standard".into(),
        architecture: Architecture::WideResNet(WideResNetConfig::new(10, 3)),
        mean: [0.4802, 0.4481, 0.3975],
        std: [0.2764, 0.2689, 0.2816],
        weights: Weights {
            file: "model.safetensors".into(),
            precision: Precision::F16,
            sha256: "809a".into(),
            bytes: 1_439_824,
            parts: Vec::new(),
        },
        recipe: Recipe {
            name: "normal".into(),
            commands: vec!["bastion train".into()],
            config: json!({ "mix": ["normal"] }),
        },
        data_sha256: "a2b6".into(),
        scores,
        checks: None,
        detectors: vec![],
        explanations: vec![],
        cost: None,
        probe: Probe::default(),
        classes: (0..200).map(class).collect(),
    }
}

fn networks(cards: &[Card]) -> Vec<Network<'_>> {
    let titles = ["Standard", "Hardened", "Third"];
    titles.into_iter().zip(cards).map(|(title, card)| Network { title, card }).collect()
}

#[test]
fn measurements_stand_side_by_side_under_their_protocols_weakest_first() {
    let fog = corrupted(Corruption::Fog, 12, 100);
    let cards = [
        card(vec![
            attacked("PGD-10", 4.0, 2),
            fog,
            attacked("BIM-5", 8.0, 1),
            transferred(attacked("BIM-5", 4.0, 9)),
            attacked("noise", 4.0, 25),
            augmented(20, 100),
            clean(30, 100),
        ]),
        card(vec![clean(22, 100), attacked("BIM-5", 8.0, 5), attacked("BIM-5", 4.0, 7)]),
    ];
    let sheet = Sheet::of(&networks(&cards));
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
    let cards =
        [card(vec![attacked("BIM-5", 4.0, 1), attacked("BIM-5", 4.0, 2)]), card(vec![attacked("BIM-5", 4.0, 3)])];
    let sheet = Sheet::of(&networks(&cards));
    let hits: Vec<Vec<Option<usize>>> = sheet.groups[0]
        .rows
        .iter()
        .map(|row| row.cells.iter().map(|cell| cell.map(|cell| cell.top1.hits)).collect())
        .collect();
    assert_eq!(hits, [vec![Some(1), Some(3)], vec![Some(2), None]]);
}

#[test]
fn cells_are_put_into_words() {
    let cards = [card(vec![clean(2714, 10_000), attacked("FGSM", 4.0, 2)])];
    let sheet = Sheet::of(&networks(&cards));
    let cell = sheet.groups[0].rows[0].cells[0].unwrap();
    assert_eq!(
        [cell.top1_words(), cell.interval_words(), cell.top5_words().unwrap()],
        ["27.1%", "26.1–28.1%", "54.3%"].map(String::from)
    );
    assert_eq!((sheet.bar_end, sheet.pictures), (0.3, 10_000));
    assert!(sheet.caption().contains("10\u{202f}000 validation pictures"), "{}", sheet.caption());
    assert!(sheet.caption().contains("full bar is 30%"), "{}", sheet.caption());
}

#[test]
fn a_score_on_fewer_pictures_says_so_once() {
    let cards = [
        card(vec![clean(2714, 10_000), attacked("FGSM", 4.0, 2), augmented(3, 10)]),
        card(vec![clean(2188, 10_000), attacked("FGSM", 4.0, 7), augmented(2000, 10_000)]),
    ];
    let sheet = Sheet::of(&networks(&cards));
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
    paper.crafted_sha256 = Some("ab".into());
    paper.attack.as_mut().unwrap().channel_scale = [0.277, 0.269, 0.282];
    let jpeg = corrupted(Corruption::JpegCompression, 1, 4);
    let cards = [card(vec![plain, paper, jpeg])];
    let groups = Sheet::of(&networks(&cards)).groups;
    let words = |group: &Group| ["standard deviations", "8-bit"].map(|word| group.meaning().contains(word));
    assert_eq!(groups.iter().map(words).collect::<Vec<_>>(), [[false; 2], [true; 2], [false; 2]]);
    assert_eq!(groups[2].rows[0].title, "JPEG compression 3");
}

#[test]
fn a_network_without_scores_is_named_and_does_no_harm() {
    let cards = [card(vec![clean(1, 4)]), card(Vec::new())];
    let sheet = Sheet::of(&networks(&cards));
    assert_eq!(sheet.unevaluated, ["Hardened"]);
    assert_eq!(sheet.groups[0].rows[0].cells[1], None);
    let none = [card(Vec::new()), card(Vec::new())];
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
    let cards = [
        card(vec![
            clean(30, 100),
            attacked("BIM-5", 8.0, 1),
            attacked("BIM-5", 4.000_001, 5),
            attacked("FGSM", 4.0, 8),
            transferred(attacked("BIM-5", 4.0, 12)),
        ]),
        card(vec![clean(220, 1000), attacked("BIM-5", 4.0, 9)]),
        card(vec![clean(1, 4)]),
    ];
    let charts = charts(&networks(&cards));
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
        let mut scores = vec![clean(30 + offset, 100)];
        scores.extend([0.5, 1.0, 2.0, 4.0, 8.0, 16.0].map(|levels| attacked("PGD-10", levels, 2 + offset)));
        card(scores)
    };
    let cards = [scores(0), scores(0), scores(1)];
    let charts = charts(&networks(&cards));
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
    let facts = |card: &Card| {
        let network = Network { title: "Standard", card };
        sections(&network).into_iter().flat_map(|section| section.facts).collect::<Vec<_>>()
    };
    let full = facts(&card(Vec::new()));
    let parameters = Fact { name: "Parameters", value: Value::Words("713\u{202f}944".into()) };
    assert!(full.contains(&parameters), "{full:?}");
    let operations =
        Fact { name: "Operations", value: Value::Words("96 million multiply-accumulates a picture".into()) };
    assert!(full.contains(&operations), "{full:?}");
    assert!(full.contains(&Fact { name: "Weights", value: Value::Words("1.4 MB, f16".into()) }));
    let bare = Card { recipe: Recipe::default(), data_sha256: String::new(), ..card(Vec::new()) };
    let missing: Vec<&str> =
        full.iter().map(|fact| fact.name).filter(|name| facts(&bare).iter().all(|fact| fact.name != *name)).collect();
    assert_eq!(missing, ["Recipe", "Data", "Data’s sha256", "Made by"]);
}

#[test]
fn a_card_says_what_its_recipe_means_and_how_often_the_network_is_wrong() {
    let said = |card: &Card, name: &str| {
        let mut facts = sections(&Network { title: "Standard", card }).into_iter().flat_map(|section| section.facts);
        match facts.find(|fact| fact.name == name).map(|fact| fact.value) {
            Some(Value::Words(words)) => words,
            other => panic!("{name}: {other:?}"),
        }
    };
    let measured = card(vec![clean(30, 100), attacked("BIM-5", 4.0, 2), attacked("FGSM", 4.0, 7)]);
    assert!(
        said(&measured, "Recipe").starts_with("normal: pictures that are as they are"),
        "{}",
        said(&measured, "Recipe")
    );
    let recipe = Recipe { config: json!({ "mix": ["augmented", "pgd", "pgd"] }), ..measured.recipe.clone() };
    let mixed = said(&Card { recipe, ..measured.clone() }, "Recipe");
    assert!(
        mixed.starts_with("normal: of each 3 pictures, one is disturbed") && mixed.contains("; 2 are att"),
        "{mixed}"
    );
    let limits = said(&measured, "Limitations");
    assert!(limits.contains("it knows 30.0%, and 2.0% under BIM-5 at 4/255 (white-box)"), "{limits}");
    assert!(said(&measured, "Data").contains("one’s own"), "another hash is another data set");
    let recipe = Recipe { name: "mine".into(), ..Recipe::default() };
    let own = Card { recipe, ..card(Vec::new()) };
    assert_eq!(said(&own, "Recipe"), "mine");
    assert!(!said(&own, "Limitations").contains('%'));
}

#[test]
fn the_headline_is_the_strongest_attack_that_all_networks_were_measured_with() {
    let cards = [
        card(vec![
            clean(30, 100),
            attacked("FGSM", 4.0, 8),
            attacked("BIM-5", 4.0, 3),
            attacked("BIM-5", 8.0, 1),
            attacked("PGD-10", 4.0, 2),
        ]),
        card(vec![clean(22, 100), attacked("FGSM", 4.0, 9), attacked("BIM-5", 4.0, 7), attacked("BIM-5", 8.0, 5)]),
    ];
    let found = headline(&Sheet::of(&networks(&cards))).unwrap();
    assert_eq!(found.attack, "BIM-5 at 4/255", "PGD was not measured on both");
    let hits: Vec<_> = found.networks.iter().map(|it| (it.clean.top1.hits, it.attacked.top1.hits)).collect();
    assert_eq!(hits, [(30, 3), (22, 7)]);
    let of = |hits, of| Score { top1: Proportion { hits, of }, ..attacked("PGD-10", 4.0, 2) };
    let cards = [30, 22].map(|hits| card(vec![clean(hits, 10_000), augmented(hits, 10_000), of(hits, 1_000)]));
    let found = headline(&Sheet::of(&networks(&cards))).unwrap();
    assert_eq!(found.attack, "PGD-10 at 4/255, on 1\u{202f}000 pictures");
    let attacks = autoattack(Norm::Linf, 8.0 / 255.0);
    let field = |hits| Score { attack: Some(attacks[0].clone()), then: attacks[1..].to_vec(), ..of(hits, 1_000) };
    let cards =
        [30, 22].map(|hits| card(vec![clean(hits, 10_000), augmented(hits, 10_000), of(1, 1_000), field(hits)]));
    let found = headline(&Sheet::of(&networks(&cards))).unwrap();
    assert_eq!(found.attack, "AutoAttack at 8/255, on 1\u{202f}000 pictures", "whatever the epsilon of others");
    let fewer = of(1, 10);
    let targeted = Score { goal: Goal::Targeted, ..attacked("BIM-5", 4.0, 1) };
    for only in [fewer, targeted, transferred(attacked("BIM-5", 4.0, 1))] {
        let cards = [card(vec![clean(30, 100), only])];
        assert_eq!(headline(&Sheet::of(&networks(&cards))), None);
    }
}

#[test]
fn what_is_drawn_holds_its_parts_and_no_markup_of_a_card() {
    let evil = Card {
        recipe: Recipe {
            name: "a<img src=x onerror=alert(2)>".into(),
            commands: vec!["bastion \"><script>alert(1)</script>".into()],
            ..Recipe::default()
        },
        ..card(vec![
            clean(30, 100),
            transferred(attacked("BIM-5", 4.0, 12)),
            attacked("BIM-5", 4.0, 5),
            attacked("BIM-5", 8.0, 1),
        ])
    };
    let other = card(vec![clean(22, 100), attacked("BIM-5", 4.0, 7)]);
    let html =
        draw([Network { title: "<b>Bad</b>", card: &evil }, Network { title: "Standard", card: &other }].map(Some));
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
    let bare = card(Vec::new());
    let bare = Network { title: "Standard", card: &bare };
    let alone = draw([Some(Network { title: "Bad", card: &evil }), Some(bare)]);
    assert!(alone.contains("Standard: not evaluated yet") && !alone.contains("scores-headline"), "{alone}");
    let neither = draw([Some(bare), None]);
    assert!(!neither.contains("<table") && !neither.contains("<svg"), "{neither}");
}

#[test]
fn a_card_counts_what_the_checks_found() {
    let item =
        |name: &str, passed| CheckItem { name: name.into(), figure: "0.2%".into(), limit: "at most 1%".into(), passed };
    let items = vec![item("zero gradients", Some(true)), item("noise", Some(true)), item("transfer", None)];
    let checks =
        Some(Checks { epsilon: 4.000_000_5 / 255.0, images: 1000, items: items.clone(), loss_curve: Vec::new() });
    let sections = |card: &Card| sections(&Network { title: "Standard", card });
    let last = sections(&Card { checks, ..card(Vec::new()) }).pop().unwrap();
    let [on, found] = last.facts.as_slice() else { panic!("{last:?}") };
    let Value::Words(words) = &on.value else { panic!("{on:?}") };
    assert!(words.contains("1\u{202f}000 validation pictures") && words.contains("at 4/255"), "{words}");
    assert!(words.ends_with("2 passed, 1 not measured."), "{words}");
    assert_eq!(found.value, Value::Checks(items));
    assert!(sections(&card(Vec::new())).iter().all(|section| section.title != last.title), "nobody has checked");
}

#[test]
fn detectors_are_shown_with_figures_and_never_without_their_attacker() {
    use terms::detection::{Calibration, DetectorCard, DetectorFigures, DetectorKind};
    let detector = |figures| DetectorCard {
        kind: DetectorKind::Energy,
        weights: None,
        passes: 0,
        dropout: 0.0,
        tails: None,
        trained_on: String::new(),
        trained_attacks: vec![],
        calibration: Calibration::new(vec![0.0, 1.0]),
        figures,
    };
    let section = |figures| {
        let card = Card { detectors: vec![detector(figures)], ..card(Vec::new()) };
        let found = sections(&Network { title: "Standard", card: &card });
        found.into_iter().find(|section| section.title.contains("detectors"))
    };
    assert_eq!(section(None), None);
    let shown = section(Some(DetectorFigures::default())).unwrap();
    assert_eq!(shown.facts[0].name, "energy");
    let words = Value::Words("not measured against an attacker who knows it".into());
    assert_eq!(shown.facts[0].value, words);
}
