//! Draws the page's sample pictures, without photographs, so that the repository may ship them.
//!
//! `cargo run -p shared --example draw_samples` writes `static/samples/*.png` and their `index.json`.
//! `cargo run -p shared --example draw_samples -- FOLDER COUNT` writes the first COUNT variants of every picture to FOLDER; the
//! variant of choice goes into `SAMPLES`.

#![allow(clippy::disallowed_methods, reason = "an example runs natively and may write files")]

mod animals;
mod canvas;
mod fruit;
mod outdoors;
mod paint;
mod things;

use std::error::Error;
use std::path::{Path, PathBuf};

use canvas::Canvas;
use paint::Dice;

/// Width and height of the written files, in pixels.
const SIDE: usize = 128;

/// A picture to draw.
struct Sample {
    file: &'static str,
    title: &'static str,
    /// Tiny ImageNet class of the picture.
    wnid: &'static str,
    draw: fn(&mut Canvas, &mut Dice),
    /// Number of the variant that is shipped.
    variant: u64,
}

const SAMPLES: &[Sample] = &[
    sample("goldfish", "Goldfish", "n01443537", animals::goldfish, 1),
    sample("monarch", "Monarch butterfly", "n02279972", animals::monarch, 0),
    sample("ladybug", "Ladybug", "n02165456", animals::ladybug, 0),
    sample("jellyfish", "Jellyfish", "n01910747", animals::jellyfish, 0),
    sample("orange", "Oranges", "n07747607", fruit::oranges, 0),
    sample("lemon", "Lemons", "n07749582", fruit::lemons, 0),
    sample("bell-pepper", "Bell pepper", "n07720875", fruit::bell_pepper, 1),
    sample("school-bus", "School bus", "n04146614", things::school_bus, 0),
    sample("alp", "Alp", "n09193705", outdoors::alp, 1),
    sample("seashore", "Seashore", "n09428293", outdoors::seashore, 0),
    sample("beacon", "Lighthouse", "n02814860", outdoors::lighthouse, 1),
    sample("obelisk", "Obelisk", "n03837869", outdoors::obelisk, 0),
];

const fn sample(
    file: &'static str,
    title: &'static str,
    wnid: &'static str,
    draw: fn(&mut Canvas, &mut Dice),
    variant: u64,
) -> Sample {
    Sample { file, title, wnid, draw, variant }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => write_samples(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../static/samples")),
        [folder, count] => write_variants(&PathBuf::from(folder), count.parse()?),
        _ => Err("give nothing, or a folder and the number of variants".into()),
    }
}

fn write_samples(folder: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    let mut index = Vec::new();
    for sample in SAMPLES {
        let file = format!("{}.png", sample.file);
        std::fs::write(folder.join(&file), png(sample, sample.variant)?)?;
        index.push(serde_json::json!({
            "file": file,
            "title": sample.title,
            "wnid": sample.wnid,
            "source": "drawn for this page",
        }));
    }
    std::fs::write(folder.join("index.json"), serde_json::to_string_pretty(&index)? + "\n")?;
    Ok(())
}

fn write_variants(folder: &Path, count: u64) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    for sample in SAMPLES {
        for variant in 0..count {
            std::fs::write(folder.join(format!("{}-{variant}.png", sample.file)), png(sample, variant)?)?;
        }
    }
    Ok(())
}

fn png(sample: &Sample, variant: u64) -> Result<Vec<u8>, image::ImageError> {
    let mut canvas = Canvas::new(SIDE);
    (sample.draw)(&mut canvas, &mut Dice::new(variant));
    canvas.png()
}
