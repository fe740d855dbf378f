use super::*;

fn likely(name: &str, probability: f32) -> Likely {
    Likely { name: name.into(), probability }
}

fn evidence(cells: [f32; 16], bias: f32) -> EvidenceFacts {
    let (class, against) = ("goldfish".into(), "orange".into());
    EvidenceFacts { class, against, rows: 4, columns: 4, cells: cells.to_vec(), bias }
}

#[rustfmt::skip]
const BEFORE: [f32; 16] = [
    2.0, 0.5, -1.0, 0.0,
    0.0, 3.0, 1.5, -0.5,
    0.0, 1.0, 0.0, 0.0,
    0.0, 0.0, 0.0, 0.0,
];

#[test]
fn without_evidence_no_cell_is_spoken_of_and_all_else_is() {
    let text = sentence(&facts().without_evidence());
    assert!(text.contains("goldfish (93.1%)") && text.contains("BIM within 4/255"), "{text}");
    assert!(!text.contains("evidence") && !text.contains("cell") && !text.contains("logit"), "{text}");
}

fn facts() -> AnswerFacts {
    let mut after = BEFORE;
    (after[0], after[5]) = (1.0, 0.0);
    AnswerFacts {
        network: "standard".into(),
        answer: likely("goldfish", 0.931),
        runner_up: Some(likely("orange", 0.024)),
        evidence: Some(evidence(BEFORE, -0.1)),
        standing: Standing::default(),
        attack: Some(AttackFacts {
            attack: "BIM".into(),
            within: "4/255".into(),
            largest_change: 4.0,
            answer: likely("jellyfish", 0.88),
            former_answer: 0.031,
            evidence: Some(evidence(after, -0.1)),
            standing: Standing::default(),
        }),
    }
}

#[test]
fn every_number_is_one_that_was_measured() {
    // Positive cells: 2 + 0.5 + 3 + 1.5 + 1 = 8; the three largest are 3 and 1.5 in the centre and 2 in the upper left.
    assert_eq!(
        sentence(&facts()),
        "The network standard answers goldfish (93.1%); the runner-up is orange (2.4%). The logit of goldfish less that of \
         orange is 6.40: in a grid of 4 x 4 cells the evidence for goldfish adds up to 8.00, the evidence against it to 1.50, \
         and the bias adds -0.10. Of the evidence for goldfish, 56% is in 2 cells in the centre and 25% in 1 cell in the \
         upper left. BIM within 4/255 changed no value by more than 4 of 255 levels, and the answer is now jellyfish (88.0%); \
         goldfish has 3.1%. The logit of goldfish less that of orange went from 6.40 to 2.40. Of the evidence that was lost, \
         75% is in 1 cell in the centre and 25% in 1 cell in the upper left."
    );
}

#[test]
fn what_was_not_measured_is_not_said() {
    let mut facts = facts();
    facts.evidence = None;
    let text = sentence(&facts);
    assert!(!text.contains("logit") && text.contains("now jellyfish"), "{text}");
    facts.attack = None;
    facts.runner_up = None;
    facts.answer.probability = 0.99999;
    assert_eq!(sentence(&facts), "The network standard answers goldfish (over 99.9%).");
}

#[test]
fn standings_follow_the_picture_that_they_are_of() {
    let mut facts = facts().without_evidence();
    facts.standing.less_probable = Some(0.62);
    facts.attack.as_mut().unwrap().standing.less_probable = Some(0.07);
    let text = sentence(&facts);
    let places = ["orange (2.4%).", "62 of 100 have", "BIM within", "goldfish has 3.1%.", "7.0 of 100 have"];
    let found: Vec<Option<usize>> = places.into_iter().map(|place| text.find(place)).collect();
    assert!(found.iter().all(Option::is_some) && found.is_sorted(), "{text}");
}

#[test]
fn an_answer_that_stays_is_called_the_same_and_nothing_more() {
    let mut facts = facts();
    let attack = facts.attack.as_mut().unwrap();
    (attack.answer, attack.largest_change, attack.evidence) = (likely("goldfish", 0.5), 7.65, facts.evidence.clone());
    attack.attack = "noise".into();
    let text = sentence(&facts);
    assert!(text.contains(" Noise within 4/255 changed no value by more than 7.7 of 255 levels"), "{text}");
    assert!(text.contains("and the answer is still goldfish (50.0%)."), "{text}");
    assert!(text.ends_with("went from 6.40 to 6.40."), "nothing was lost: {text}");
    for word in ["robust", "because", "looks", "sure", "attacked", "safe", "decid"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
}

#[test]
fn places_cover_grids_of_any_size() {
    let named =
        |side: usize| (0..side * side).map(|cell| place_of(cell / side, cell % side, side, side)).collect::<Vec<_>>();
    assert_eq!(named(1), ["centre"]);
    assert_eq!(named(2), ["upper left", "upper right", "lower left", "lower right"]);
    assert_eq!(named(4)[..4], ["upper left", "upper middle", "upper middle", "upper right"]);
    assert_eq!(named(8).iter().filter(|place| **place == "centre").count(), 4);
    assert_eq!(named(3)[3..6], ["middle left", "centre", "middle right"]);
}

#[test]
fn shares_are_of_what_speaks_for_the_class() {
    let none = EvidenceFacts { cells: vec![-1.0; 16], ..evidence(BEFORE, 0.0) };
    assert!(none.strongest().is_empty() && !of_evidence(&none).contains('%'));
    let one = EvidenceFacts { cells: (0..16).map(|cell| if cell == 15 { 2.0 } else { -1.0 }).collect(), ..none };
    assert_eq!(one.strongest(), [PlaceShare { place: "lower right", cells: 1, share: 1.0 }]);
    let places = evidence(BEFORE, 0.0).strongest();
    assert!(places.iter().map(|place| place.share).sum::<f32>() <= 1.0);
}
