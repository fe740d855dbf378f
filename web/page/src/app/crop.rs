//! The square of the picture that the networks see, laid over the picture: moved and resized by mouse, touch or key.

use leptos::ev::{KeyboardEvent, PointerEvent};
use leptos::html;
use leptos::prelude::*;

use super::browser::Store;
use super::canvas::PreviewCanvas;
use crate::app::follow::follow;
use crate::state::{Event, State};
use terms::picture::{Corner, Crop, Size};

/// A drag of the square.
#[derive(Clone, Copy)]
struct Drag {
    /// The pointer: a finger, a pen or the mouse.
    pointer: i32,
    /// Where it began, in pixels of the window.
    began: [i32; 2],
    /// The square, and the picture's size, then.
    crop: Crop,
    size: Size,
    /// What it holds: a corner, or the whole.
    corner: Option<Corner>,
    /// Pixels of the picture for each of the window.
    scale: f64,
}

/// Shows the picture, with the square over it where there is something to choose.
#[component]
pub(super) fn CropStage() -> impl IntoView {
    let store = expect_context::<Store>();
    let preview = store.read(|state| state.picture.shown.as_ref().map(|shown| shown.candidate.preview.clone()));
    let title = store.read(|state| state.picture.shown.as_ref().map(|shown| shown.candidate.file.title.clone()));
    let size = store.read(|state| state.crop().map(|(_, size)| size));
    let croppable = Memo::new(move |_| size.get().is_some());
    let label = Signal::derive(move || title.get().unwrap_or_else(|| "No picture yet".into()));
    // As large as the square that it stands in allows.
    let shape = move || size.get().map_or_else(|| "1".into(), |(width, height)| format!("{width} / {height}"));
    let width = move || match size.get() {
        Some((width, height)) if width < height => percent(width, height),
        _ => "100%".into(),
    };
    view! {
        <div class="square crop-ground" class:crop-whole=croppable>
            <div class="crop-stage" style:aspect-ratio=follow(shape) style:width=follow(width)>
                <PreviewCanvas preview label/>
                <Show when=move || croppable.get()>
                    <CropBox/>
                </Show>
            </div>
        </div>
    }
}

/// Shows the square itself.
///
/// To those who do not see it, it is a slider, whose value is read out as it changes: no other element with four arrow keys
/// gets them from a screen reader, and is moved on a phone.
#[component]
fn CropBox() -> impl IntoView {
    let store = expect_context::<Store>();
    let square = NodeRef::<html::Div>::new();
    let drag = StoredValue::new(None::<Drag>);
    let crop = store.read(State::crop);
    let place = move |part: fn(Crop, Size) -> String| move || crop.get().map(|(crop, size)| part(crop, size));
    let left = place(|crop, (width, _)| percent(crop.x, width));
    let top = place(|crop, (_, height)| percent(crop.y, height));
    let across = place(|crop, (width, _)| percent(crop.side, width));
    let down = place(|crop, (_, height)| percent(crop.side, height));
    let begin = move |event: PointerEvent, corner: Option<Corner>| {
        let (Some(square), Some((crop, size))) = (square.get_untracked(), store.peek(State::crop)) else {
            return;
        };
        let shown_width = square.parent_element().map_or(0.0, |stage| stage.get_bounding_client_rect().width());
        if event.button() != 0 || shown_width <= 0.0 || drag.with_value(Option::is_some) {
            return;
        }
        // The pointer may leave the square; one that is gone already cannot be captured.
        if square.set_pointer_capture(event.pointer_id()).is_err() {
            return;
        }
        let scale = f64::from(size.0) / shown_width;
        let began = [event.client_x(), event.client_y()];
        drag.set_value(Some(Drag { pointer: event.pointer_id(), began, crop, size, corner, scale }));
    };
    let drag_on = move |event: PointerEvent| {
        let Some(drag) = drag.get_value().filter(|drag| drag.pointer == event.pointer_id()) else {
            return;
        };
        // Another picture came during the drag.
        if store.peek(State::crop).is_none_or(|(_, size)| size != drag.size) {
            return;
        }
        let pixels = |now: i32, began: i32| (f64::from(now - began) * drag.scale).round() as i32;
        let (right, down) = (pixels(event.client_x(), drag.began[0]), pixels(event.client_y(), drag.began[1]));
        store.dispatch(Event::Crop(Some(match drag.corner {
            Some(corner) => drag.crop.with_corner_moved(corner, right, down, drag.size),
            None => drag.crop.moved(right, down, drag.size),
        })));
    };
    let release = move |event: PointerEvent| {
        drag.update_value(|drag| *drag = drag.take_if(|drag| drag.pointer != event.pointer_id()));
    };
    let press = move |event: KeyboardEvent| {
        let Some((crop, size)) = store.peek(State::crop) else {
            return;
        };
        // With these, it is a key of the browser's.
        if event.ctrl_key() || event.alt_key() || event.meta_key() {
            return;
        }
        if let Some(crop) = after_key(&event.key(), event.shift_key(), crop, size) {
            event.prevent_default();
            store.dispatch(Event::Crop(crop));
        }
    };
    let words = move || crop.get().map(|(crop, _)| crop.words());
    let farthest = move || crop.get().map(|(crop, (width, _))| (width - crop.side).to_string());
    let handles = Corner::ALL.map(|corner| {
        let grab = move |event: PointerEvent| {
            event.stop_propagation();
            begin(event, Some(corner));
        };
        view! {
            <span
                class="crop-handle"
                data-corner=corner.name()
                data-testid=format!("crop-{}", corner.name())
                on:pointerdown=grab
            ></span>
        }
    });
    view! {
        <div class="crop-shade" aria-hidden="true">
            <div class="crop-hole" style:left=left style:top=top style:width=across style:height=down></div>
        </div>
        <div
            node_ref=square
            class="crop-box"
            tabindex="0"
            role="slider"
            aria-label="Crop: the square that the networks see"
            aria-describedby="crop-keys"
            aria-valuemin="0"
            aria-valuemax=follow(farthest)
            aria-valuenow=follow(move || crop.get().map(|(crop, _)| crop.x.to_string()))
            aria-valuetext=follow(words)
            data-testid="crop-box"
            style:left=left
            style:top=top
            style:width=across
            style:height=down
            on:pointerdown=move |event| begin(event, None)
            on:pointermove=drag_on
            on:pointerup=release
            on:pointercancel=release
            on:lostpointercapture=release
            on:keydown=press
        >
            {handles.into_iter().collect_view()}
        </div>
    }
}

/// Shows where the square is now that the networks see, how to move it, and back to the middle.
#[component]
pub(super) fn CropNotes() -> impl IntoView {
    let store = expect_context::<Store>();
    let croppable = store.read(|state| state.crop().is_some());
    let seen = store.read(State::seen_crop);
    let at_rest = store.read(|state| match state.seen_crop() {
        Some((crop, _)) if state.crop_rests() => format!("Crop: {}", crop.words()),
        _ => String::new(),
    });
    let part = move |part: fn(Crop) -> u32| move || seen.get().map(|(crop, _)| part(crop).to_string());
    view! {
        <Show when=move || croppable.get()>
            <div class="crop-notes">
                <p
                    data-testid="crop-now"
                    data-x=part(|crop| crop.x)
                    data-y=part(|crop| crop.y)
                    data-side=part(|crop| crop.side)
                >
                    "Crop: " {follow(move || seen.get().map(|(crop, _)| crop.words()))}
                </p>
                // Read out once the square rests.
                <p class="visually-hidden" role="status">{at_rest}</p>
                <button type="button" data-testid="crop-reset" on:click=move |_| store.dispatch(Event::Crop(None))>
                    "Reset the crop"
                </button>
                <p class="hint" id="crop-keys">
                    "Drag the square or its corners; or use the arrow keys (with Shift in larger steps), + and −, and Home "
                    "for the middle."
                </p>
            </div>
        </Show>
    }
}

/// Returns the square after a key is pressed, none inside being the one in the middle; none if the key does nothing.
fn after_key(key: &str, shift: bool, crop: Crop, size: Size) -> Option<Option<Crop>> {
    /// How far the keys go, in percent of the shorter side.
    const SMALL: u32 = 1;
    /// The same with Shift.
    const LARGE: u32 = 10;
    /// How much larger or smaller they make it.
    const GROWTH: u32 = 5;
    let step = |percent: u32| i32::try_from((size.0.min(size.1) * percent / 100).max(1)).unwrap_or(i32::MAX);
    let by = step(if shift { LARGE } else { SMALL });
    Some(match key {
        "ArrowLeft" => Some(crop.moved(-by, 0, size)),
        "ArrowRight" => Some(crop.moved(by, 0, size)),
        "ArrowUp" => Some(crop.moved(0, -by, size)),
        "ArrowDown" => Some(crop.moved(0, by, size)),
        // The same key as + on many keyboards, without Shift.
        "+" | "=" => Some(crop.resized(step(GROWTH), size)),
        "-" | "_" => Some(crop.resized(-step(GROWTH), size)),
        "Home" => None,
        _ => return None,
    })
}

/// Returns a part of a length, as a style takes it.
fn percent(part: u32, of: u32) -> String {
    format!("{:.4}%", 100.0 * f64::from(part) / f64::from(of.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = (600, 400);
    const START: Crop = Crop { x: 100, y: 50, side: 200 };

    #[test]
    fn keys_move_by_a_hundredth_or_a_tenth_of_the_shorter_side() {
        let after = |key, shift| after_key(key, shift, START, SIZE);
        assert_eq!(after("ArrowRight", false), Some(Some(Crop { x: 104, ..START })));
        assert_eq!(after("ArrowUp", true), Some(Some(Crop { y: 10, ..START })));
        assert_eq!(after("ArrowLeft", true), Some(Some(Crop { x: 60, ..START })));
        assert_eq!(after("+", true), Some(Some(START.resized(20, SIZE))));
        assert_eq!(after("-", false), Some(Some(START.resized(-20, SIZE))));
        assert_eq!(after("Home", false), Some(None));
        assert_eq!([after("Tab", false), after("a", false), after("Escape", false)], [None; 3]);
    }

    #[test]
    fn in_a_small_picture_a_key_moves_by_a_pixel_at_least() {
        let (size, crop) = ((80, 40), Crop { x: 3, y: 2, side: 20 });
        assert_eq!(after_key("ArrowDown", false, crop, size), Some(Some(Crop { y: 3, ..crop })));
    }

    #[test]
    fn parts_are_told_as_percentages() {
        assert_eq!([percent(1, 3), percent(300, 300), percent(0, 0)], ["33.3333%", "100.0000%", "0.0000%"]);
    }
}
