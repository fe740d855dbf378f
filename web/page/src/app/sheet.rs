//! Both results as one picture, to be pasted somewhere.

use leptos::prelude::*;
use wasm_bindgen::{Clamped, JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};

use crate::pictures::{Drawing, change, usual_gain};
use crate::state::State;
use crate::text;
use protocol::js;
use protocol::{Pixels, Slot};
use terms::picture::SIDE;

/// Side of a picture on the sheet.
const PICTURE: f64 = 192.0;
const GAP: f64 = 16.0;
const WIDTH: f64 = 4.0 * GAP + 3.0 * PICTURE;
const ROW: f64 = PICTURE + 92.0;
const FONT: &str = "system-ui, sans-serif";

/// Draws the pictures and answers of both networks, one below the other.
///
/// # Errors
///
/// Why it could not be drawn.
pub(super) fn draw(state: &State) -> Result<HtmlCanvasElement, String> {
    draw_sheet(state).map_err(|error| js::describe(&error))
}

fn draw_sheet(state: &State) -> Result<HtmlCanvasElement, JsValue> {
    let canvas = canvas(WIDTH, 64.0 + 2.0 * ROW)?;
    let context = context(&canvas)?;
    context.set_fill_style_str("#ffffff");
    context.fill_rect(0.0, 0.0, f64::from(canvas.width()), f64::from(canvas.height()));
    context.set_image_smoothing_enabled(false);
    let title = state.picture.shown.as_ref().map_or("", |shown| shown.candidate.file.title.as_str());
    write(&context, "#111111", 18.0, &format!("Bastion: {title}"), GAP, 30.0)?;
    let attacked = state.columns.iter().any(|column| !column.steps.is_empty());
    let with = if attacked { text::attack(&state.attack.latest) } else { "no attack".into() };
    write(&context, "#555555", 14.0, &with, GAP, 50.0)?;
    for (place, slot) in Slot::ALL.into_iter().enumerate() {
        row(state, &context, slot, 64.0 + ROW * place as f64)?;
    }
    Ok(canvas)
}

/// Picture + perturbation = attacked picture, with what the network says.
fn row(state: &State, context: &CanvasRenderingContext2d, slot: Slot, top: f64) -> Result<(), JsValue> {
    let column = &state.columns[slot.index()];
    let before = state.picture.shown.as_ref().map(|shown| &shown.pixels);
    let after = column.step().map(|step| &step.attacked);
    let gain = usual_gain(state.attack.latest.radius().drawn_change_255());
    let changed = before.zip(after).map(|(before, after)| change(before, after, gain, Drawing::Channels));
    for (place, pixels) in [before, changed.as_ref(), after].into_iter().enumerate() {
        let left = GAP + (PICTURE + GAP) * place as f64;
        match pixels {
            Some(pixels) => picture(context, pixels, left, top)?,
            None => {
                context.set_fill_style_str("#eeeeee");
                context.fill_rect(left, top, PICTURE, PICTURE);
            }
        }
    }
    let verdict = state.verdict(slot).map(|verdict| verdict.chip(column.moment())).unwrap_or_default();
    let title = state.title(slot);
    let heading = if verdict.is_empty() { title } else { format!("{title}: {verdict}") };
    write(context, "#111111", 16.0, &heading, GAP, top + PICTURE + 24.0)?;
    let answer = |guess: Option<&protocol::Guess>| {
        guess.map(|guess| format!("{} ({})", state.class_name(guess.class), text::percent(guess.share.into())))
    };
    let before = answer(column.clean.first()).unwrap_or_default();
    let after = answer(column.step().and_then(|step| step.top.first()));
    let words = match after {
        Some(after) => format!("Before: {before}. After: {after}."),
        None => format!("It says {before}."),
    };
    write(context, "#555555", 14.0, &words, GAP, top + PICTURE + 46.0)
}

fn picture(context: &CanvasRenderingContext2d, pixels: &Pixels, left: f64, top: f64) -> Result<(), JsValue> {
    let side = SIDE as u32;
    let small = canvas(f64::from(side), f64::from(side))?;
    let image = ImageData::new_with_u8_clamped_array_and_sh(Clamped(&pixels.0), side, side)?;
    self::context(&small)?.put_image_data(&image, 0.0, 0.0)?;
    context.draw_image_with_html_canvas_element_and_dw_and_dh(&small, left, top, PICTURE, PICTURE)
}

fn write(
    context: &CanvasRenderingContext2d,
    ink: &str,
    size: f64,
    text: &str,
    left: f64,
    base: f64,
) -> Result<(), JsValue> {
    context.set_fill_style_str(ink);
    context.set_font(&format!("{size}px {FONT}"));
    context.fill_text_with_max_width(text, left, base, WIDTH - 2.0 * GAP)
}

fn canvas(width: f64, height: f64) -> Result<HtmlCanvasElement, JsValue> {
    let canvas: HtmlCanvasElement = document().create_element("canvas")?.unchecked_into();
    canvas.set_width(width as u32);
    canvas.set_height(height as u32);
    Ok(canvas)
}

fn context(canvas: &HtmlCanvasElement) -> Result<CanvasRenderingContext2d, JsValue> {
    let context = canvas.get_context("2d")?.ok_or("this browser draws no pictures")?;
    Ok(context.unchecked_into())
}
