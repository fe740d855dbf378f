//! A figure as SVG. Its text stays text, which can be searched and copied.

use super::canvas::{Anchor, Canvas, Fill, Point, Rgb, Shape, Stroke, Text, WIDTH};
use super::font;

/// Encodes the figure as an SVG document.
pub fn encode(canvas: &Canvas) -> String {
    let (width, height, title) = (WIDTH, canvas.height, escaped(&font::one_line(&canvas.title)));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"{}\">\n\
         <title>{title}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n",
        font::FAMILY
    );
    for shape in &canvas.shapes {
        svg += &match shape {
            Shape::Path { lines, closed, fill, stroke } => path(lines, *closed, *fill, *stroke),
            Shape::Text(text) => text_element(text),
        };
    }
    svg + "</svg>\n"
}

fn path(lines: &[Vec<Point>], closed: bool, fill: Option<Fill>, stroke: Option<Stroke>) -> String {
    let mut data = String::new();
    for line in lines {
        for (&(x, y), command) in line.iter().zip(std::iter::once('M').chain(std::iter::repeat('L'))) {
            data += &format!("{command}{} {}", number(x), number(y));
        }
        data += if closed { "Z" } else { "" };
    }
    let fill = fill.map_or("fill=\"none\"".into(), |fill| match fill.opacity {
        1.0 => format!("fill=\"{}\"", hex(fill.colour)),
        opacity => format!("fill=\"{}\" fill-opacity=\"{opacity}\"", hex(fill.colour)),
    });
    let stroke = stroke.map_or(String::new(), |stroke| {
        let dash: Vec<String> = stroke.dash.iter().map(f64::to_string).collect();
        let dash = if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{}\"", dash.join(" ")) };
        format!(" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"{dash}", hex(stroke.colour), stroke.width)
    });
    format!("<path d=\"{data}\" {fill}{stroke}/>\n")
}

fn text_element(text: &Text) -> String {
    let (x, y) = (number(text.at.0), number(text.at.1));
    let anchor = match text.anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    let turn = if text.angle == 0.0 { String::new() } else { format!(" transform=\"rotate({} {x} {y})\"", text.angle) };
    format!(
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" font-size=\"{}\" fill=\"{}\"{turn}>{}</text>\n",
        number(text.size),
        hex(super::canvas::INK),
        escaped(&text.content)
    )
}

fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Formats a coordinate, to a hundredth.
fn number(value: f64) -> String {
    ((value * 100.0).round() / 100.0).to_string()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
