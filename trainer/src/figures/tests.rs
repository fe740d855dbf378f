use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::canvas::{Canvas, Shape, WIDTH};
use super::frame::RIGHT;
use super::*;

fn estimate(value: f64) -> Estimate {
    Estimate { value, low: (value - 0.02).max(0.0), high: (value + 0.02).min(1.0) }
}

fn bars(values: &[&[f64]]) -> BarChart {
    let series = |(index, values): (usize, &&[f64])| BarSeries {
        name: format!("network <&> {index}"),
        values: values.iter().copied().map(estimate).collect(),
    };
    BarChart {
        title: "Accuracy at k".into(),
        x_label: "k".into(),
        y_label: "accuracy".into(),
        groups: vec!["top-1".into(), "top-5".into()],
        series: values.iter().enumerate().map(series).collect(),
    }
}

fn lines(y_percent: bool, points: &[(f64, f64)]) -> LineChart {
    let points = points.iter().map(|&(x, y)| (x, if y_percent { estimate(y) } else { Estimate::exact(y) })).collect();
    LineChart {
        title: "Accuracy against ε".into(),
        x_label: "ε".into(),
        y_label: "accuracy".into(),
        y_percent,
        series: vec![LineSeries { name: "hardened <&>".into(), points }],
    }
}

fn names(dir: &TempDir) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn check_files(dir: &TempDir, stem: &str, texts: &[&str]) {
    assert_eq!(names(dir), [format!("{stem}.svg")]);
    let svg = fs::read_to_string(dir.path().join(format!("{stem}.svg"))).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches('<').count(), svg.matches('>').count());
    let entities: usize = ["&lt;", "&gt;", "&amp;"].iter().map(|entity| svg.matches(entity).count()).sum();
    assert_eq!(svg.matches('&').count(), entities);
    for text in texts {
        assert!(svg.contains(&format!(">{text}</text>")), "{text} is not in {svg}");
    }
    assert!(svg.contains("fill=\"#0072b2\""), "nothing has the first series' colour");
}

/// Asserts that every shape is inside the figure, and no bar or curve beyond the plot's right end.
fn assert_inside(canvas: &Canvas) {
    for shape in &canvas.shapes {
        let points = match shape {
            Shape::Path { lines, .. } => lines.concat(),
            Shape::Text(text) => vec![text.at],
        };
        for (x, y) in points {
            assert!((0.0..=WIDTH.min(RIGHT + 10.0)).contains(&x), "{shape:?}");
            assert!((0.0..=canvas.height).contains(&y), "{shape:?}");
        }
    }
}

#[test]
fn bars_are_written() {
    let dir = TempDir::new().unwrap();
    let chart = bars(&[&[0.5, 0.875], &[0.25, 0.5]]);
    // Over an older one, and a name that looks as if it had an extension.
    chart.write(&dir.path().join("at-0.5")).unwrap();
    chart.write(&dir.path().join("at-0.5")).unwrap();
    let texts = ["Accuracy at k", "accuracy", "top-1", "top-5", "87.5", "100%"];
    check_files(&dir, "at-0.5", &texts);
    check_files(&dir, "at-0.5", &["network &lt;&amp;&gt; 0", "network &lt;&amp;&gt; 1"]);
}

#[test]
fn curves_are_written() {
    let dir = TempDir::new().unwrap();
    lines(true, &[(0.0, 0.9), (8.0, 0.5), (4.0, 0.7)]).write(&dir.path().join("epsilon")).unwrap();
    check_files(&dir, "epsilon", &["Accuracy against ε", "hardened &lt;&amp;&gt;", "accuracy", "ε", "4", "8", "100%"]);
}

#[test]
fn extremes_stay_inside() {
    assert_inside(&bars(&[&[0.0, 1.0], &[1.0, 0.0]]).draw());
    assert_inside(&lines(true, &[(0.0, 1.0), (1.0, 0.0)]).draw());
    assert_inside(&lines(false, &[(-1e99, 1e99), (1e99, -1e99)]).draw());
    assert_inside(&lines(false, &[(0.0, 1e-30), (1e-30, 0.0)]).draw());
    for point in [(0.0, 0.0), (3.0, -2.0), (1e99, 1e99)] {
        assert_inside(&lines(false, &[point]).draw());
        assert_inside(&lines(false, &[point, point]).draw());
    }
}

#[test]
fn long_and_many_names_stay_inside() {
    let values: &[f64] = &[0.5; 200];
    let mut chart = bars(&[values; 30]);
    chart.groups = (0..200).map(|i| format!("the group of number {i}, whose name is long")).collect();
    chart.series.iter_mut().for_each(|series| series.name = "word ".repeat(99));
    (chart.title, chart.y_label, chart.x_label) = ("word ".repeat(99), "word ".repeat(99), "word ".repeat(99));
    let canvas = chart.draw();
    assert_inside(&canvas);
    for shape in &canvas.shapes {
        let Shape::Text(text) = shape else { continue };
        assert!(font::width(&text.content, text.size) <= RIGHT, "{text:?}");
    }
    // Thirty rows of names make the figure higher, so that the bars keep their height.
    assert!(canvas.height > 1000.0, "{}", canvas.height);
}

fn assert_refused(write: impl Fn(&Path) -> Result<()>, reason: &str) {
    let dir = TempDir::new().unwrap();
    let error = format!("{:#}", write(&dir.path().join("chart")).unwrap_err());
    assert!(error.starts_with("cannot draw the chart \"Accuracy") && error.contains(reason), "{error}");
    assert_eq!(names(&dir), [""; 0]);
}

#[test]
fn what_cannot_be_drawn_leaves_no_file() {
    let refused = |values: &[&[f64]], reason| assert_refused(|path| bars(values).write(path), reason);
    refused(&[], "no series");
    refused(&[&[0.5, 0.5], &[0.5]], "\"network <&> 1\" has 1 values for 2 groups");
    refused(&[&[0.5, 0.5, 0.5]], "3 values for 2 groups");
    refused(&[&[0.5, f64::NAN]], "\"network <&> 0\" in the group \"top-5\": NaN cannot be drawn");
    refused(&[&[0.5, 87.0]], "is not in [0, 1]");
    let no_groups = BarChart { groups: Vec::new(), ..bars(&[&[]]) };
    assert_refused(|path| no_groups.write(path), "no groups");
    let mut astray = bars(&[&[0.5, 0.5]]);
    astray.series[0].values[1].low = 0.6;
    assert_refused(|path| astray.write(path), "outside its interval");

    let refused = |points: &[(f64, f64)], reason| assert_refused(|path| lines(false, points).write(path), reason);
    refused(&[], "\"hardened <&>\" has no points");
    refused(&[(f64::INFINITY, 0.5)], "inf cannot be drawn");
    refused(&[(0.0, 0.5), (4.0, f64::NAN)], "\"hardened <&>\" at 4: NaN cannot be drawn");
    assert_refused(|path| lines(true, &[(0.0, 1.5)]).write(path), "is not in [0, 1]");
    let empty = LineChart { series: Vec::new(), ..lines(true, &[]) };
    assert_refused(|path| empty.write(path), "no series");
}

#[test]
fn a_failed_write_names_its_file() {
    let dir = TempDir::new().unwrap();
    let error = bars(&[&[0.5, 0.5]]).write(&dir.path().join("missing/chart")).unwrap_err();
    assert!(format!("{error:#}").contains("missing/chart.svg"), "{error:#}");
}
