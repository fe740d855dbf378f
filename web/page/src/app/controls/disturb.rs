//! What may happen to a picture in the real world, before anyone attacks it: the paper's seven perturbations, and a corruption.

use leptos::prelude::*;

use crate::app::browser::Store;
use crate::app::slider::Slider;
use crate::state::Event;
use crate::text;
use protocol::Disturbance;

/// A value of the disturbance that is slid.
#[derive(Clone, Copy)]
struct Strength {
    label: &'static str,
    unit: &'static str,
    /// Both ends, which the value's type can hold.
    range: [i32; 2],
    name: &'static str,
    get: fn(&Disturbance) -> i32,
    set: fn(&mut Disturbance, i32),
}

impl Strength {
    const fn new(
        (label, name, unit): (&'static str, &'static str, &'static str),
        range: [i32; 2],
        get: fn(&Disturbance) -> i32,
        set: fn(&mut Disturbance, i32),
    ) -> Self {
        Self { label, unit, range, name, get, set }
    }
}

const SHIFT: i32 = Disturbance::MAX_SHIFT as i32;
const ZOOM: [i32; 2] = [Disturbance::ZOOM_PERCENT[0] as i32, Disturbance::ZOOM_PERCENT[1] as i32];
const SHEAR: i32 = Disturbance::MAX_SHEAR_DEGREES as i32;
const ROTATION: i32 = Disturbance::MAX_ROTATION_DEGREES as i32;
const PERSPECTIVE: i32 = Disturbance::MAX_PERSPECTIVE_PERCENT as i32;
const COLOR: [i32; 2] = [0, Disturbance::MAX_COLOR_PERCENT as i32];
const HUE: i32 = Disturbance::MAX_HUE_DEGREES as i32;

/// The paper's perturbations that have a strength. A value is within the slider's ends before it is set, so it fits its type.
const STRENGTHS: [Strength; 10] = [
    Strength::new(
        ("Shift right", "shift-x", "px"),
        [-SHIFT, SHIFT],
        |d| d.shift[0].into(),
        |d, v| d.shift[0] = v as i8,
    ),
    Strength::new(("Shift down", "shift-y", "px"), [-SHIFT, SHIFT], |d| d.shift[1].into(), |d, v| d.shift[1] = v as i8),
    Strength::new(("Zoom", "zoom", "%"), ZOOM, |d| d.zoom_percent.into(), |d, v| d.zoom_percent = v as u8),
    Strength::new(
        ("Shear", "shear", "°"),
        [-SHEAR, SHEAR],
        |d| d.shear_degrees.into(),
        |d, v| d.shear_degrees = v as i8,
    ),
    Strength::new(
        ("Rotation", "rotation", "°"),
        [-ROTATION, ROTATION],
        |d| d.rotation_degrees.into(),
        |d, v| d.rotation_degrees = v as i16,
    ),
    Strength::new(
        ("Perspective", "perspective", "%"),
        [-PERSPECTIVE, PERSPECTIVE],
        |d| d.perspective_percent.into(),
        |d, v| d.perspective_percent = v as i8,
    ),
    Strength::new(
        ("Brightness", "brightness", "%"),
        COLOR,
        |d| d.brightness_percent.into(),
        |d, v| d.brightness_percent = v as u8,
    ),
    Strength::new(
        ("Contrast", "contrast", "%"),
        COLOR,
        |d| d.contrast_percent.into(),
        |d, v| d.contrast_percent = v as u8,
    ),
    Strength::new(
        ("Saturation", "saturation", "%"),
        COLOR,
        |d| d.saturation_percent.into(),
        |d, v| d.saturation_percent = v as u8,
    ),
    Strength::new(("Hue", "hue", "°"), [-HUE, HUE], |d| d.hue_degrees.into(), |d, v| d.hue_degrees = v as i16),
];

const SEVERITY: Strength =
    Strength::new(("Severity", "severity", " of 5"), [1, 5], |d| d.severity.into(), |d, v| d.severity = v as u8);

/// Shows the sliders.
#[component]
pub(in super::super) fn Disturbances() -> impl IntoView {
    let store = expect_context::<Store>();
    let none = store.read(|state| state.picture.disturbance.is_none());
    view! {
        <details class="panel disturb" data-testid="disturb" data-disturbed=move || (!none.get()).to_string()>
            <summary>
                <span class="summary-title">"Disturb it like the real world"</span>
                <span class="hint">
                    {move || {
                        if none.get() { "Nothing disturbs the picture." } else { "The networks see the picture disturbed." }
                    }}
                </span>
            </summary>
            <p class="hint">
                "The paper’s perturbations and some corruptions of Tiny-ImageNet-C, alone or before an attack. “What the networks see”,
                beside your picture, is what both networks get."
            </p>
            <div class="sliders">
                {STRENGTHS.map(|strength| view! { <Slide strength/> }).into_iter().collect_view()}
            </div>
            <div class="checks">
                <Check label="Mirror left to right" name="mirror" get=|d| d.flip_horizontal set=|d, v| d.flip_horizontal = v/>
                <Check label="Upside down" name="flip" get=|d| d.flip_vertical set=|d, v| d.flip_vertical = v/>
                <Check label="Without colour" name="grayscale" get=|d| d.grayscale set=|d, v| d.grayscale = v/>
            </div>
            <CorruptionChoice/>
            <button
                type="button"
                data-testid="disturb-reset"
                aria-disabled=move || none.get().to_string()
                on:click=move |_| store.dispatch(Event::Disturb(Disturbance::default()))
            >
                "Undo all"
            </button>
        </details>
    }
}

/// Changes a part of the disturbance.
fn change(store: Store, part: impl FnOnce(&mut Disturbance)) {
    let mut disturbance = store.peek(|state| state.picture.disturbance);
    part(&mut disturbance);
    store.dispatch(Event::Disturb(disturbance));
}

/// Shows a slider for one value.
#[component]
fn Slide(strength: Strength) -> impl IntoView {
    let Strength { label, unit, range, name, get, set } = strength;
    let store = expect_context::<Store>();
    let value = store.read(move |state| get(&state.picture.disturbance));
    let words = store.read(move |state| format!("{}{unit}", get(&state.picture.disturbance)));
    view! {
        <Slider
            label
            id=format!("disturb-{name}")
            min=range[0]
            max=range[1]
            value
            words
            on_input=move |value| change(store, |disturbance| set(disturbance, value))
        />
    }
}

/// Shows a check box for a perturbation without a strength.
#[component]
fn Check(
    label: &'static str,
    name: &'static str,
    get: fn(&Disturbance) -> bool,
    set: fn(&mut Disturbance, bool),
) -> impl IntoView {
    let store = expect_context::<Store>();
    let value = store.read(move |state| get(&state.picture.disturbance));
    view! {
        <label class="check">
            <input
                type="checkbox"
                data-testid=format!("disturb-{name}")
                prop:checked=value
                on:change=move |event| {
                    let checked = event_target_checked(&event);
                    change(store, |disturbance| set(disturbance, checked));
                }
            />
            <span>{label}</span>
        </label>
    }
}

#[component]
fn CorruptionChoice() -> impl IntoView {
    let store = expect_context::<Store>();
    let chosen = store.read(|state| state.picture.disturbance.corruption);
    let none = move || chosen.get().is_none();
    let choose = move |event: leptos::ev::Event| {
        let kind = text::corruption(&event_target_value(&event));
        change(store, |disturbance| disturbance.corruption = kind);
    };
    let options = text::CORRUPTIONS.map(|(kind, label)| {
        view! { <option value=kind.name() prop:selected=move || chosen.get() == Some(kind)>{label}</option> }
    });
    view! {
        <div class="field">
            <label for="corruption">"Corruption"</label>
            <select id="corruption" data-testid="corruption" on:change=choose>
                <option value="" prop:selected=none>"None"</option>
                {options.into_iter().collect_view()}
            </select>
        </div>
        <div hidden=none>
            <Slide strength=SEVERITY/>
        </div>
    }
}
