//! A 64x64 picture on a canvas, pixel for pixel.

use js_sys::{Object, Reflect};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::{Clamped, JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};

use protocol::Pixels;

/// Pixels a side.
const SIDE: u32 = terms::picture::SIDE as u32;

/// Shows `pixels`, or nothing. `label` says what they are to those who do not see them.
#[component]
pub(super) fn PixelCanvas(
    /// The picture.
    #[prop(into)]
    pixels: Signal<Option<Pixels>>,
    /// The element's `data-testid`.
    #[prop(into)]
    testid: String,
    /// What the picture is.
    label: &'static str,
) -> impl IntoView {
    let canvas = NodeRef::<html::Canvas>::new();
    // A browser that loses its graphics card, to a new driver say, loses what canvases show, and tells when they can be drawn on.
    let lost = Trigger::new();
    Effect::new(move |_| {
        lost.track();
        let Some(canvas) = canvas.get() else {
            return;
        };
        if let Err(error) = pixels.with(|pixels| draw(&canvas, pixels.as_ref())) {
            leptos::logging::error!("a picture could not be drawn: {error:?}");
        }
    });
    view! {
        <canvas
            node_ref=canvas
            class="pixels"
            width=SIDE
            height=SIDE
            role="img"
            aria-label=label
            data-testid=testid
            on:contextrestored=move |_: web_sys::Event| lost.notify()
            data-filled=move || pixels.with(Option::is_some).to_string()
        ></canvas>
    }
}

fn draw(canvas: &HtmlCanvasElement, pixels: Option<&Pixels>) -> Result<(), JsValue> {
    let options = Object::new();
    // Keeps so small a canvas in memory, where its pixels stay exactly what was put.
    Reflect::set(&options, &"willReadFrequently".into(), &true.into())?;
    let Some(context) = canvas.get_context_with_context_options("2d", &options)? else {
        return Ok(());
    };
    let context: CanvasRenderingContext2d = context.unchecked_into();
    match pixels {
        Some(Pixels(rgba)) => {
            let image = ImageData::new_with_u8_clamped_array_and_sh(Clamped(rgba), SIDE, SIDE)?;
            context.put_image_data(&image, 0.0, 0.0)
        }
        None => {
            context.clear_rect(0.0, 0.0, SIDE.into(), SIDE.into());
            Ok(())
        }
    }
}
