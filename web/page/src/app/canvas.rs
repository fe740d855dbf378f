//! Pictures on canvases, pixel for pixel.

use js_sys::{Object, Reflect};
use leptos::html;
use leptos::prelude::*;

use super::follow::follow;
use wasm_bindgen::{Clamped, JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};

use protocol::{Drawing, Pixels, Preview};

/// Pixels a side of what the networks see.
const SIDE: u32 = terms::picture::SIDE as u32;

/// What can be drawn.
pub(super) trait Raster: PartialEq + Send + Sync + 'static {
    /// Returns width and height, in pixels.
    fn size(&self) -> (u32, u32);

    /// Returns RGBA, rows from the top: `[height, width, 4]`.
    fn rgba(&self) -> &[u8];
}

impl Raster for Pixels {
    fn size(&self) -> (u32, u32) {
        (SIDE, SIDE)
    }

    fn rgba(&self) -> &[u8] {
        &self.0
    }
}

impl Raster for Preview {
    fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    fn rgba(&self) -> &[u8] {
        &self.rgba
    }
}

impl Raster for Drawing {
    fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    fn rgba(&self) -> &[u8] {
        &self.rgba
    }
}

/// Shows a drawing of what is inside of a network, or nothing.
#[component]
pub(super) fn DrawingCanvas(
    /// The drawing.
    drawing: Signal<Option<Drawing>>,
    /// The element's class.
    class: &'static str,
    /// The element's `data-testid`.
    testid: String,
    /// What the drawing is, to those who do not see it.
    label: &'static str,
) -> impl IntoView {
    view! { <Canvas picture=drawing class testid label/> }
}

/// Shows a picture as the networks see it, or nothing.
#[component]
pub(super) fn PixelCanvas(
    /// The picture.
    #[prop(into)]
    pixels: Signal<Option<Pixels>>,
    /// The element's `data-testid`.
    #[prop(into)]
    testid: String,
    /// What the picture is, to those who do not see it.
    label: &'static str,
) -> impl IntoView {
    view! { <Canvas picture=pixels class="pixels" testid label/> }
}

/// Shows a picture as people see it, or nothing.
#[component]
pub(super) fn PreviewCanvas(
    /// The picture.
    #[prop(into)]
    preview: Signal<Option<Preview>>,
    /// What the picture is, to those who do not see it.
    label: Signal<String>,
) -> impl IntoView {
    view! { <Canvas picture=preview class="preview" testid="preview" label/> }
}

#[component]
fn Canvas<T: Raster>(
    picture: Signal<Option<T>>,
    class: &'static str,
    #[prop(into)] testid: String,
    #[prop(into)] label: Signal<String>,
) -> impl IntoView {
    let canvas = NodeRef::<html::Canvas>::new();
    // A browser that loses its graphics card, to a new driver say, loses what canvases show, and tells when they can be drawn on.
    let lost = Trigger::new();
    Effect::new(move |_| {
        lost.track();
        let Some(canvas) = canvas.get() else {
            return;
        };
        if let Err(error) = picture.with(|picture| draw(&canvas, picture.as_ref())) {
            leptos::logging::error!("a picture could not be drawn: {error:?}");
        }
    });
    view! {
        <canvas
            node_ref=canvas
            class=class
            width=SIDE
            height=SIDE
            role="img"
            aria-label=label
            data-testid=testid
            on:contextrestored=move |_: web_sys::Event| lost.notify()
            data-filled=follow(move || picture.with(Option::is_some).to_string())
        ></canvas>
    }
}

fn draw(canvas: &HtmlCanvasElement, picture: Option<&impl Raster>) -> Result<(), JsValue> {
    let options = Object::new();
    // Keeps so small a canvas in memory, where its pixels stay exactly what was put.
    Reflect::set(&options, &"willReadFrequently".into(), &true.into())?;
    let Some(context) = canvas.get_context_with_context_options("2d", &options)? else {
        return Ok(());
    };
    let context: CanvasRenderingContext2d = context.unchecked_into();
    let (width, height) = picture.map_or((SIDE, SIDE), Raster::size);
    if (canvas.width(), canvas.height()) != (width, height) {
        canvas.set_width(width);
        canvas.set_height(height);
    }
    match picture {
        Some(picture) => {
            let image = ImageData::new_with_u8_clamped_array_and_sh(Clamped(picture.rgba()), width, height)?;
            context.put_image_data(&image, 0.0, 0.0)
        }
        None => {
            context.clear_rect(0.0, 0.0, width.into(), height.into());
            Ok(())
        }
    }
}
