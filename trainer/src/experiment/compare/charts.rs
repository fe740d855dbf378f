//! The figures: accuracy against what it costs.

use std::path::Path;

use anyhow::Result;

use super::results::{ComparedNetwork, ComparisonReport, NetworkResult};
use crate::experiment::document::Block;
use crate::figures::{Estimate, LineChart, LineSeries};

/// Writes the figures of `report` into `out`, and returns them. Where nothing is done, there are none.
///
/// # Errors
/// When one cannot be written.
pub fn write(report: &ComparisonReport, out: &Path) -> Result<Vec<Block>> {
    let charts = [
        (
            "accuracy-macs",
            "billions of multiply-accumulate operations a picture",
            (|network, _| network.macs as f64 / 1e9) as fn(&ComparedNetwork, &NetworkResult) -> f64,
        ),
        ("accuracy-speed", "images a second in inference, measured here", |_, done| done.inference_images_per_second),
    ];
    let mut written = vec![];
    for (file, x_label, x) in charts {
        let chart = chart(report, x_label, x);
        if !chart.series.is_empty() {
            chart.write(&out.join(file))?;
            written.push(Block::Figure { file: file.into(), caption: format!("{}: {x_label}", chart.title) });
        }
    }
    Ok(written)
}

/// Returns a chart with a point for each network.
fn chart(report: &ComparisonReport, x_label: &str, x: impl Fn(&ComparedNetwork, &NetworkResult) -> f64) -> LineChart {
    let point = |entry: &ComparedNetwork| {
        let done = entry.done.as_ref()?;
        let [low, high] = done.top1_interval;
        let accuracy = Estimate { value: done.top1.value(), low, high };
        Some(LineSeries { name: entry.arch.clone(), points: vec![(x(entry, done), accuracy)] })
    };
    LineChart {
        title: format!("Top-1 accuracy, {} validation images", report.images),
        x_label: x_label.into(),
        y_label: "top-1 accuracy".into(),
        y_percent: true,
        series: report.networks.iter().filter_map(point).collect(),
    }
}
