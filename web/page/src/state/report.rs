//! All that is shown of a picture and of an attack on it, as JSON: what somebody else needs to check it.

use super::{Column, State, Verdict};
use crate::json::Json;
use protocol::{BackendReport, Control, Disturbance, Guess, Measured, Point, Radius, Settings, Slot, Step, Value};
use terms::attack::{Norm, StepSize};
use terms::picture::Crop;

/// Of what kind the report is; changes whenever a field changes its meaning.
const FORMAT: usize = 2;

impl State {
    /// Tells whether there is something to report: both networks have looked at a picture.
    pub fn can_report(&self) -> bool {
        self.picture.shown.is_some() && self.columns.iter().any(|column| !column.clean.is_empty())
    }

    /// Returns all that is shown of the picture and the attack, but for the pictures themselves; none before a picture is
    /// classified.
    pub fn report(&self) -> Option<Json> {
        let shown = self.picture.shown.as_ref().filter(|_| self.can_report())?;
        let attacked = self.columns.iter().any(|column| !column.steps.is_empty());
        let (width, height) = shown.candidate.size;
        let picture = Json::Object(vec![
            ("title", Json::text(&shown.candidate.file.title)),
            ("label", Json::or_null(self.label(), |class| self.class(class))),
            ("original_size", Json::List(vec![Json::number(width), Json::number(height)])),
            ("crop", Json::or_null(self.seen_crop(), |(crop, _)| of_crop(crop))),
            ("disturbance", disturbance(&self.picture.disturbed_with)),
        ]);
        let attack = Json::Object(vec![
            ("settings", settings(&self.attack.latest)),
            step_size(&self.attack.latest),
            ("link", Json::Text(self.link_with(self.attack.latest, self.picture.disturbed_with).query())),
        ]);
        Some(Json::Object(vec![
            ("format", Json::count(FORMAT)),
            ("made_by", Json::text(concat!("Bastion ", env!("CARGO_PKG_VERSION")))),
            ("backend", Json::or_null(self.engine.backend.as_ref(), backend)),
            ("picture", picture),
            ("attack", if attacked { attack } else { Json::Null }),
            ("networks", Json::List(Slot::ALL.map(|slot| self.network_report(slot)).into())),
        ]))
    }

    fn network_report(&self, slot: Slot) -> Json {
        // Without `..`, so that an answer that is not reported fails to compile.
        let Column {
            progress,
            clean,
            // Times, and what of it the visitor looks at or has saved, are no results.
            clean_ms: _,
            steps,
            scrubbed: _,
            outdated: _,
            noise,
            steps_done: _,
            steps_total: _,
            saved: _,
            insight,
        } = &self.columns[slot.index()];
        let curve = &self.sweep.curves[slot.index()];
        let model = self.models.as_ref().and_then(|models| models[slot.index()].as_ref().ok());
        let guesses = |top: &[Guess]| Json::List(top.iter().map(|guess| self.guess(*guess)).collect());
        let step = |step: &Step| {
            Json::Object(vec![
                ("done", Json::number(step.done)),
                ("loss", Json::number(step.loss)),
                ("own_share", Json::number(step.own_share)),
                ("target_share", Json::or_null(step.target_share, Json::number)),
                ("largest_change_255", Json::number(step.largest_change)),
                ("l2", Json::number(step.l2)),
                ("top", guesses(&step.top)),
            ])
        };
        let point = |point: &Point| {
            Json::Object(vec![
                epsilon(self.sweep.settings.with_radius(point.units).radius()),
                ("loss", Json::number(point.loss)),
                ("own_share", Json::number(point.own_share)),
                ("best", self.guess(point.best)),
                ("fooled", Json::Bool(point.fooled)),
            ])
        };
        let swept_with = (!curve.points.is_empty()).then_some(&self.sweep.settings);
        Json::Object(vec![
            ("folder", Json::or_null(self.shown(slot), Json::text)),
            ("title", Json::Text(self.title(slot))),
            ("architecture", Json::or_null(model, |model| Json::text(&model.architecture))),
            ("weights_sha256", Json::or_null(model, |model| Json::text(&model.weights_sha256))),
            ("clean", guesses(clean)),
            ("steps", Json::List(steps.iter().map(step).collect())),
            ("ended", Json::or_null(steps.last(), |_| Json::text(progress.name()))),
            ("verdict", Json::or_null(self.verdict(slot).map(Verdict::name), Json::text)),
            ("noise", Json::or_null(*noise, |guess| self.guess(guess))),
            ("curve", Json::List(curve.points.iter().map(point).collect())),
            ("curve_settings", Json::or_null(swept_with, settings)),
            ("inside", Json::or_null(insight.as_ref(), |insight| Json::Written(insight.json.clone()))),
            // None if it was not looked for, or not found.
            smallest(self.sweep.settings, curve.smallest.flatten()),
        ])
    }

    fn guess(&self, guess: Guess) -> Json {
        Json::Object(vec![("class", self.class(guess.class)), ("probability", Json::number(guess.share))])
    }

    fn class(&self, class: usize) -> Json {
        let mut fields = vec![("index", Json::count(class))];
        if let Some(label) = self.classes.get(class) {
            fields.extend([("wnid", Json::text(&label.wnid)), ("name", Json::text(&label.name))]);
        }
        Json::Object(fields)
    }
}

fn backend(report: &BackendReport) -> Json {
    let measured = |measured: &Measured| {
        Json::Object(vec![
            ("adapter", Json::or_null(measured.adapter.as_deref(), Json::text)),
            ("webgpu_ms", Json::number(measured.webgpu_ms)),
            ("cpu_ms", Json::number(measured.cpu_ms)),
        ])
    };
    Json::Object(vec![
        ("backend", Json::text(report.backend.name())),
        ("adapter", Json::or_null(report.adapter.as_deref(), Json::text)),
        ("software", Json::Bool(report.software)),
        ("reason", Json::text(&report.reason)),
        ("measured", Json::or_null(report.measured.as_ref(), measured)),
    ])
}

fn of_crop(Crop { x, y, side }: Crop) -> Json {
    Json::Object(vec![("x", Json::number(x)), ("y", Json::number(y)), ("side", Json::number(side))])
}

/// Writes a radius in the unit that its name says: 255ths in L-infinity, pixel units in L2, pixels in L0.
fn epsilon(radius: Radius) -> (&'static str, Json) {
    match radius.norm {
        Norm::Linf => ("epsilon_255", Json::number(radius.units)),
        Norm::L2 => ("epsilon_l2", Json::number(radius.in_pixel_units())),
        Norm::L0 => ("epsilon_pixels", Json::number(radius.units)),
    }
}

/// Writes the smallest radius that was found to change an answer, in units; null if none was found or looked for.
fn smallest(settings: Settings, units: Option<u16>) -> (&'static str, Json) {
    let name = match settings.norm() {
        Norm::Linf => "smallest_epsilon_255",
        Norm::L2 => "smallest_epsilon_l2",
        Norm::L0 => "smallest_epsilon_pixels",
    };
    (name, Json::or_null(units, |units| epsilon(settings.with_radius(units).radius()).1))
}

/// Writes the length of a step in the unit of [`epsilon`]; null of an attack that finds its own.
fn step_size(settings: &Settings) -> (&'static str, Json) {
    let own = settings.kind.properties().step_size == StepSize::Own;
    let units = (!own).then(|| settings.step_size_units());
    match settings.norm() {
        Norm::Linf => ("step_size_255", Json::or_null(units, Json::number)),
        norm => ("step_size_l2", Json::or_null(units, |units| Json::number(units / Radius::per_pixel_unit(norm)))),
    }
}

fn settings(settings: &Settings) -> Json {
    // Without `..`, so that a setting that is not reported fails to compile.
    let &Settings {
        kind,
        epsilon_255,
        epsilon_l2_hundredths,
        pixels,
        steps,
        step_size_tenths,
        target,
        stop_at_success,
        crafted_on,
        seed,
    } = settings;
    Json::Object(vec![
        ("kind", Json::text(kind.name())),
        ("epsilon_255", Json::number(epsilon_255)),
        ("epsilon_l2_hundredths", Json::number(epsilon_l2_hundredths)),
        ("pixels", Json::number(pixels)),
        ("steps", Json::number(steps)),
        ("step_size_tenths", Json::or_null(step_size_tenths, Json::number)),
        ("target", Json::or_null(target, Json::count)),
        ("stop_at_success", Json::Bool(stop_at_success)),
        ("crafted_on", Json::or_null(crafted_on, |slot| Json::text(slot.name()))),
        ("seed", Json::number(seed)),
    ])
}

fn disturbance(disturbance: &Disturbance) -> Json {
    let &Disturbance { shift_right, shift_down, corruption, severity, .. } = disturbance;
    let of = |value: Value| match value.control {
        Control::Slider { .. } => Json::number(value.get(disturbance)),
        Control::CheckBox => Json::Bool(value.get(disturbance) == 1),
    };
    // Both shifts are one list.
    let mut fields = vec![("shift", Json::List([shift_right, shift_down].map(Json::number).into()))];
    let others = Disturbance::VALUES.into_iter().filter(|value| !value.field.starts_with("shift_"));
    fields.extend(others.map(|value| (value.field, of(value))));
    fields.push(("corruption", Json::or_null(corruption, |kind| Json::text(kind.name()))));
    fields.push(("severity", Json::number(severity)));
    Json::Object(fields)
}
