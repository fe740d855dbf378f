//! What an attack aims at: any other answer, or one of the classes, found by typing.

use js_sys::JsString;
use leptos::prelude::*;

use crate::app::browser::Store;
use crate::app::follow::follow;
use crate::state::{Change, Event};
use terms::card::Class;

/// Shows a search box and the classes that it leaves.
#[component]
pub(super) fn Target() -> impl IntoView {
    let store = expect_context::<Store>();
    let search = RwSignal::new(String::new());
    let classes = store.read(|state| state.classes.clone());
    let target = store.read(|state| state.attack.settings.target);
    let found = Memo::new(move |_| search.with(|text| classes.with(|classes| matching(classes, text))));
    let choose = move |class: Option<usize>| store.dispatch(Event::Set(Change::Target(class)));
    let first = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Enter"
            && let Some((class, _)) = found.with(|found| found.first().cloned())
        {
            event.prevent_default();
            choose(Some(class));
        }
    };
    let options = move || {
        let option = |(class, name): (usize, String)| {
            view! { <option value=class.to_string() prop:selected=follow(move || target.get() == Some(class))>{name}</option> }
        };
        // The one that is chosen stays in the list, or the menu would say that none is.
        let mut listed = found.get();
        if let Some(chosen) = target.get()
            && !listed.iter().any(|(class, _)| *class == chosen)
        {
            listed.insert(0, (chosen, store.peek(|state| state.class_name(chosen))));
        }
        listed.into_iter().map(option).collect_view()
    };
    let count = move || match (search.with(|text| text.trim().is_empty()), found.with(Vec::len)) {
        (true, _) => String::new(),
        (false, 0) => "No class has such a name.".into(),
        (false, 1) => "1 class; Enter aims at it.".into(),
        (false, many) => format!("{many} classes; Enter aims at the first."),
    };
    view! {
        <div class="field target">
            <label for="target">"Goal" <a class="more" href="#targeted" aria-label="What a targeted attack is">"?"</a></label>
            <div class="pair">
                <input
                    type="search"
                    placeholder="Search"
                    aria-label="Search the classes"
                    autocomplete="off"
                    data-testid="target-search"
                    prop:value=search
                    on:input=move |event| search.set(event_target_value(&event))
                    on:keydown=first
                />
                <select
                    id="target"
                    data-testid="target-class"
                    on:change=move |event| choose(event_target_value(&event).parse().ok())
                >
                    <option value="" prop:selected=follow(move || target.get().is_none())>"Any other answer"</option>
                    <optgroup label="Towards this answer">{follow(options)}</optgroup>
                </select>
            </div>
            <p class="hint" role="status" data-testid="target-found">{follow(count)}</p>
        </div>
    }
}

/// Returns the classes one of whose names has `text` in it, by name; those that begin with it come first.
fn matching(classes: &[Class], text: &str) -> Vec<(usize, String)> {
    let text = lower_case(text.trim());
    let mut found: Vec<(bool, String, usize)> = classes
        .iter()
        .enumerate()
        .filter(|(_, class)| lower_case(&class.name).contains(&text) || class.wnid == text)
        .map(|(index, class)| {
            let name = lower_case(class.short_name());
            (!name.starts_with(&text), name, index)
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, _, index)| (index, classes[index].short_name().to_owned())).collect()
}

/// Returns a text in small letters. The browser has the tables of all alphabets, so the program needs none.
fn lower_case(text: &str) -> String {
    if cfg!(target_arch = "wasm32") { JsString::from(text).to_lower_case().into() } else { text.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_any_part_and_beginnings_first() {
        let class = |wnid: &str, name: &str| Class { wnid: wnid.into(), name: name.into() };
        let classes = [
            class("n02123394", "Persian cat"),
            class("n01644900", "tailed frog, bell toad"),
            class("n07720875", "bell pepper"),
        ];
        let names = |text: &str| matching(&classes, text).into_iter().map(|found| found.1).collect::<Vec<_>>();
        assert_eq!(names("bell"), ["bell pepper", "tailed frog"]);
        assert_eq!(names(" CAT "), ["Persian cat"]);
        assert_eq!(names("n01644900"), ["tailed frog"]);
        assert_eq!(names("").len(), 3);
        assert!(names("zebra").is_empty());
    }
}
