//! Pictures on canvases, pixel for pixel.

use std::sync::Arc;

use js_sys::{Object, Reflect};
use leptos::html;
use leptos::prelude::*;

use super::follow::follow;
use wasm_bindgen::{Clamped, JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};

use protocol::{Pixels, Preview};

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
    view! { <Canvas paint=painter(pixels) class="pixels" testid label/> }
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
    view! { <Canvas paint=painter(preview) class="preview" testid="preview" label/> }
}

/// Draws on a canvas, and returns whether there was something to draw. Behind a pointer, so that canvases are compiled once.
type Paint = Arc<dyn Fn(&HtmlCanvasElement) -> Result<bool, JsValue> + Send + Sync>;

fn painter<T: Raster>(picture: Signal<Option<T>>) -> Paint {
    Arc::new(move |canvas| {
        picture.with(|picture| {
            let raster = picture.as_ref().map(|picture| (picture.size(), picture.rgba()));
            draw(canvas, raster).map(|()| raster.is_some())
        })
    })
}

#[component]
fn Canvas(
    paint: Paint,
    class: &'static str,
    #[prop(into)] testid: String,
    #[prop(into)] label: Signal<String>,
) -> impl IntoView {
    let canvas = NodeRef::<html::Canvas>::new();
    // A browser that loses its graphics card, to a new driver say, loses what canvases show, and tells when they can be drawn on.
    let lost = Trigger::new();
    let is_filled = RwSignal::new(false);
    Effect::new(move |_| {
        lost.track();
        let Some(canvas) = canvas.get() else {
            return;
        };
        match paint(&canvas) {
            Ok(filled) => is_filled.set(filled),
            Err(error) => leptos::logging::error!("a picture could not be drawn: {error:?}"),
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
            data-filled=follow(move || is_filled.get().to_string())
        ></canvas>
    }
}

/// Draws width and height with RGBA, or nothing.
fn draw(canvas: &HtmlCanvasElement, raster: Option<((u32, u32), &[u8])>) -> Result<(), JsValue> {
    let options = Object::new();
    // Keeps so small a canvas in memory, where its pixels stay exactly what was put.
    Reflect::set(&options, &"willReadFrequently".into(), &true.into())?;
    let Some(context) = canvas.get_context_with_context_options("2d", &options)? else {
        return Ok(());
    };
    let context: CanvasRenderingContext2d = context.unchecked_into();
    let (width, height) = raster.map_or((SIDE, SIDE), |(size, _)| size);
    if (canvas.width(), canvas.height()) != (width, height) {
        canvas.set_width(width);
        canvas.set_height(height);
    }
    match raster {
        Some((_, rgba)) => {
            let image = ImageData::new_with_u8_clamped_array_and_sh(Clamped(rgba), width, height)?;
            context.put_image_data(&image, 0.0, 0.0)
        }
        None => {
            context.clear_rect(0.0, 0.0, width.into(), height.into());
            Ok(())
        }
    }
}
