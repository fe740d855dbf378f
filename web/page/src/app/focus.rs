//! Where the keyboard is. A browser forgets it when the element it is on is removed or switched off, and those who do not use a
//! mouse would begin at the top again.

use leptos::html::ElementType;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

/// Moves the keyboard to an element.
pub(super) fn focus<E>(target: NodeRef<E>)
where
    E: ElementType,
    E::Output: JsCast + Clone + AsRef<HtmlElement> + 'static,
{
    if let Some(target) = target.get_untracked() {
        let target: &HtmlElement = target.as_ref();
        // An element that cannot take it leaves the keyboard where it is.
        let _ = target.focus();
    }
}

/// Tells whether the keyboard is on an element.
pub(super) fn has_focus<E>(target: NodeRef<E>) -> bool
where
    E: ElementType,
    E::Output: JsCast + Clone + AsRef<Element> + 'static,
{
    let (target, focused) = (target.get_untracked(), document().active_element());
    target.is_some_and(|target| focused.as_ref() == Some::<&Element>(target.as_ref()))
}
