//! A link that restores what is shown: the sample, the attack, what disturbs the picture, and both networks.
//!
//! A visitor's own picture is in no link: it never leaves the device.

use super::State;
use crate::text;
use protocol::{Disturbance, Pair, Settings, Slot};
use terms::picture::Crop;

/// What an address asks for.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Link {
    /// A sample's file, without its folder.
    pub sample: Option<String>,
    /// The square of it that the networks see; none is the one in the middle.
    pub crop: Option<Crop>,
    /// The attack, but for its target.
    pub settings: Settings,
    /// The target, as a class's WordNet id or name.
    pub target: Option<String>,
    /// What happens to the picture.
    pub disturbance: Disturbance,
    /// The two networks' folders.
    pub pair: Option<Pair>,
    /// Whether the attack is to begin at once.
    pub attack: bool,
}

/// Names in the address.
mod key {
    pub(super) const SAMPLE: &str = "sample";
    pub(super) const CROP: &str = "crop";
    pub(super) const ATTACK: &str = "attack";
    pub(super) const EPSILON: &str = "eps";
    pub(super) const EPSILON_L2: &str = "eps-l2";
    pub(super) const PIXELS: &str = "pixels";
    pub(super) const STEPS: &str = "steps";
    pub(super) const STEP_SIZE: &str = "step";
    pub(super) const TARGET: &str = "target";
    pub(super) const STOP: &str = "stop";
    pub(super) const FROM: &str = "from";
    pub(super) const SEED: &str = "seed";
    pub(super) const NETWORKS: &str = "networks";
    pub(super) const DISTURBANCE: &str = "disturb";
    pub(super) const GO: &str = "go";
}

impl Link {
    /// Reads the names and values of an address; `get` gives a name's value. What makes no sense is left at its default, and what
    /// is out of range brought into it: an address may be cut or mistyped.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Self {
        /// Reads a number; one that is out of the type's range becomes the nearest in it.
        fn number<T: TryFrom<i64>>(value: Option<String>, lowest: T, highest: T) -> Option<T> {
            let value: i64 = value?.parse().ok()?;
            Some(T::try_from(value).unwrap_or(if value < 0 { lowest } else { highest }))
        }
        let usual = Settings::default();
        let from = get(key::FROM);
        let settings = Settings {
            kind: get(key::ATTACK).and_then(|name| name.parse().ok()).unwrap_or(usual.kind),
            epsilon_255: number(get(key::EPSILON), 0, u8::MAX).unwrap_or(usual.epsilon_255),
            epsilon_l2_hundredths: number(get(key::EPSILON_L2), 0, u16::MAX).unwrap_or(usual.epsilon_l2_hundredths),
            pixels: number(get(key::PIXELS), 0, u8::MAX).unwrap_or(usual.pixels),
            steps: number(get(key::STEPS), 0, u32::MAX).unwrap_or(usual.steps),
            step_size_tenths: get(key::STEP_SIZE).and_then(|size| tenths(&size)),
            stop_at_success: get(key::STOP).as_deref() == Some("1"),
            crafted_on: Slot::ALL.into_iter().find(|slot| from.as_deref() == Some(slot.name())),
            seed: number(get(key::SEED), 0, u32::MAX).unwrap_or(usual.seed),
            target: None,
        };
        Self {
            sample: get(key::SAMPLE),
            crop: get(key::CROP).and_then(|text| crop(&text)),
            settings: settings.within_range(0),
            target: get(key::TARGET),
            disturbance: get(key::DISTURBANCE).map(|text| disturbance(&text)).unwrap_or_default(),
            pair: get(key::NETWORKS).and_then(|text| {
                let (left, right) = text.split_once(',')?;
                Some([left.to_owned(), right.to_owned()])
            }),
            attack: get(key::GO).as_deref() == Some("1"),
        }
    }

    /// Returns the link as it stands in an address, behind the question mark.
    pub fn query(&self) -> String {
        let parts: Vec<String> =
            self.write().into_iter().map(|(name, value)| format!("{name}={}", escaped(&value))).collect();
        parts.join("&")
    }

    /// Returns names and values, but for those that are as usual; not escaped.
    pub fn write(&self) -> Vec<(&'static str, String)> {
        // Without `..`, so that what no link restores fails to compile.
        let Self { sample, crop, settings, target, disturbance, pair, attack } = self;
        let &Settings {
            kind,
            epsilon_255,
            epsilon_l2_hundredths,
            pixels,
            steps,
            step_size_tenths,
            // A number that stands for another class in another network; the link has its name.
            target: _,
            stop_at_success,
            crafted_on,
            seed,
        } = settings;
        let usual = Settings::default();
        let mut parts = Vec::new();
        let mut add = |name, value: Option<String>| parts.extend(value.map(|value| (name, value)));
        add(key::SAMPLE, sample.clone());
        add(key::CROP, crop.map(|Crop { x, y, side }| format!("{x},{y},{side}")));
        add(key::ATTACK, (kind != usual.kind).then(|| kind.name().into()));
        add(key::EPSILON, (epsilon_255 != usual.epsilon_255).then(|| epsilon_255.to_string()));
        let l2 = epsilon_l2_hundredths;
        add(key::EPSILON_L2, (l2 != usual.epsilon_l2_hundredths).then(|| l2.to_string()));
        add(key::PIXELS, (pixels != usual.pixels).then(|| pixels.to_string()));
        add(key::STEPS, (steps != usual.steps).then(|| steps.to_string()));
        add(key::STEP_SIZE, step_size_tenths.map(|tenths| format!("{}.{}", tenths / 10, tenths % 10)));
        add(key::TARGET, target.clone());
        add(key::STOP, stop_at_success.then(|| "1".into()));
        add(key::FROM, crafted_on.map(|slot| slot.name().into()));
        add(key::SEED, (seed != usual.seed).then(|| seed.to_string()));
        add(key::DISTURBANCE, (!disturbance.is_none()).then(|| disturbance_text(disturbance)));
        add(key::NETWORKS, pair.as_ref().map(|pair| pair.join(",")));
        add(key::GO, attack.then(|| "1".into()));
        parts
    }
}

/// Returns the disturbance's names in an address, each with its value: `rotate.15_fog.3`.
fn disturbance_text(disturbance: &Disturbance) -> String {
    let usual = Disturbance::default();
    let unusual = Disturbance::VALUES.into_iter().filter(|value| value.get(disturbance) != value.get(&usual));
    let mut parts: Vec<_> = unusual.map(|value| format!("{}.{}", value.key, value.get(disturbance))).collect();
    if let Some(corruption) = disturbance.corruption {
        // Names have a low line of their own.
        parts.push(format!("{}.{}", corruption.name().replace('_', "-"), disturbance.severity));
    }
    parts.join("_")
}

/// `1.5` as 15: one digit behind the point, and no more is read; what is below zero is zero. The standard library's way to read
/// any number would bring tables that do not compress: see [`crate::json`].
fn tenths(text: &str) -> Option<u16> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let tenth = rest.chars().next().map_or(Some(0), |digit| digit.to_digit(10))?;
    let whole: i64 = whole.parse().ok()?;
    let tenths = whole.saturating_mul(10).saturating_add(tenth.into());
    if text.starts_with('-') { Some(0) } else { Some(u16::try_from(tenths).unwrap_or(u16::MAX)) }
}

/// Left, top and side: `120,40,300`.
fn crop(text: &str) -> Option<Crop> {
    let numbers: Vec<u32> = text.split(',').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let [x, y, side] = numbers[..] else { return None };
    Some(Crop { x, y, side })
}

fn disturbance(text: &str) -> Disturbance {
    let mut disturbance = Disturbance::default();
    for (name, value) in text.split('_').filter_map(|part| part.split_once('.')) {
        let Ok(value) = value.parse::<i32>() else { continue };
        if let Some(known) = Disturbance::VALUES.into_iter().find(|known| known.key == name) {
            known.set(&mut disturbance, value);
        } else if let Some(kind) = text::corruption(&name.replace('-', "_")) {
            disturbance.corruption = Some(kind);
            Disturbance::SEVERITY.set(&mut disturbance, value);
        }
    }
    disturbance
}

impl State {
    /// Returns the same page as a link asks for it.
    #[must_use]
    pub fn following(mut self, link: Link) -> Self {
        self.attack.settings = link.settings;
        self.picture.disturbance = link.disturbance;
        self.attack.resume = link.attack;
        if link.pair.is_some() {
            self = self.remembering(link.pair.clone());
        }
        self.link = link;
        self
    }

    /// Returns the sample that the address asks for.
    pub(super) fn linked_sample(&self) -> Option<usize> {
        let file = self.link.sample.as_deref()?;
        self.samples.iter().position(|sample| sample.file == file)
    }

    /// Finds the target that the address asks for among the classes, which are known by now.
    pub(super) fn resolve_link(&mut self) {
        if let Some(target) = self.link.target.take() {
            self.attack.settings.target =
                self.classes.iter().position(|class| class.wnid == target || class.name == target);
        }
    }

    /// Returns the names and values of a link to what is wanted now, as they stand in an address, behind the question mark.
    pub fn link_query(&self) -> String {
        self.link_with(self.attack.settings, self.picture.disturbance).query()
    }

    /// Returns a link to the picture that is shown, attacked with these settings after this has disturbed it.
    pub(super) fn link_with(&self, settings: Settings, disturbance: Disturbance) -> Link {
        let sample = self.picture.shown.as_ref().and_then(|shown| self.samples.get(shown.candidate.file.sample?));
        let class = settings.target.and_then(|target| self.classes.get(target));
        let pair = Slot::ALL.map(|slot| self.shown(slot).map(str::to_owned));
        let usual = self.networks.iter().take(2).map(|listed| listed.folder.as_str());
        let [left, right] = pair;
        let pair = left.zip(right).map(|(left, right)| [left, right]);
        Link {
            crop: sample.and(self.picture.shown.as_ref()).and_then(|shown| shown.candidate.crop),
            sample: sample.map(|sample| sample.file.clone()),
            settings: Settings { target: None, ..settings },
            target: class.map(|class| class.wnid.clone()),
            disturbance,
            pair: pair.filter(|pair| !usual.eq(pair.iter().map(String::as_str))),
            attack: self.attack_is_shown(),
        }
    }

    /// Returns what a link leaves out: a picture of the visitor's own.
    pub fn link_lacks_picture(&self) -> bool {
        self.picture.shown.as_ref().is_some_and(|shown| shown.candidate.file.sample.is_none())
    }
}

/// Escaped as an address wants it (RFC 3986): but for what needs no escape in a query.
fn escaped(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~,".contains(&byte);
    value.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use terms::corruption::Corruption;

    use super::super::tests;
    use super::*;

    fn through(link: &Link) -> Link {
        let parts = link.write();
        Link::read(|name| parts.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()))
    }

    #[test]
    fn a_link_comes_through_unchanged() {
        // What it aims at stands beside them.
        let settings = Settings { target: None, ..tests::unusual_settings() };
        let disturbance = tests::unusual_disturbance();
        let link = Link {
            sample: Some("school-bus.png".into()),
            crop: Some(Crop { x: 120, y: 0, side: 300 }),
            settings,
            target: Some("n01443537".into()),
            disturbance,
            pair: Some(["standard".into(), "wide".into()]),
            attack: true,
        };
        assert_eq!(through(&link), link);
        assert_eq!(through(&Link::default()), Link::default());
        assert!(Link::default().write().is_empty(), "what is as usual is not said");
    }

    #[test]
    fn nonsense_is_left_out_and_extremes_are_brought_back() {
        let odd = [
            ("attack", "rubber-hose"),
            ("crop", "1,2,3,4"),
            ("eps", "300"),
            ("steps", "99999"),
            ("step", "-4"),
            ("from", "above"),
            ("networks", "one"),
            ("disturb", "zoom.9999_rotate.x_fog.9_mirror"),
            ("seed", "-1"),
        ];
        let link = Link::read(|name| odd.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into()));
        let disturbance =
            Disturbance { zoom_percent: 200, corruption: Some(Corruption::Fog), severity: 5, ..Default::default() };
        let settings =
            Settings { epsilon_255: 32, steps: Settings::MAX_STEPS, step_size_tenths: Some(1), ..Settings::default() };
        assert_eq!(link, Link { disturbance, settings, ..Link::default() });
    }

    #[test]
    fn a_step_size_has_one_digit_behind_the_point() {
        let read = ["2.5", "1", "0.3", "12.79", "3.", "99999999999", "-99999999999", "-0.5"].map(tenths);
        assert_eq!(read, [Some(25), Some(10), Some(3), Some(127), Some(30), Some(u16::MAX), Some(0), Some(0)]);
        assert_eq!(["", ".5", "x", "1.x", "1.é", "1e3", "1,5"].map(tenths), [None; 7]);
    }

    #[test]
    fn values_are_escaped() {
        assert_eq!(escaped("a b&c=ü,1.5"), "a%20b%26c%3D%C3%BC,1.5");
    }
}
