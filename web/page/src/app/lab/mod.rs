//! A closer look at what an attack does: step by step, epsilon by epsilon; and what to keep of it.

mod compare;
mod curves;
mod inside;
mod job;
mod keep;
mod plot;
mod steps;
mod view;

use leptos::prelude::*;

pub(super) use compare::Compare;
pub(super) use view::{ViewSettings, Viewing};

use curves::Curves;
use inside::Inside;
use keep::Keep;
use steps::Steps;

/// Shows the panels below the two networks.
#[component]
pub(super) fn Lab() -> impl IntoView {
    view! {
        <section class="lab" aria-labelledby="lab-title">
            <h2 id="lab-title">"A closer look"</h2>
            <div class="lab-panels">
                <Steps/>
                <Curves/>
                <Viewing/>
                <Keep/>
                <Inside/>
            </div>
        </section>
    }
}
