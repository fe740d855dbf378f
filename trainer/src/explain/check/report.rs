//! Report of the checks of methods: for the terminal, and as JSON.

use std::path::PathBuf;

use serde::Serialize;
use shared::explain::{Method, SIMILAR, STILL_THE_SAME, Sanity, Similarity};
use shared::explanation::MapCheck;
use shared::metrics::Proportion;

use super::{Areas, NetworkMeasured, Order};

/// Two-sided 95% quantile of the normal distribution.
const Z_95: f64 = 1.96;

/// The report of all networks.
#[derive(Serialize)]
pub struct ExplainCheckReport {
    /// sha256 of the data set, or `made`.
    pub data: String,
    /// Number of pictures.
    pub images: usize,
    /// Number of passed checks, over all networks.
    pub passed: usize,
    /// Number of failed checks, over all networks.
    pub failed: usize,
    /// Number of methods that are shown without words, over all networks.
    pub without_words: usize,
    /// The networks, in the order given.
    pub models: Vec<NetworkChecks>,
}

/// The checks of one network.
#[derive(Serialize)]
pub struct NetworkChecks {
    /// Folder of the network.
    pub dir: PathBuf,
    /// Name of the network.
    pub name: String,
    /// Pictures classified correctly.
    pub clean: Proportion,
    /// Checks, in the same order for every network.
    pub checks: Vec<MethodCheck>,
    /// What random weights leave of the maps of each method.
    pub sanity: Vec<MethodSanity>,
    /// Mean areas under the curves of each order.
    pub areas: Vec<MeanAreas>,
}

/// What random weights leave of the maps of a method.
#[derive(Serialize)]
pub struct MethodSanity {
    /// Method.
    pub method: Method,
    /// Similarities from the head downward.
    #[serde(flatten)]
    pub sanity: Sanity,
}

/// Mean areas under the curves of one order, 0 to 1.
#[derive(Serialize)]
pub struct MeanAreas {
    /// Order of the patches, in print.
    pub order: &'static str,
    /// Deletion: the smaller the better.
    pub deletion: f32,
    /// Insertion: the larger the better.
    pub insertion: f32,
    /// Insertion less deletion, less that of the centred Gaussian: mean over the pictures.
    pub above_gaussian: f64,
    /// Half of the 95% interval of `above_gaussian`; none of one picture.
    pub interval: Option<f64>,
}

/// The result of one check of one method.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MethodCheck {
    /// Name of the check: `CAM: a random head moves it`.
    pub name: String,
    /// The measurement.
    pub figure: String,
    /// The limit that the figure must keep to.
    pub limit: String,
    /// Whether the figure keeps to the limit.
    pub verdict: MethodVerdict,
    /// The conclusion otherwise.
    pub why: &'static str,
}

/// The verdict on a check of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MethodVerdict {
    /// The figure keeps to the limit.
    Pass,
    /// The figure is beyond the limit.
    Fail,
    /// The method does not beat its control: its maps are shown without words.
    WithoutWords,
}

impl MethodVerdict {
    fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::WithoutWords => "no words",
        }
    }
}

impl NetworkChecks {
    /// Judges what was measured of a network.
    pub fn new(dir: PathBuf, name: String, measured: NetworkMeasured) -> Self {
        let NetworkMeasured { clean, sanity, areas } = measured;
        let gaussian = areas.iter().find(|areas| areas.order == Order::CentredGaussian);
        let gaussian = gaussian.map(|areas| areas.pictures.clone()).unwrap_or_default();
        let means: Vec<(Order, MeanAreas)> =
            areas.iter().map(|areas| (areas.order, mean_areas(areas, &gaussian))).collect();
        let mut checks = Vec::new();
        for (method, sanity) in &sanity {
            checks.extend(sanity_checks(*method, sanity));
            let own = means.iter().find(|(order, _)| *order == Order::Method(*method));
            checks.extend(own.map(|(_, own)| control_check(*method, own, &means)));
        }
        let sanity = sanity.into_iter().map(|(method, sanity)| MethodSanity { method, sanity }).collect();
        Self { dir, name, clean, checks, sanity, areas: means.into_iter().map(|(_, mean)| mean).collect() }
    }
}

impl NetworkChecks {
    /// Returns what a card says of the methods, measured on so many images.
    pub fn for_card(&self, images: usize) -> Vec<MapCheck> {
        let of_method = |sanity: &MethodSanity| {
            let areas = self.areas.iter().find(|areas| areas.order == sanity.method.label())?;
            Some(MapCheck {
                method: sanity.method.name().into(),
                images,
                depends_on_network: sanity.sanity.head_moves() && sanity.sanity.falls(),
                above_gaussian: areas.above_gaussian,
                interval: areas.interval,
            })
        };
        self.sanity.iter().filter_map(of_method).collect()
    }
}

fn sanity_checks(method: Method, sanity: &Sanity) -> [MethodCheck; 2] {
    let alike = |similarity: Option<Similarity>| match similarity {
        Some(Similarity { spearman, spearman_absolute, ssim }) => {
            format!("Spearman {spearman:.2}, of absolute values {spearman_absolute:.2}, SSIM {ssim:.2}")
        }
        None => "nothing was measured".into(),
    };
    let verdict = |passed| if passed { MethodVerdict::Pass } else { MethodVerdict::Fail };
    [
        MethodCheck {
            name: format!("{}: a random head moves it", method.label()),
            figure: alike(sanity.levels.first().map(|level| level.similarity)),
            limit: format!("one below {STILL_THE_SAME}"),
            verdict: verdict(sanity.head_moves()),
            why: "else the map does not depend on what the classes are",
        },
        MethodCheck {
            name: format!("{}: a random network leaves nothing of it", method.label()),
            figure: alike(sanity.levels.last().map(|level| level.similarity)),
            limit: format!("each below {SIMILAR}"),
            verdict: verdict(sanity.falls()),
            why: "else the map shows the picture, and not what the network has learned",
        },
    ]
}

fn control_check(method: Method, own: &MeanAreas, means: &[(Order, MeanAreas)]) -> MethodCheck {
    let areas = |mean: &MeanAreas| format!("{:.3}/{:.3}", mean.deletion, mean.insertion);
    let controls = means.iter().filter(|(order, _)| !matches!(order, Order::Method(_)));
    let controls: Vec<String> = controls.map(|(_, mean)| format!("{} {}", mean.order, areas(mean))).collect();
    MethodCheck {
        name: format!("{}: better than the centred Gaussian", method.label()),
        figure: format!(
            "deletion/insertion {}, {}; above the Gaussian by {:.3}{}",
            areas(own),
            controls.join(", "),
            own.above_gaussian,
            own.interval.map_or(", of one picture".into(), |interval| format!(" +- {interval:.3}"))
        ),
        limit: "above 0, beyond chance".into(),
        verdict: match own.interval.is_some_and(|interval| own.above_gaussian > interval) {
            true => MethodVerdict::Pass,
            false => MethodVerdict::WithoutWords,
        },
        why: "else the map is shown without words: the middle of the picture would do as well",
    }
}

fn mean_areas(Areas { order, pictures }: &Areas, gaussian: &[[f32; 2]]) -> MeanAreas {
    let mean = |side: usize| pictures.iter().map(|areas| areas[side]).sum::<f32>() / pictures.len().max(1) as f32;
    let score = |[deletion, insertion]: &[f32; 2]| f64::from(insertion - deletion);
    let differences: Vec<f64> = pictures.iter().zip(gaussian).map(|(own, of)| score(own) - score(of)).collect();
    let count = differences.len().max(1) as f64;
    let above_gaussian = differences.iter().sum::<f64>() / count;
    let squares: f64 = differences.iter().map(|difference| (difference - above_gaussian).powi(2)).sum();
    let interval = (count > 1.0).then(|| Z_95 * (squares / (count - 1.0) / count).sqrt());
    MeanAreas { order: order.label(), deletion: mean(0), insertion: mean(1), above_gaussian, interval }
}

impl ExplainCheckReport {
    /// Returns the report of `models`, and counts their verdicts.
    pub fn new(data: String, images: usize, models: Vec<NetworkChecks>) -> Self {
        let count = |verdict| models.iter().flat_map(|model| &model.checks).filter(|c| c.verdict == verdict).count();
        let (passed, failed) = (count(MethodVerdict::Pass), count(MethodVerdict::Fail));
        let without_words = count(MethodVerdict::WithoutWords);
        Self { data, images, passed, failed, without_words, models }
    }

    /// Returns the failed checks, as `hardened: CAM: a random head moves it`.
    pub fn failures(&self) -> Vec<String> {
        let all = self.models.iter().flat_map(|model| model.checks.iter().map(move |check| (model, check)));
        let failed = all.filter(|(_, check)| check.verdict == MethodVerdict::Fail);
        failed.map(|(model, check)| format!("{}: {}", model.name, check.name)).collect()
    }

    /// Formats the report for a terminal.
    pub fn table(&self) -> String {
        let widest = |text: fn(&MethodCheck) -> &str| {
            let all = self.models.iter().flat_map(|model| &model.checks);
            all.map(|check| text(check).chars().count()).max().unwrap_or(0)
        };
        let name = widest(|check| &check.name);
        let mut text = String::new();
        for model in &self.models {
            let Proportion { hits, of } = model.clean;
            text += &format!("{} ({}), {hits} of {of} images seen rightly\n", model.name, model.dir.display());
            for MethodCheck { name: check, figure, limit, verdict, why } in &model.checks {
                text += &format!("  {:<8} {check:<name$}  {limit}\n  {:<8} {figure}\n", verdict.word(), "");
                if *verdict != MethodVerdict::Pass {
                    text += &format!("  {:<8} {why}\n", "");
                }
            }
            text.push('\n');
        }
        text + &format!(
            "{} images: {} passed, {} failed, {} shown without words",
            self.images, self.passed, self.failed, self.without_words
        )
    }
}

#[cfg(test)]
mod tests {
    use shared::explain::Level;

    use super::*;

    /// Returns measurements in which the maps keep `left` of themselves, and CAM beats the Gaussian by `above` on average.
    fn measured(left: f32, above: f32) -> NetworkMeasured {
        let level = |layer: &str, value| Level {
            layer: layer.into(),
            similarity: Similarity { spearman: value, spearman_absolute: value, ssim: value },
        };
        let sanity = Sanity { levels: vec![level("fc", 0.5), level("conv1", left)] };
        let areas = |order| {
            let more = if order == Order::Method(Method::Cam) { above } else { 0.0 };
            Areas { order, pictures: vec![[0.2, 0.5 + more + 0.01], [0.2, 0.5 + more - 0.01], [0.3, 0.4 + 1.1 * more]] }
        };
        NetworkMeasured {
            clean: Proportion { hits: 2, of: 3 },
            sanity: Method::ALL.map(|method| (method, sanity.clone())).to_vec(),
            areas: Order::ALL.map(areas).to_vec(),
        }
    }

    fn report(left: f32, above: f32) -> ExplainCheckReport {
        let network = NetworkChecks::new("a/b".into(), "small".into(), measured(left, above));
        ExplainCheckReport::new("cd".into(), 3, vec![network])
    }

    #[test]
    fn a_method_that_does_not_beat_the_middle_is_shown_without_words_and_that_is_no_failure() {
        let report = report(0.1, 0.2);
        assert_eq!((report.passed, report.failed, report.without_words), (7, 0, 2));
        let table = report.table();
        assert!(table.contains("  no words SmoothGrad: better than the centred Gaussian"), "{table}");
        assert!(table.contains("the middle of the picture would do as well"), "{table}");
        assert!(table.contains("above the Gaussian by 0.207 +- 0.013"), "{table}");
        assert!(table.lines().all(|line| line.trim_end() == line), "{table}");
        assert!(table.ends_with("3 images: 7 passed, 0 failed, 2 shown without words"), "{table}");
    }

    #[test]
    fn maps_that_outlive_the_weights_fail() {
        let report = report(0.5, -0.1);
        assert_eq!((report.failed, report.without_words), (3, 3));
        assert_eq!(report.failures()[0], "small: CAM: a random network leaves nothing of it");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["models"][0]["checks"][1]["verdict"], "fail");
        assert_eq!(json["models"][0]["sanity"][2]["method"], "smooth-gradient");
        assert_eq!(json["models"][0]["areas"].as_array().unwrap().len(), 6);
    }

    #[test]
    fn of_one_picture_nothing_is_beyond_chance() {
        let areas = Areas { order: Order::Method(Method::Cam), pictures: vec![[0.0, 1.0]] };
        let mean = mean_areas(&areas, &[[1.0, 0.0]]);
        assert_eq!((mean.above_gaussian, mean.interval), (2.0, None));
        let check = control_check(Method::Cam, &mean, &[]);
        assert_eq!(check.verdict, MethodVerdict::WithoutWords);
    }
}
