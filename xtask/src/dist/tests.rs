//! Builds the folder for a web server from a made-up page.

use super::*;
use std::io::Read;
use tempfile::TempDir;

const PAGE: &str = "<!doctype html>
<html><head><title>x</title>
<link rel=\"stylesheet\" href=\"a.css\" />
<meta name=\"bastion-cpu-engine\" content=\"cpu-engine_loader.js cpu-engine.js cpu-engine_bg.wasm\" />
<meta name=\"bastion-gpu-engine\" content=\"gpu-engine_loader.js gpu-engine.js gpu-engine_bg.wasm\" />
<meta name=\"bastion-decoder\" content=\"decoder_loader.js decoder.js decoder_bg.wasm\" />
<script type=\"module\">import init from \"./app.js\"; init(\"./app_bg.wasm\");</script></head>
<body><!-- The texts about attacks. --></body></html>
";

/// Returns a folder with programs, below `programs`, and all other sources of a page.
fn workspace() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let write = |file: &str, content: &[u8]| {
        let file = root.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    };
    write("index.html", PAGE.as_bytes());
    write("a.css", b"a {}");
    write("programs/app.js", b"// program");
    write("programs/app_bg.wasm", &[7; 9_000]);
    write("programs/cpu-engine.js", &[b' '; 2_000]);
    write("programs/cpu-engine_bg.wasm", &[0; 900_000]);
    write("programs/gpu-engine.js", &[b'\n'; 2_000]);
    write("programs/gpu-engine_bg.wasm", &[2; 950_000]);
    write("programs/decoder.js", &[b' '; 1_000]);
    write("programs/decoder_bg.wasm", &[5; 90_000]);
    let loader = "static/worker_loader.js";
    write(loader, &fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(loader)).unwrap());
    write("static/models/index.json", br#"{"models": ["standard", "hardened"]}"#);
    for model in ["standard", "hardened"] {
        write(&format!("static/models/{model}/model.json"), &[b' '; 1_000]);
        write(&format!("static/models/{model}/model.safetensors"), &[9; 20_000]);
    }
    write("static/samples/index.json", b"[]");
    write("static/samples/orange.png", &[3; 20_000]);
    write("static/samples/local/index.json", b"[]");
    write("static/samples/local/n01443537.png", &[3; 20_000]);
    root
}

fn assembled(root: &TempDir) -> TempDir {
    let out = tempfile::tempdir().unwrap();
    let root = root.path();
    assemble(&mut Steps::new(), root, &root.join("programs"), out.path(), Effort::Quick, |_| Ok(())).unwrap();
    out
}

fn names(out: &TempDir) -> Vec<String> {
    files(out.path()).unwrap().iter().map(|file| address_of(file, out.path()).unwrap()).collect()
}

#[test]
fn pictures_that_may_not_be_passed_on_stay_behind() {
    let root = workspace();
    let out = assembled(&root);
    assert!(out.path().join("samples/orange.png").is_file());
    assert!(!out.path().join("samples/local").exists());
    let demo = tempfile::tempdir().unwrap();
    page::copy(root.path(), &root.path().join("programs"), demo.path(), Samples::Local).unwrap();
    assert!(demo.path().join("samples/local/n01443537.png").is_file(), "the demo has lost its own");
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let out = workspace();
    let error = prepare(Some(out.path().to_path_buf())).unwrap_err().to_string();
    assert!(error.contains("is not empty"), "{error}");
    assert!(out.path().join("index.html").is_file());
    prepare(Some(out.path().join("new"))).unwrap();
}

#[test]
fn the_workers_names_have_a_hash_and_page_and_loaders_use_them() {
    let root = workspace();
    let out = assembled(&root);
    let names = names(&out);
    let page = fs::read_to_string(out.path().join("index.html")).unwrap();
    let named = |worker: &str| -> [String; 3] {
        let start = format!("<meta name=\"bastion-{worker}\" content=\"");
        let meta = page.split_once(&start).unwrap().1.split_once('"').unwrap().0;
        meta.split(' ').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap()
    };
    for worker in ["cpu-engine", "gpu-engine", "decoder"] {
        let files = named(worker);
        for name in &files {
            assert!(name.starts_with(worker) && headers::never_changes(name) && names.contains(name), "{name}");
        }
        let [loader, script, program] = files;
        let text = fs::read_to_string(out.path().join(loader)).unwrap();
        assert!(text.contains(&format!("./{script}")) && text.contains(&format!("./{program}")), "{text}");
        assert_eq!(text.contains("unpackedBytes = 900000;"), worker == "cpu-engine", "{text}");
        for gone in [format!("{worker}.js"), format!("{worker}_bg.wasm"), format!("{worker}_loader.js")] {
            assert!(!names.contains(&gone) && !page.contains(&gone), "{gone}");
        }
    }
    for gone in ["app.js", "app_bg.wasm"] {
        assert!(!names.contains(&gone.to_owned()) && !page.contains(gone), "{gone}");
    }
    let [loader, script, program] = &named("cpu-engine");
    // Another engine has another name, and so has its loader.
    fs::write(root.path().join("programs/cpu-engine_bg.wasm"), [1; 900_000]).unwrap();
    let other = fs::read_to_string(assembled(&root).path().join("index.html")).unwrap();
    assert!(other.contains(script) && !other.contains(program) && !other.contains(loader), "{other}");
    assert!(
        ["gpu-engine", "decoder"].iter().all(|worker| named(worker).iter().all(|name| other.contains(name))),
        "{other}"
    );
}

#[test]
fn an_engine_that_is_not_there_is_named() {
    let root = workspace();
    let (root, programs) = (root.path(), root.path().join("programs"));
    fs::remove_file(programs.join("gpu-engine_bg.wasm")).unwrap();
    let out = tempfile::tempdir().unwrap();
    let error = assemble(&mut Steps::new(), root, &programs, out.path(), Effort::Quick, |_| Ok(())).unwrap_err();
    assert!(format!("{error:#}").contains("there is no gpu-engine_bg.wasm"), "{error:#}");
}

#[test]
fn files_that_become_smaller_have_compressed_copies() {
    let out = assembled(&workspace());
    let names = names(&out);
    let app = names.iter().find(|name| name.starts_with("app-") && name.ends_with("_bg.wasm")).unwrap();
    let has = |name: &str| names.contains(&name.to_owned());
    for name in [app, "models/standard/model.json"] {
        assert!(has(&format!("{name}.br")) && has(&format!("{name}.gz")), "{name}: {names:?}");
    }
    // A few bytes become no smaller, and pictures and weights are not compressed.
    for name in ["samples/index.json", "samples/orange.png", "models/standard/model.safetensors"] {
        assert!(has(name) && !has(&format!("{name}.br")) && !has(&format!("{name}.gz")), "{name}: {names:?}");
    }
    let copy = |ending: &str| fs::read(out.path().join(format!("models/standard/model.json{ending}"))).unwrap();
    let mut brotli = Vec::new();
    brotli::Decompressor::new(copy(".br").as_slice(), 4096).read_to_end(&mut brotli).unwrap();
    let mut gzip = Vec::new();
    flate2::read::GzDecoder::new(copy(".gz").as_slice()).read_to_end(&mut gzip).unwrap();
    assert!(brotli == copy("") && gzip == copy(""));
}

#[test]
fn sizes_are_shown_beside_their_budgets() {
    let out = assembled(&workspace());
    let table = budget::table(out.path()).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    let line = |name: &str| lines.iter().find(|line| line.starts_with(name)).copied().unwrap_or_default();
    assert_eq!(line("samples/orange.png").split_whitespace().skip(1).collect::<Vec<_>>(), ["20.0", "kB", "-", "-"]);
    let app = lines.iter().find(|line| line.starts_with("app-") && line.contains("_bg.wasm"));
    assert!(app.is_some_and(|line| line.contains("9.0 kB")), "{table}");
    let is_copy = |file: &Path| file.extension().is_some_and(|extension| extension == "br" || extension == "gz");
    let originals = files(out.path()).unwrap().into_iter().filter(|file| !is_copy(file));
    let raw: u64 = originals.map(|file| bytes(&file).unwrap()).sum();
    assert_eq!(line("total").split_whitespace().nth(1), human(raw).split_whitespace().next(), "{table}");

    let budgets = Budgets::of(out.path()).unwrap();
    assert!(budgets.overruns().is_empty(), "{budgets}");
    fs::write(out.path().join("models/hardened/model.safetensors"), vec![9; 8_000_001]).unwrap();
    let budgets = Budgets::of(out.path()).unwrap();
    let overruns = budgets.overruns();
    assert!(overruns.len() == 1 && overruns[0].contains("network hardened"), "{overruns:?}");
    let table = budgets.to_string();
    assert!(table.contains("OVER"), "{table}");
    for part in ["engine for the CPU", "engine for WebGPU", "decoder"] {
        let row = table.lines().find(|line| line.starts_with(part));
        assert!(row.is_some_and(|row| !row.contains(" 0.0 kB of")), "{part}: {table}");
    }
}
