//! The figures of a report: accuracy at k, and accuracy against epsilon.

use shared::attack::{Norm, ThreatModel};
use shared::bundle::{ImageSet, Score};
use shared::metrics::Proportion;

use super::results::{ModelReport, Report};
use crate::figures::{BarChart, BarSeries, Estimate, LineChart, LineSeries};

/// Returns charts of accuracy at k with their file names, one for each measurement except corruptions and attacks that stop at
/// fooled images, with a bar for each network, as the paper's Figures 2 to 4.
pub fn at_k(report: &Report) -> Vec<(String, BarChart)> {
    let Some(first) = report.models.first() else { return vec![] };
    let shown = |score: &Score| !matches!(score.set, ImageSet::Corrupted { .. }) && !score.until_fooled;
    let chart = |(row, score): (usize, &Score)| {
        let ks = || score.hits_at.iter().take_while(|[k, _]| *k <= 20);
        let values = |score: &Score| {
            let of = score.top1.of;
            score.hits_at.iter().take(ks().count()).map(|&[_, hits]| estimate(Proportion { hits, of })).collect()
        };
        let series = |model: &ModelReport| BarSeries { name: model.name.clone(), values: values(&model.scores[row]) };
        let chart = BarChart {
            title: format!("Accuracy at k, {score}, {} validation images", report.images),
            x_label: "k".into(),
            y_label: "accuracy".into(),
            groups: ks().map(|[k, _]| format!("top-{k}")).collect(),
            series: report.models.iter().map(series).collect(),
        };
        (format!("top-k-{}", file_name(&score.to_string())), chart)
    };
    first.scores.iter().enumerate().filter(|(_, score)| shown(score)).map(chart).collect()
}

/// Returns charts of accuracy against epsilon with their file names, one curve for each network and attack that was run at
/// more than one radius; a chart for white-box attacks and one for images crafted on one network, in each norm and unit that
/// radii are in.
pub fn over_epsilon(report: &Report) -> Vec<(String, LineChart)> {
    let charts = [("epsilon-white-box", "white-box", false), ("epsilon-transfer", "transfer", true)];
    let charts = charts.into_iter().flat_map(|chart| Unit::ALL.map(|unit| (chart, unit)));
    let chart = |((file, protocol, transfer), unit): ((&str, &str, bool), Unit)| {
        let chart = LineChart {
            title: format!("Accuracy under attack, {protocol}, {} validation images", report.images),
            x_label: unit.label().into(),
            y_label: "top-1 accuracy".into(),
            y_percent: true,
            series: curves(report, transfer, unit),
        };
        let file = format!("{file}{}", unit.suffix());
        (!chart.series.is_empty()).then_some((file, chart))
    };
    charts.filter_map(chart).collect()
}

/// Norm and unit of radii; radii in different ones are not comparable.
#[derive(Clone, Copy, PartialEq)]
struct Unit {
    norm: Norm,
    normalized: bool,
}

impl Unit {
    const ALL: [Self; 5] = [
        Self { norm: Norm::Linf, normalized: false },
        Self { norm: Norm::Linf, normalized: true },
        Self { norm: Norm::L2, normalized: false },
        Self { norm: Norm::L2, normalized: true },
        Self { norm: Norm::L0, normalized: false },
    ];

    fn of(threat: &ThreatModel) -> Self {
        Self { norm: threat.norm, normalized: !threat.is_in_pixel_units() }
    }

    fn label(self) -> &'static str {
        match (self.norm, self.normalized) {
            (Norm::Linf, false) => "epsilon, in 255ths",
            (Norm::Linf, true) => "epsilon, in standard deviations",
            (Norm::L2, false) => "epsilon in L2, in pixel units",
            (Norm::L2, true) => "epsilon in L2, in standard deviations",
            (Norm::L0, _) => "epsilon, in pixels",
        }
    }

    /// Returns the part of a file name that stands for the unit.
    fn suffix(self) -> &'static str {
        match (self.norm, self.normalized) {
            (Norm::Linf, false) => "",
            (Norm::Linf, true) => "-normalized",
            (Norm::L2, false) => "-l2",
            (Norm::L2, true) => "-l2-normalized",
            (Norm::L0, _) => "-l0",
        }
    }
}

fn curves(report: &Report, transfer: bool, unit: Unit) -> Vec<LineSeries> {
    let scale = if unit == Unit::ALL[0] { 255.0 } else { 1.0 };
    let mut series: Vec<LineSeries> = Vec::new();
    for model in &report.models {
        let Some(clean) = model.scores.first() else { continue };
        // Two networks of one name have two curves.
        let others = series.len();
        for score in model.scores.iter().filter(|score| score.crafted_on.is_some() == transfer) {
            let Some(attack) = &score.attack else { continue };
            if unit != Unit::of(&attack.threat()) {
                continue;
            }
            // The name without the radius at its end: the curve is drawn over radii.
            let attack_name = attack.to_string();
            let kind = attack_name.split(" at ").next().unwrap_or(&attack_name);
            let name = format!("{}, {}", model.name, score.to_string().replacen(&attack_name, kind, 1));
            let point = (f64::from(attack.epsilon) * scale, estimate(score.top1));
            match series[others..].iter_mut().find(|series| series.name == name) {
                Some(series) => series.points.push(point),
                None => series.push(LineSeries { name, points: vec![(0.0, estimate(clean.top1)), point] }),
            }
        }
    }
    series.retain(|series| series.points.len() > 2);
    series
}

/// Returns the name of a measurement as a file name: `bim-5-at-8-255`.
fn file_name(measured: &str) -> String {
    let safe: String =
        measured.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    safe.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

fn estimate(measured: Proportion) -> Estimate {
    let [low, high] = measured.wilson_interval();
    Estimate { value: measured.value(), low, high }
}

#[cfg(test)]
mod tests {
    use shared::attack::AttackConfig;

    use super::super::results::tests::report;
    use super::*;

    #[test]
    fn curves_start_at_the_clean_accuracy() {
        let charts = over_epsilon(&report());
        assert_eq!(charts.len(), 1);
        let (name, chart) = &charts[0];
        assert_eq!(name, "epsilon-white-box");
        let names: Vec<_> = chart.series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["standard, BIM-5", "hard, \"ened\", BIM-5"]);
        let points: Vec<f64> = chart.series[0].points.iter().map(|(x, _)| x.round()).collect();
        assert_eq!((points, chart.series[0].points[0].1.value), (vec![0.0, 4.0, 8.0], 0.6));
    }

    #[test]
    fn radii_in_l2_are_not_those_of_pixels() {
        let mut report = report();
        for attack in report.models.iter_mut().flat_map(|model| &mut model.scores).filter_map(|s| s.attack.as_mut()) {
            *attack = AttackConfig::pgd_l2(attack.epsilon * 25.5, 20, 0);
        }
        let charts = over_epsilon(&report);
        assert_eq!(charts.len(), 1);
        let (name, chart) = &charts[0];
        assert_eq!((name.as_str(), chart.series[0].name.as_str()), ("epsilon-white-box-l2", "standard, L2-PGD-20"));
        let points: Vec<f64> = chart.series[0].points.iter().map(|(x, _)| (x * 10.0).round()).collect();
        assert_eq!(points, [0.0, 4.0, 8.0]);
    }

    #[test]
    fn radii_in_normalised_space_are_not_255ths() {
        let mut report = report();
        for attack in report.models.iter_mut().flat_map(|model| &mut model.scores).filter_map(|s| s.attack.as_mut()) {
            (attack.epsilon, attack.channel_scale) = (attack.epsilon * 10.0, [0.28; 3]);
        }
        let (name, chart) = over_epsilon(&report).remove(0);
        assert_eq!(name, "epsilon-white-box-normalized");
        assert_eq!(
            (chart.x_label.as_str(), chart.series[0].name.as_str()),
            ("epsilon, in standard deviations", "standard, BIM-5")
        );
        let largest = chart.series[0].points[2].0;
        assert!((largest - 80.0 / 255.0).abs() < 1e-6, "{largest}");
    }
}
