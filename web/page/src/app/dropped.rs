//! What is dropped on the page or pasted into it: one picture of it is opened, and of the rest the page says that it was passed over.

use js_sys::{Array, Function, Reflect};
use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DataTransfer, File};

use super::browser::Store;
use super::link::Links;
use crate::state::Event;

/// Opens pictures, or links to them, that are dropped on the page, and pictures that are pasted into it. Gives whether one is
/// being dragged over it.
pub(super) fn accept_dropped_and_pasted(store: Store, links: Links) -> RwSignal<bool> {
    let dragging = RwSignal::new(false);
    let handles = [
        window_event_listener(ev::dragover, move |event| {
            // Without this the browser opens the file instead of the page.
            event.prevent_default();
            dragging.set(true);
        }),
        window_event_listener(ev::dragleave, move |event| {
            if event.related_target().is_none() {
                dragging.set(false);
            }
        }),
        window_event_listener(ev::drop, move |event| {
            event.prevent_default();
            dragging.set(false);
            let Some(data) = event.data_transfer() else {
                return;
            };
            if !open_file(store, &data) && !links.open_dropped(&data) {
                let why = "That was no file and no link. Save the picture first, then drop it here.";
                store.dispatch(Event::Trouble(why.into()));
            }
        }),
        window_event_listener(ev::paste, move |event| {
            // Pasted text keeps its usual meaning.
            if event.clipboard_data().is_some_and(|data| open_file(store, &data)) {
                event.prevent_default();
            }
        }),
    ];
    on_cleanup(move || handles.into_iter().for_each(WindowListenerHandle::remove));
    dragging
}

/// Opens the first picture among files; returns whether there are any files.
fn open_file(store: Store, data: &DataTransfer) -> bool {
    let Some(list) = data.files().filter(|list| list.length() > 0) else { return false };
    let files: Vec<File> = (0..list.length()).filter_map(|place| list.get(place)).collect();
    let folders = folders(data);
    let kinds: Vec<Kind> =
        files.iter().enumerate().map(|(place, file)| kind(file, folders.get(place) == Some(&true))).collect();
    let names: Vec<String> = files.iter().map(File::name).collect();
    match choose(&kinds) {
        Some(chosen) => store.pick_file(files[chosen].clone(), passed_over(&names, chosen)),
        None => {
            let folder = format!("{} is a folder. Drop a picture of it here.", names[0]);
            store.dispatch(Event::Trouble(folder));
        }
    }
    true
}

/// What a file is, by what the browser says of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Picture,
    Unknown,
    Other,
    Folder,
}

fn kind(file: &File, is_folder: bool) -> Kind {
    let media_type = file.type_();
    match is_folder {
        true => Kind::Folder,
        _ if media_type.starts_with("image/") => Kind::Picture,
        _ if media_type.is_empty() => Kind::Unknown,
        _ => Kind::Other,
    }
}

/// Tells of each file whether it is a folder, which a browser gives as a file that cannot be read; empty where the browser does
/// not say.
fn folders(data: &DataTransfer) -> Vec<bool> {
    let is_folder = |item: &JsValue| {
        let entry: Function = Reflect::get(item, &"webkitGetAsEntry".into()).ok()?.dyn_into().ok()?;
        Reflect::get(&entry.call0(item).ok()?, &"isDirectory".into()).ok()?.as_bool()
    };
    let is_file = |item: &JsValue| Reflect::get(item, &"kind".into()).is_ok_and(|kind| kind == "file");
    let items = Reflect::get(data, &"items".into()).map(|items| Array::from(&items)).unwrap_or_default();
    items.iter().filter(is_file).map(|item| is_folder(&item).unwrap_or_default()).collect()
}

/// Returns the place of the file to open: of the first picture, or of what may be one. None if all are folders.
fn choose(kinds: &[Kind]) -> Option<usize> {
    let (place, kind) = kinds.iter().enumerate().min_by_key(|(_, kind)| **kind)?;
    (*kind != Kind::Folder).then_some(place)
}

/// Says which files were not opened, if there are any.
fn passed_over(names: &[String], chosen: usize) -> Option<String> {
    const MOST_NAMED: usize = 3;
    let rest: Vec<&str> =
        names.iter().enumerate().filter(|(place, _)| *place != chosen).map(|(_, name)| &**name).collect();
    let more = match rest.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = rest.iter().take(MOST_NAMED).copied().collect::<Vec<_>>().join(", ");
    (!rest.is_empty())
        .then(|| format!("One picture is opened at a time: {}. Passed over: {named}{more}.", names[chosen]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_picture_is_opened_and_the_rest_is_named() {
        use Kind::{Folder, Other, Picture, Unknown};
        assert_eq!(choose(&[Other, Picture, Picture]), Some(1));
        assert_eq!(choose(&[Folder, Other, Unknown]), Some(2), "a kind of picture that the browser does not know");
        assert_eq!(choose(&[Folder, Other]), Some(1), "which is refused in words");
        assert_eq!([choose(&[Folder, Folder]), choose(&[])], [None, None]);
        let names = ["a.txt", "b.png", "c.png", "d.png", "e.png"].map(str::to_owned);
        assert_eq!(passed_over(&names[1..2], 0), None);
        let words = passed_over(&names, 1).unwrap();
        assert!(words.contains(": b.png.") && words.ends_with("a.txt, c.png, d.png and 1 more."), "{words}");
    }
}
