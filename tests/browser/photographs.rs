//! Real photographs, from the data set's validation pictures where they are available: the page's predictions equal the native
//! ones.

use std::env;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use shared::image::Picture;
use shared::metrics::top_k;

use crate::native::Native;
use crate::page::{Attack, CPU_TIMEOUT, Page, SIDES};
use crate::server::{Server, page_folder};
use crate::session::{Graphics, browse};
use crate::visit::assert_shares;

const PHOTOGRAPHS: usize = 10;
/// Bytes of a picture of 64x64 in 8-bit RGB.
const BYTES: usize = 64 * 64 * 3;
/// Number of validation pictures in the whole data set.
const WHOLE: usize = 10_000;

#[test]
#[ignore = "needs the built page and Chromium: cargo xtask test"]
fn photographs_get_the_native_verdicts() {
    let photographs = match photographs() {
        Ok(photographs) => photographs,
        Err(reason) => return println!("skipped: {reason}"),
    };
    assert_eq!(photographs.len(), PHOTOGRAPHS);
    let native = Native::load(&page_folder());
    let folder = tempfile::tempdir().unwrap();
    browse(Graphics::NoAdapter, async |client| {
        let server = Server::start(&page_folder());
        let page = Page::open(client, &server.url, "?backend=cpu", CPU_TIMEOUT).await;
        page.wait_until_ready().await;
        let attack = Attack { kind: "fgsm", epsilon_255: 4, steps: 1 };
        for (number, photograph) in photographs.iter().enumerate() {
            let file = folder.path().join(format!("photograph {number}.png"));
            fs::write(&file, photograph.encode_png().unwrap()).unwrap();
            page.upload(&file).await;
            page.attack(attack).await;
            for side in SIDES {
                let shares = native.shares(side, photograph.as_rgb8());
                let clean = page.answers("clean", side).await;
                assert_shares(&clean, &shares);
                assert_eq!(clean[0].0, first(&shares), "photograph {number}, {side}");

                // The page classifies the picture that it shows.
                let attacked = page.answers("attacked", side).await;
                let shown = page.pixels(&format!("attacked-canvas-{side}")).await;
                assert_shares(&attacked, &native.shares(side, &shown));
                // The native attack's picture may differ where a gradient is near zero, which changes no clear prediction.
                let natively = native.shares(side, &native.fgsm(side, photograph.as_rgb8(), attack.epsilon_255));
                let best = top_k(&natively, 2);
                let is_clear = natively[best[0]] - natively[best[1]] > 0.02;
                assert!(
                    !is_clear || attacked[0].0 == first(&natively),
                    "photograph {number}, {side}: class {} here, {} natively",
                    attacked[0].0,
                    first(&natively)
                );
                println!("photograph {number}, {side}: class {}, attacked {}", clean[0].0, attacked[0].0);
            }
        }
    });
}

/// Returns the most probable class.
fn first(shares: &[f32]) -> u64 {
    top_k(shares, 1)[0] as u64
}

/// Reads some validation pictures, spread over the set; the error says why there are none.
fn photographs() -> Result<Vec<Picture>, String> {
    imported().or_else(|no_import| archived().map_err(|no_archive| format!("{no_import}; {no_archive}")))
}

/// Reads pictures from the folder that `bastion data import` has written.
fn imported() -> Result<Vec<Picture>, String> {
    let folder = match env::var_os("BASTION_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => repository().join("data/tiny-imagenet-200"),
    };
    let path = folder.join("val.rgb8");
    let failed = |error: std::io::Error| format!("no imported data set ({}: {error})", path.display());
    let mut file = File::open(&path).map_err(failed)?;
    let count = usize::try_from(file.metadata().map_err(failed)?.len()).unwrap() / BYTES;
    if count < PHOTOGRAPHS {
        return Err(format!("{} has only {count} pictures", path.display()));
    }
    let read = |number: usize| {
        let mut rgb8 = vec![0; BYTES];
        file.seek(SeekFrom::Start((number * BYTES) as u64)).map_err(failed)?;
        file.read_exact(&mut rgb8).map_err(failed)?;
        Picture::from_rgb8(rgb8).map_err(|error| error.to_string())
    };
    spread(count).map(read).collect()
}

/// Reads pictures from the archive, which `tar` and `zstd` unpack.
fn archived() -> Result<Vec<Picture>, String> {
    let archive = repository().join("../shared/data/tiny-imagenet-200.tar.zst");
    if !archive.is_file() {
        return Err(format!("no archive ({})", archive.display()));
    }
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> =
        spread(WHOLE).map(|number| format!("tiny-imagenet-200/val/images/val_{number}.JPEG")).collect();
    let unpacked = Command::new("tar")
        .args(["--zstd", "-xf"])
        .arg(&archive)
        .arg("-C")
        .arg(folder.path())
        .args(&names)
        .stderr(Stdio::null())
        .status();
    if !unpacked.is_ok_and(|status| status.success()) {
        return Err(format!("tar and zstd cannot unpack {}", archive.display()));
    }
    let read = |name: &String| {
        let bytes = fs::read(folder.path().join(name)).map_err(|error| format!("{name}: {error}"))?;
        Picture::decode(&bytes).map_err(|error| error.to_string())
    };
    names.iter().map(read).collect()
}

/// Returns evenly spaced numbers of `PHOTOGRAPHS` of `count` pictures.
fn spread(count: usize) -> impl Iterator<Item = usize> {
    (0..PHOTOGRAPHS).map(move |place| (2 * place + 1) * count / (2 * PHOTOGRAPHS))
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}
