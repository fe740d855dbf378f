//! A picture from the camera: a live view, and one frame of it.

use futures_channel::oneshot;
use js_sys::{Object, Reflect, Uint8Array};
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, CanvasRenderingContext2d, HtmlCanvasElement, HtmlVideoElement, MediaDevices, MediaStream, MediaStreamTrack,
};

use super::browser::Store;
use crate::app::follow::follow;
use crate::state::{Event, PictureFile};
use protocol::js::describe;

/// Shows the live view. `close` is called once a frame is taken, or the visitor has had enough, or there is no camera.
#[component]
pub(super) fn Camera(
    /// Closes the view.
    close: impl Fn() + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let store = expect_context::<Store>();
    let video = NodeRef::<html::Video>::new();
    let stream = StoredValue::new_local(None::<MediaStream>);
    let live = RwSignal::new(false);

    spawn_local(async move {
        match open_camera().await {
            Ok(opened) => {
                // Not a clone: `MediaStream::clone` is the browser's, and opens the camera once more.
                if let Some(unwanted) = stream.try_set_value(Some(opened)) {
                    // Closed while the browser asked for permission.
                    unwanted.iter().for_each(stop);
                } else if let Some(video) = video.get_untracked() {
                    stream.with_value(|stream| video.set_src_object(stream.as_ref()));
                    live.set(true);
                }
            }
            // Closed meanwhile; the view that is open may be another one.
            Err(_) if live.try_get_untracked().is_none() => {}
            Err(error) => {
                store.dispatch(Event::Trouble(format!("The camera could not be used: {}.", why(&error))));
                close();
            }
        }
    });
    on_cleanup(move || {
        if let Some(Some(stream)) = stream.try_update_value(Option::take) {
            stop(&stream);
        }
    });

    let take = move |_| {
        let Some(video) = video.get_untracked() else {
            return;
        };
        store.pick(async move {
            let frame = take_frame(&video).await;
            if frame.is_ok() {
                close();
            }
            frame.map_err(|error| format!("No picture could be taken: {}.", why(&error)))
        });
    };
    view! {
        <div class="camera">
            <video node_ref=video autoplay playsinline prop:muted=true aria-label="Live view of the camera"></video>
            <div class="sources">
                <button
                    type="button"
                    class="primary"
                    data-testid="camera-take"
                    disabled=follow(move || !live.get())
                    on:click=take
                >
                    "Take this picture"
                </button>
                <button type="button" data-testid="camera-close" on:click=move |_| close()>
                    "Close the camera"
                </button>
            </div>
        </div>
    }
}

async fn open_camera() -> Result<MediaStream, JsValue> {
    let devices = Reflect::get(&window().navigator(), &"mediaDevices".into())?;
    let devices: MediaDevices = devices.dyn_into().map_err(|_| {
        js_sys::Error::new("browsers give one only to pages from https addresses or from this computer")
    })?;
    let camera = Object::new();
    Reflect::set(&camera, &"facingMode".into(), &"environment".into())?;
    let wanted = Object::new();
    Reflect::set(&wanted, &"video".into(), &camera)?;
    let stream = devices.get_user_media_with_constraints(wanted.unchecked_ref())?;
    Ok(JsFuture::from(stream).await?.unchecked_into())
}

fn stop(stream: &MediaStream) {
    for track in stream.get_tracks().iter() {
        track.unchecked_ref::<MediaStreamTrack>().stop();
    }
}

/// Returns the frame that the video shows, as a PNG file: it goes the way of every other picture.
async fn take_frame(video: &HtmlVideoElement) -> Result<PictureFile, JsValue> {
    let canvas: HtmlCanvasElement = document().create_element("canvas")?.unchecked_into();
    canvas.set_width(video.video_width());
    canvas.set_height(video.video_height());
    let context = canvas.get_context("2d")?.ok_or_else(|| js_sys::Error::new("the browser has no canvas"))?;
    context.unchecked_into::<CanvasRenderingContext2d>().draw_image_with_html_video_element(video, 0.0, 0.0)?;

    let (sender, receiver) = oneshot::channel();
    let encoded = Closure::once_into_js(move |blob: Option<Blob>| {
        // There is no receiver any more once the view is closed.
        let _ = sender.send(blob);
    });
    canvas.to_blob(encoded.unchecked_ref())?;
    let blob = receiver.await.ok().flatten().ok_or_else(|| js_sys::Error::new("the camera gave no frame"))?;
    let buffer = JsFuture::from(blob.array_buffer()).await?;
    let bytes = Uint8Array::new(&buffer).to_vec().into();
    Ok(PictureFile { bytes, title: "From the camera".into(), label: None, source: None, sample: None })
}

fn why(error: &JsValue) -> String {
    let name = Reflect::get(error, &"name".into()).ok().and_then(|name| name.as_string());
    match name.as_deref() {
        Some("NotAllowedError") => {
            "the browser was not allowed to. Its settings for this page, beside the address, can allow it".into()
        }
        Some("NotFoundError" | "OverconstrainedError") => "there is none. Open a file instead".into(),
        Some("NotReadableError" | "AbortError") => "it does not answer. Perhaps another program is using it".into(),
        Some("SecurityError") => "this browser does not let pages use one".into(),
        _ => describe(error),
    }
}
