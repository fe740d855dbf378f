//! What was computed inside of a network, written out: as HTML for the page and as JSON for the report of a run.

use maud::{Markup, html};
use serde::Serialize;

use super::error::StepError;
use super::paint::Drawing;
use protocol::{Insight, Slot, text};
use terms::detection::DetectorKind;
use terms::standing::of_100;

/// What a network computed of a picture, and of the same picture after an attack.
pub(crate) struct Inside {
    /// The picture.
    pub(crate) before: View,
    /// The attacked picture; none without an attack.
    pub(crate) after: Option<View>,
    /// What the colours of the evidence mean, in words; empty where there is none.
    pub(crate) colours: String,
    /// Feature maps of each stage before and after the attack; empty without one.
    pub(crate) stages: Vec<StageMaps>,
    /// What was measured, in sentences.
    pub(crate) words: String,
    /// The attack on network and detector together that made the attacked picture, with its settings; none for the attack of the page.
    pub(crate) evasion: Option<String>,
    /// A note for a picture that may show none of the network's classes; none for others.
    pub(crate) none_of: Option<String>,
}

/// What a network computed of one picture.
pub(crate) struct View {
    /// The picture under the evidence of its cells, drawn: red for, blue against. None for a network whose evidence is not known
    /// cell by cell.
    pub(crate) evidence: Option<Drawing>,
    /// The detectors' scores.
    pub(crate) gauges: Vec<Gauge>,
}

/// A detector's score of a picture.
#[derive(Serialize)]
pub(crate) struct Gauge {
    /// The detector.
    #[serde(rename = "detector")]
    pub(crate) kind: DetectorKind,
    /// Share of untouched images with a score at least as high, 0 to 1: the rate of false alarms if this picture raised one.
    #[serde(rename = "untouched_share_at_least_as_high")]
    pub(crate) share_above: f64,
    /// How well the detector tells attacked images, and what an attacker who knows it left of it, in words.
    #[serde(skip)]
    pub(crate) note: String,
}

/// Maps of the channels of a stage that an attack changed most.
pub(crate) struct StageMaps {
    /// Name of the stage: `layer2`.
    pub(crate) name: String,
    /// Length of the change of all maps as a share of the length of the maps before; none where all maps were 0.
    pub(crate) change: Option<f32>,
    /// Numbers of the channels that are drawn, from 0.
    pub(crate) channels: Vec<usize>,
    /// The channels side by side: in the first row before the attack, in the second after it, in the third the change.
    pub(crate) drawing: Drawing,
}

/// The part of a report about one network. Renaming a field changes the format of reports.
#[derive(Serialize)]
struct Reported<'a> {
    evasion: Option<&'a str>,
    words: &'a str,
    none_of: Option<&'a str>,
    detectors_before: &'a [Gauge],
    detectors_after: Option<&'a [Gauge]>,
}

impl Inside {
    /// Returns HTML and JSON for the network in `slot`, whose name ends the test ids of the elements.
    ///
    /// # Errors
    ///
    /// If a drawing cannot be encoded.
    pub(crate) fn written(&self, slot: Slot) -> Result<Insight, StepError> {
        let reported = Reported {
            evasion: self.evasion.as_deref(),
            words: &self.words,
            none_of: self.none_of.as_deref(),
            detectors_before: &self.before.gauges,
            detectors_after: self.after.as_ref().map(|after| &after.gauges[..]),
        };
        // JSON takes texts and numbers without exception.
        let json = serde_json::to_string_pretty(&reported).unwrap_or_else(|_| "null".into());
        Ok(Insight { html: self.html(slot.name())?.into_string(), json })
    }

    /// Returns before and, if there was an attack, after.
    fn views(&self) -> impl Iterator<Item = (&'static str, &View)> {
        [("Before", Some(&self.before)), ("After", self.after.as_ref())]
            .into_iter()
            .filter_map(|(when, view)| Some((when, view?)))
    }

    fn html(&self, network: &str) -> Result<Markup, StepError> {
        let mut evidence = Vec::with_capacity(2);
        for (when, view) in self.views() {
            if let Some(drawing) = &view.evidence {
                let testid = format!("evidence-{}-{network}", when.to_lowercase());
                let label = format!("{when} the attack: {EVIDENCE}");
                evidence.push(figure(drawing, &testid, "inside-picture", &label, when)?);
            }
        }
        let mut stages = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            let testid = format!("maps-{}-{network}", stage.name);
            let label = format!("{MAPS}, of {}", stage.name);
            stages.push(figure(&stage.drawing, &testid, "inside-maps", &label, &stage.caption())?);
        }
        Ok(html! {
            p.words data-testid={ "words-" (network) } { (self.words) }
            @if let Some(note) = &self.none_of { p.hint data-testid={ "none-of-" (network) } { (note) } }
            div.evidence { @for figure in &evidence { (figure) } }
            p.hint { (self.colours) }
            (self.gauges(network))
            @for figure in &stages { (figure) }
        })
    }

    /// Returns a row for each detector: its false-alarm rate at the score of the picture, before and after the attack, and a button
    /// that attacks network and detector together.
    fn gauges(&self, network: &str) -> Markup {
        html! {
            @if !self.before.gauges.is_empty() {
                table.gauges {
                    caption {
                        "Detectors of attacks: how many of 100 untouched pictures resemble attacked ones at least as much as this picture does"
                    }
                    thead {
                        tr {
                            th scope="col" { "Detector" }
                            @for (when, _) in self.views() { th scope="col" { (when) } }
                        }
                    }
                    tbody {
                        @for (place, gauge) in self.before.gauges.iter().enumerate() {
                            tr {
                                th scope="row" {
                                    (gauge.kind.label()) " " small { (gauge.note) } " "
                                    button.plain
                                        type="button"
                                        data-testid={ "evade-" (gauge.kind) "-" (network) }
                                        data-evade=(gauge.kind)
                                        aria-label={ "Fool both, the network and its detector " (gauge.kind.label()) }
                                    { "Fool both" }
                                }
                                @for (_, view) in self.views() {
                                    @if let Some(gauge) = view.gauges.get(place) { (cell(gauge.share_above)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

impl StageMaps {
    fn caption(&self) -> String {
        let channels: Vec<String> = self.channels.iter().map(usize::to_string).collect();
        let change =
            self.change.map_or_else(String::new, |change| format!(", changed by {}", text::percent(change.into())));
        format!("{}{change}; channels {}: before, after, change", self.name, channels.join(", "))
    }
}

/// What the drawings are, to those who do not see them.
const EVIDENCE: &str = "the picture under the evidence of its cells, red for the answer, blue against it";
const MAPS: &str = "Feature maps before the attack, after it, and their difference";

fn figure(drawing: &Drawing, testid: &str, class: &str, label: &str, caption: &str) -> Result<Markup, StepError> {
    let source = drawing.to_data_url()?;
    Ok(html! {
        figure {
            img class=(class) data-testid=(testid) width=(drawing.width) height=(drawing.height) alt=(label) src=(source);
            figcaption { (caption) }
        }
    })
}

fn cell(share: f64) -> Markup {
    html! {
        td data-share={ (format!("{share:.4}")) } {
            (of_100(share)) " "
            span.bar aria-hidden="true" style={ "--share: " (format!("{:.4}", 1.0 - share)) } {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside() -> Inside {
        let drawing = || Drawing { width: 2, height: 1, rgb: vec![1, 2, 3, 4, 5, 6] };
        let gauge = |share_above| Gauge { kind: DetectorKind::Maps, share_above, note: "of <1>".into() };
        Inside {
            before: View { evidence: Some(drawing()), gauges: vec![gauge(0.5)] },
            after: Some(View { evidence: Some(drawing()), gauges: vec![gauge(0.013)] }),
            colours: "Red cells speak for a.".into(),
            stages: vec![StageMaps {
                name: "layer1".into(),
                change: Some(0.25),
                channels: vec![3, 7],
                drawing: drawing(),
            }],
            words: "It says \"a & b\".".into(),
            evasion: None,
            none_of: None,
        }
    }

    #[test]
    fn the_page_is_told_in_html() {
        let html = inside().written(Slot::Left).unwrap().html;
        for part in [
            "data-testid=\"words-left\">It says &quot;a &amp; b&quot;.</p>",
            "data-testid=\"evidence-before-left\" width=\"2\" height=\"1\"",
            "data-testid=\"evidence-after-left\"",
            "src=\"data:image/png;base64,iVBORw0KGgo",
            "<td data-share=\"0.5000\">50",
            "<td data-share=\"0.0130\">1",
            "data-evade=\"maps\" aria-label=\"Fool both, the network and its detector head on the middle stage\">Fool both</button>",
            "alt=\"After the attack: the picture under",
            "alt=\"Feature maps before the attack, after it, and their difference, of layer1\"",
            "of &lt;1&gt;",
            "layer1, changed by 25%; channels 3, 7: before, after, change",
        ] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
        assert!(!html.contains("none-of"));
    }

    #[test]
    fn without_an_attack_there_is_no_second_column() {
        let html = Inside { after: None, stages: vec![], ..inside() }.written(Slot::Right).unwrap().html;
        assert_eq!(html.matches("<td").count(), 1);
        assert!(!html.contains("evidence-after") && !html.contains("maps-layer1"));
    }

    #[test]
    fn the_report_has_the_same_in_json() {
        let Insight { json, .. } = inside().written(Slot::Left).unwrap();
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        let gauge = |share: f64| serde_json::json!([{ "detector": "maps", "untouched_share_at_least_as_high": share }]);
        let expected = serde_json::json!({
            "evasion": null, "words": "It says \"a & b\".", "none_of": null,
            "detectors_before": gauge(0.5), "detectors_after": gauge(0.013),
        });
        assert_eq!(read, expected);
    }
}
