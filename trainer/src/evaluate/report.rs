//! Report of an evaluation: as a table for the terminal, as JSON, CSV and Markdown, and as figures.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use shared::attack::AttackConfig;
use shared::bundle::{ImageSet, Score};
use shared::metrics::Proportion;

use super::charts;
pub use super::results::{CraftedReport, ModelReport, Report};
use crate::experiment::in_words;
use crate::files::write_atomically;

/// A figure of a report.
pub struct Figure {
    /// Its name in the folder, without `.svg`.
    pub file: String,
    /// Title over the figure.
    pub title: String,
}

/// Explanation of [`Report::mark`].
const MARK: &str = "* crafted on this very network: its own gradients, not transfer";

impl ModelReport {
    /// Returns the mean corruption error and the number of corruptions: the share of wrong answers, averaged over the severities of
    /// each corruption and then over the corruptions that were evaluated (Hendrycks and Dietterich, 2019, arXiv 1903.12261, section
    /// 4, without the division by another network's errors).
    fn mean_corruption_error(&self) -> Option<(f64, usize)> {
        let mut errors = BTreeMap::<&str, Vec<f64>>::new();
        for score in &self.scores {
            if let ImageSet::Corrupted { corruption, .. } = score.set {
                errors.entry(corruption.name()).or_default().push(1.0 - score.top1.value());
            }
        }
        let mean = |values: &Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
        let count = errors.len();
        (count > 0).then(|| (errors.values().map(mean).sum::<f64>() / count as f64, count))
    }

    /// Returns the mean corruption error in words; `None` without corruptions.
    fn corruption_error_in_words(&self) -> Option<String> {
        let (error, count) = self.mean_corruption_error()?;
        Some(format!("mean corruption error {:.1}% over {count} corruptions", 100.0 * error))
    }
}

impl Report {
    /// Returns ` *` where saved images were crafted on the very network that they were shown to.
    fn mark(&self, model: &ModelReport, score: &Score) -> &'static str {
        let Some(sha256) = &score.crafted_sha256 else { return "" };
        let on_it = |set: &CraftedReport| set.sha256 == *sha256 && set.made.weights_sha256 == model.weights_sha256;
        // Noise is crafted on no network.
        if score.crafted_on.is_some() && self.crafted.iter().any(on_it) { " *" } else { "" }
    }

    /// Returns whether any score has the mark.
    fn has_marks(&self, model: &ModelReport) -> bool {
        model.scores.iter().any(|score| !self.mark(model, score).is_empty())
    }

    /// Formats the report for a terminal.
    pub fn table(&self) -> String {
        let names = self.models.iter().flat_map(|model| &model.scores).map(|score| score.to_string().len() + 2);
        let width = names.max().unwrap_or(0).max(24);
        let mut text = String::new();
        for model in &self.models {
            text += &format!("{} ({}), {} validation images\n", model.name, model.dir.display(), self.images);
            text += &format!("  {:<width$}{:>8}  {:<16}{:>8}{:>10}\n", "", "top-1", "95% interval", "top-5", "success");
            for (place, score) in model.scores.iter().enumerate() {
                let fooled =
                    success(score).map(|success| format!("{:.1}%", 100.0 * success.value())).unwrap_or_default();
                let top5 = top5(score).map(|top5| format!("{:.2}%", 100.0 * top5)).unwrap_or_default();
                text += &format!(
                    "  {:<width$}{:>7.2}%  {:<16}{top5:>8}{fooled:>10}\n",
                    format!("{score}{}", self.mark(model, score)),
                    100.0 * score.top1.value(),
                    interval(score),
                );
                text += &stages(score, model.seconds.get(place).map_or(&[], Vec::as_slice), width);
                for remark in [smallest(score), no_gradient(score)].into_iter().flatten() {
                    text += &format!("    {remark}\n");
                }
            }
            if let Some(words) = model.corruption_error_in_words() {
                text += &format!("  {words}\n");
            }
            if self.has_marks(model) {
                text += &format!("  {MARK}\n");
            }
            text.push('\n');
        }
        text
    }

    /// Writes `scores.json`, `scores.csv`, `scores.md` and the figures into `dir`, which is made if need be. Returns
    /// the figures.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn write(&self, dir: &Path) -> Result<Vec<Figure>> {
        fs::create_dir_all(dir).with_context(|| format!("cannot write to {}", dir.display()))?;
        write_atomically(&dir.join("scores.json"), &serde_json::to_vec_pretty(self)?)?;
        write_atomically(&dir.join("scores.csv"), self.csv().as_bytes())?;
        let mut figures = Vec::new();
        for (file, chart) in charts::over_epsilon(self) {
            chart.write(&dir.join(&file))?;
            figures.push(Figure { file, title: chart.title });
        }
        for (file, chart) in charts::at_k(self) {
            chart.write(&dir.join(&file))?;
            figures.push(Figure { file, title: chart.title });
        }
        write_atomically(&dir.join("scores.md"), self.markdown(&figures).as_bytes())?;
        Ok(figures)
    }

    fn csv(&self) -> String {
        let mut text = "model,measured,images,top1,top1_low,top1_high,top5,success,median_linf,median_l2,smallest_l2\n"
            .to_string();
        for (model, score) in self.models.iter().flat_map(|model| model.scores.iter().map(move |score| (model, score)))
        {
            let [low, high] = score.top1_interval;
            let number = |value: Option<f64>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
            text += &format!(
                "{},{},{},{:.6},{low:.6},{high:.6},{},{},{},{},{}\n",
                quoted(&model.name),
                quoted(&score.to_string()),
                score.top1.of,
                score.top1.value(),
                number(top5(score)),
                number(success(score).map(Proportion::value)),
                number(score.median_linf.map(f64::from)),
                number(score.median_l2.map(f64::from)),
                number(score.smallest.as_ref().and_then(|smallest| smallest.median).map(f64::from)),
            );
        }
        text
    }

    fn markdown(&self, figures: &[Figure]) -> String {
        let mut text = format!(
            "# Scores\n\nTop-1 accuracy in percent with Wilson's 95% interval, on {} validation images (data {}).\n\n| |",
            self.images, self.data_sha256
        );
        text += &self.models.iter().map(|model| format!(" {} |", model.name)).collect::<String>();
        text += &format!("\n|---|{}\n", "---|".repeat(self.models.len()));
        let rows = self.models.first().map_or(0, |model| model.scores.len());
        for row in 0..rows {
            text += &format!("| {} |", self.models[0].scores[row]);
            for model in &self.models {
                let score = &model.scores[row];
                let mark = self.mark(model, score).replace('*', "\\*");
                text += &format!(" {:.2} {}{mark} |", 100.0 * score.top1.value(), interval(score));
            }
            text.push('\n');
        }
        if self.models.iter().any(|model| self.has_marks(model)) {
            text += &format!("\n\\{MARK}.\n");
        }
        for (model, score) in self.models.iter().flat_map(|model| model.scores.iter().map(move |score| (model, score)))
        {
            for remark in [smallest(score), no_gradient(score)].into_iter().flatten() {
                text += &format!("\n{}, {score}: {remark}.\n", model.name);
            }
        }
        for model in &self.models {
            if let Some(words) = model.corruption_error_in_words() {
                text += &format!("\n{}: {words}.\n", model.name);
            }
        }
        for Figure { file, title } in figures {
            text += &format!("\n![{title}]({file}.svg)\n");
        }
        text
    }
}

/// Returns a line for each of several attacks: the images that it has left, and its time.
fn stages(score: &Score, seconds: &[f64], width: usize) -> String {
    let attacks = score.attack.iter().chain(&score.then).zip(score.left.windows(2));
    let line = |(place, (attack, left)): (usize, (&AttackConfig, &[usize]))| {
        let name = attack.to_string();
        let name = name.split(" at ").next().unwrap_or_default();
        let time = seconds.get(place).map(|&seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default());
        let time = time.map_or(String::new(), |time| format!(", {}", in_words(time)));
        format!("    {name:<0$}{1:>6} of {2} left{time}\n", width - 2, left[1], left[0])
    };
    if score.then.is_empty() { String::new() } else { attacks.enumerate().map(line).collect() }
}

fn interval(score: &Score) -> String {
    let [low, high] = score.top1_interval.map(|bound| 100.0 * bound);
    format!("[{low:.2}, {high:.2}]")
}

/// Quotes a field of a CSV file (RFC 4180) where it needs quotes.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into() }
}

/// Returns the accuracy among the first five classes; `None` for an attack that stops at fooled images, whose top-5 accuracy
/// after all steps is not known.
fn top5(score: &Score) -> Option<f64> {
    (!score.until_fooled).then(|| score.top5.value())
}

/// Returns the smallest changes that fool in words: `smallest change that fools: median L2 0.310; right within L2 0.5 12.0%, 5 0.0%`.
fn smallest(score: &Score) -> Option<String> {
    let (smallest, attack) = (score.smallest.as_ref()?, score.attack.as_ref()?);
    let share = |hits: usize| 100.0 * hits as f64 / score.top1.of as f64;
    let within = smallest.right_within.iter().map(|right| format!("{} {:.1}%", right.radius, share(right.hits)));
    let within: Vec<String> = within.collect();
    let within = if within.is_empty() { String::new() } else { format!("; right within L2 {}", within.join(", ")) };
    Some(format!("smallest change that fools: median {}{within}", smallest.median_in_words(attack.epsilon)))
}

/// Returns a remark about images that no gradient led anywhere; `None` where there are none.
fn no_gradient(score: &Score) -> Option<String> {
    let Score { no_gradient: count, top1, .. } = score;
    let words = "withstood it where every input gradient is zero, which says nothing of how the network holds: `bastion check` tells more";
    (*count > 0).then(|| format!("{count} of {} images {words}", top1.of))
}

/// Returns the proportion of images that the attack succeeded on; `None` where no image was right before it.
fn success(score: &Score) -> Option<Proportion> {
    score.success.filter(|success| success.of > 0)
}

#[cfg(test)]
mod tests {
    use shared::attack::AttackConfig;
    use shared::bundle::{Right, SmallestChanges};
    use tempfile::TempDir;

    use super::super::results::tests::{report, score};
    use super::*;
    use crate::data::Crafted;

    #[test]
    fn what_was_crafted_on_the_network_itself_is_marked() {
        let mut report = report();
        let saved = |score: Score| Score { crafted_on: Some("s".into()), crafted_sha256: Some("set".into()), ..score };
        let attack = AttackConfig::fgsm(4.0 / 255.0);
        report.models.iter_mut().for_each(|model| model.scores.push(saved(score(Some(attack.clone()), 20))));
        report.models[1].weights_sha256 = "other".into();
        let made = Crafted { source: "s".into(), weights_sha256: "ab".into(), data_sha256: "cd".into(), attack };
        report.crafted.push(CraftedReport { dir: "set".into(), sha256: "set".into(), made });
        let table = report.table();
        assert_eq!(table.matches("FGSM at 4/255 from s, saved *").count(), 1, "{table}");
        assert_eq!(table.matches(MARK).count(), 1, "{table}");
        let markdown = report.markdown(&[]);
        assert!(markdown.contains("| FGSM at 4/255 from s, saved | 20.00 [13.34, 28.88] \\* | 20.00 [13.34, 28.88] |"));
        assert!(
            serde_json::to_string(&report).unwrap().contains("\"dir\":\"set\",\"sha256\":\"set\",\"source\":\"s\"")
        );
    }

    #[test]
    fn tables_have_a_row_for_each_score_and_a_column_for_each_network() {
        let report = report();
        let table = report.table();
        assert!(table.contains("BIM-5 at 4/255"), "{table}");
        assert!(table.contains("20.00%  [13.34, 28.88]"), "{table}");
        let markdown = report.markdown(&[Figure { file: "top-k-clean".into(), title: "Clean".into() }]);
        assert!(markdown.contains("| BIM-5 at 8/255 | 10.00 [5.52, 17.44] | 10.00 [5.52, 17.44] |"), "{markdown}");
        let csv = report.csv();
        assert_eq!(csv.lines().count(), 7);
        assert!(csv.contains("\"hard, \"\"ened\"\"\",BIM-5 at 8/255,100,0.100000"), "{csv}");
    }

    #[test]
    fn each_of_several_attacks_has_a_line_with_what_it_has_left_and_its_time() {
        let mut report = report();
        let model = &mut report.models[0];
        model.scores[1].then = vec![AttackConfig::pgd(4.0 / 255.0, 5, 0)];
        model.scores[1].left = vec![60, 25, 20];
        model.seconds = vec![vec![1.0], vec![12.5, 90.0], vec![2.0]];
        let table = report.table();
        let lines: Vec<&str> = table.lines().map(str::trim).collect();
        let at = lines.iter().position(|line| line.starts_with("BIM-5, PGD-5 at 4/255")).unwrap();
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(lines[at + 1]), "BIM-5 25 of 60 left, 12 s", "{table}");
        assert_eq!(words(lines[at + 2]), "PGD-5 20 of 25 left, 1 min", "{table}");
    }

    #[test]
    fn the_smallest_changes_are_told_below_their_score() {
        let mut report = report();
        let score = &mut report.models[0].scores[1];
        score.attack = Some(AttackConfig::new(shared::attack::AttackKind::Ddn, 0.5, 100));
        let right_within = vec![Right { radius: 0.25, hits: 40 }, Right { radius: 0.5, hits: 20 }];
        score.smallest = Some(SmallestChanges { median: Some(0.31), right_within });
        let words = "smallest change that fools: median L2 0.310; right within L2 0.25 40.0%, 0.5 20.0%";
        assert_eq!(report.table().matches(words).count(), 1, "{}", report.table());
        assert!(report.markdown(&[]).contains(&format!("standard, DDN-100 at L2 0.5: {words}.")));
        assert!(
            report.csv().contains("standard,DDN-100 at L2 0.5,100,0.200000,0.133367,0.288829,0.200000,,,,0.310000\n")
        );
    }

    #[test]
    fn an_attack_that_stops_at_fooled_images_has_no_top_5() {
        let mut report = report();
        report.models.iter_mut().for_each(|model| model.scores[1].until_fooled = true);
        assert!(report.table().contains("20.00%  [13.34, 28.88]                "), "{}", report.table());
        assert!(report.csv().contains("standard,BIM-5 at 4/255,100,0.200000,0.133367,0.288829,,"), "{}", report.csv());
        let charts: Vec<String> = charts::at_k(&report).into_iter().map(|(file, _)| file).collect();
        assert_eq!(charts, ["top-k-clean", "top-k-bim-5-at-8-255"]);
    }

    #[test]
    fn a_report_is_a_folder_of_files() {
        let dir = TempDir::new().unwrap();
        let out = dir.path().join("report");
        report().write(&out).unwrap();
        let markdown = fs::read_to_string(out.join("scores.md")).unwrap();
        for figure in ["epsilon-white-box", "top-k-clean", "top-k-bim-5-at-4-255", "top-k-bim-5-at-8-255"] {
            assert!(markdown.contains(&format!("({figure}.svg)")), "{markdown}");
            assert!(out.join(figure).with_extension("svg").is_file());
        }
        assert!(out.join("scores.json").is_file() && out.join("scores.csv").is_file());
    }
}
