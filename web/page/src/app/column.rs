//! One network: its answer before and after the attack, and the pictures between.

use leptos::prelude::*;

use super::browser::Store;
use super::canvas::PixelCanvas;
use super::lab::{Compare, ViewSettings};
use super::networks::NetworkChooser;
use crate::app::follow::follow;
use crate::pictures;
use crate::state::{Column, State, Verdict};
use crate::text;
use protocol::{Guess, Slot, TOP, Training};
use terms::attack::Norm;

/// Shows a network's column.
#[component]
pub(super) fn NetworkColumn(network: Slot) -> impl IntoView {
    let store = expect_context::<Store>();
    let name = network.name();
    let progress = column(store, network, |column| column.progress);
    let steps = column(store, network, |column| (column.steps_done, column.steps_total));
    let runs = store.read(|state| state.attack.begun);
    let verdict_words = store.read(move |state| state.verdict_words(network).or_else(|| label_words(state, network)));
    let title = store.read(move |state| state.title(network));
    let folder = store.read(move |state| state.shown(network).map(str::to_owned));
    let about = store.read(move |state| match state.training(network) {
        Training::Ordinary => "Trained on ordinary pictures only.",
        Training::Perturbed => "Trained on perturbed pictures as well.",
        Training::Attacked => "Trained on attacked pictures as well.",
        Training::Unknown => "",
    });
    view! {
        <article
            class="panel network"
            aria-labelledby=format!("title-{name}")
            data-testid=format!("column-{name}")
            data-state=follow(move || progress.get().name())
            data-steps-done=follow(move || steps.get().0.to_string())
            data-steps-total=follow(move || steps.get().1.to_string())
            data-run=follow(move || runs.get().to_string())
            data-network=folder
        >
            <header>
                <div>
                    <h2 id=format!("title-{name}") data-testid=format!("title-{name}")>{title}</h2>
                    <p>{about}</p>
                </div>
                <VerdictChip network/>
            </header>
            <NetworkChooser network/>
            <Pictures network/>
            <Compare network/>
            <StepBar network/>
            <p class="verdict-words" data-testid=format!("verdict-words-{name}")>{verdict_words}</p>
            <div class="answers">
                <Answers network when="clean" title="Before" guesses=column(store, network, |column| column.clean.clone())/>
                <Answers
                    network
                    when="attacked"
                    title="After"
                    guesses=column(store, network, |column| column.step().map(|step| step.top.clone()).unwrap_or_default())
                />
            </div>
            <Facts network/>
        </article>
    }
}

/// Returns a part of a column.
fn column<T>(store: Store, network: Slot, part: impl Fn(&Column) -> T + Send + Sync + 'static) -> Memo<T>
where
    T: PartialEq + Send + Sync + 'static,
{
    store.read(move |state| part(&state.columns[network.index()]))
}

/// Shows on a chip whether the network held.
#[component]
fn VerdictChip(network: Slot) -> impl IntoView {
    let store = expect_context::<Store>();
    let verdict = store.read(move |state| state.verdict(network));
    let interim = column(store, network, Column::is_interim);
    let words = store.read(move |state| state.chip(network));
    view! {
        <span
            class="chip"
            data-testid=format!("verdict-{}", network.name())
            data-verdict=follow(move || verdict.get().map_or("", Verdict::name))
            data-interim=follow(move || interim.get().to_string())
        >
            {words}
        </span>
    }
}

/// Clean picture + perturbation = attacked picture.
#[component]
fn Pictures(network: Slot) -> impl IntoView {
    let store = expect_context::<Store>();
    let name = network.name();
    let clean = store.read(|state| state.picture.shown.as_ref().map(|shown| shown.pixels.clone()));
    let attacked = column(store, network, |column| column.step().map(|step| step.attacked.clone()));
    let epsilon = store.read(|state| state.attack.latest.radius());
    let viewing = expect_context::<ViewSettings>();
    let perturbation = Memo::new(move |_| {
        let (before, after) = (clean.get()?, attacked.get()?);
        Some(pictures::change(&before, &after, viewing.gain(epsilon.get()), viewing.drawing()))
    });
    let amplified = move || text::perturbation(attacked.with(Option::is_some).then(|| viewing.gain(epsilon.get())));
    view! {
        <div class="equation">
            <figure>
                <PixelCanvas pixels=clean testid=format!("clean-canvas-{name}") label="The clean picture"/>
                <figcaption>"Picture"</figcaption>
            </figure>
            <span aria-hidden="true">"+"</span>
            <figure>
                <PixelCanvas
                    pixels=perturbation
                    testid=format!("perturbation-canvas-{name}")
                    label="The perturbation, amplified around grey"
                />
                <figcaption data-testid=format!("amplified-{name}")>{follow(amplified)}</figcaption>
            </figure>
            <span aria-hidden="true">"="</span>
            <figure>
                <PixelCanvas
                    pixels=attacked
                    testid=format!("attacked-canvas-{name}")
                    label="The attacked picture"
                />
                <figcaption>"Attacked"</figcaption>
            </figure>
        </div>
    }
}

/// Shows how many steps are done.
#[component]
fn StepBar(network: Slot) -> impl IntoView {
    let store = expect_context::<Store>();
    let steps = column(store, network, |column| (column.steps_done, column.steps_total));
    let title = store.read(move |state| state.title(network));
    view! {
        <progress
            class="steps"
            aria-label=follow(move || format!("Steps of the attack on the network {}", title.get()))
            max=follow(move || steps.get().1.max(1).to_string())
            prop:value=follow(move || f64::from(steps.get().0))
        ></progress>
    }
}

/// Shows the five best guesses. The rows stay and only their content changes, so that the bars can move.
#[component]
fn Answers(
    network: Slot,
    /// `clean` or `attacked`.
    when: &'static str,
    /// The heading.
    title: &'static str,
    /// Best first.
    guesses: Memo<Vec<Guess>>,
) -> impl IntoView {
    let rows = (0..TOP).map(
        |rank| view! { <Answer network guess=Memo::new(move |_| guesses.with(|guesses| guesses.get(rank).copied()))/> },
    );
    view! {
        <section>
            <h3>{title}</h3>
            <ol data-testid=format!("{when}-top5-{}", network.name())>{rows.collect_view()}</ol>
        </section>
    }
}

#[component]
fn Answer(network: Slot, guess: Memo<Option<Guess>>) -> impl IntoView {
    let store = expect_context::<Store>();
    let name = store.read(move |state| match guess.get() {
        Some(guess) => state.class_name(guess.class),
        None => String::new(),
    });
    let all_names = store.read(move |state| {
        let class = state.classes.get(guess.get()?.class)?;
        Some(class.name.clone())
    });
    // The network's own first answer is followed from list to list, and so is the class aimed at.
    let own = store.read(move |state| {
        let own = state.columns[network.index()].clean.first();
        own.is_some_and(|own| guess.get().is_some_and(|guess| guess.class == own.class))
    });
    let target =
        store.read(move |state| guess.get().is_some_and(|guess| state.attack.settings.target == Some(guess.class)));
    let role = move || match (target.get(), own.get()) {
        (true, _) => "target",
        (false, true) => "own",
        (false, false) => "",
    };
    view! {
        <li
            class="answer"
            class:empty=follow(move || guess.get().is_none())
            class:own=own
            data-role=follow(role)
            data-class=follow(move || guess.get().map(|guess| guess.class.to_string()))
            data-share=follow(move || guess.get().map(|guess| format!("{:.6}", guess.share)))
            title=all_names
        >
            <span class="name">
                {follow(move || target.get().then(|| view! { <span class="mark">"target"</span> " " }))}
                {name}
                {follow(move || own.get().then(|| view! { <span class="visually-hidden">", its own answer"</span> }))}
            </span>
            <span class="share">{follow(move || guess.get().map(|guess| text::percent(guess.share.into())))}</span>
            <span
                class="bar"
                aria-hidden="true"
                style=follow(move || format!("--share: {:.4}", guess.get().map_or(0.0, |guess| guess.share)))
            ></span>
        </li>
    }
}

/// Time, size of the change, and the control.
#[component]
fn Facts(network: Slot) -> impl IntoView {
    let store = expect_context::<Store>();
    let name = network.name();
    let elapsed = column(store, network, |column| column.step().map(|step| step.elapsed_ms));
    let change = column(store, network, |column| column.step().map(|step| (step.largest_change, step.l2)));
    let change_words = store.read(move |state| {
        let step = state.columns[network.index()].step()?;
        let levels = format!("{}/255", step.largest_change);
        Some(match state.attack.latest.norm() {
            Norm::Linf => levels,
            Norm::L2 => format!("{levels}, L2 {:.2}", f64::from(step.l2)),
            Norm::L0 => {
                let count = pictures::pixels_changed(&state.picture.shown.as_ref()?.pixels, &step.attacked);
                format!("{levels}, {count} {}", if count == 1 { "pixel" } else { "pixels" })
            }
        })
    });
    let noise = column(store, network, |column| column.noise);
    let noise_words = store.read(move |state| {
        let best = noise.get()?;
        let own = state.columns[network.index()].clean.first()?.class;
        let still = if best.class == own { "still " } else { "" };
        Some(format!("{still}{} ({})", state.class_name(best.class), text::percent(best.share.into())))
    });
    let noise_verdict = store.read(move |state| state.noise_verdict(network));
    let time = store.read(move |state| time_words(&state.columns[network.index()]));
    let target = store.read(move |state| state.target_words(network));
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".into());
    view! {
        <dl class="facts">
            // It is seldom among the first five before it is the first.
            <div hidden=follow(move || target.with(Option::is_none))>
                <dt>"Target"</dt>
                <dd data-testid=format!("target-{name}")>{target}</dd>
            </div>
            <div>
                <dt>"Time"</dt>
                <dd data-testid=format!("elapsed-{name}") data-ms=follow(move || elapsed.get().map(|ms| format!("{ms:.2}")))>
                    {follow(move || or_dash(time.get()))}
                </dd>
            </div>
            <div>
                <dt>"Largest change"</dt>
                <dd
                    data-testid=format!("change-{name}")
                    data-levels=follow(move || change.get().map(|(levels, _)| levels.to_string()))
                    data-l2=follow(move || change.get().map(|(_, l2)| format!("{:.4}", f64::from(l2))))
                >
                    {follow(move || or_dash(change_words.get()))}
                </dd>
            </div>
            <div>
                <dt>"Random noise of that size"</dt>
                <dd
                    data-testid=format!("noise-{name}")
                    data-verdict=follow(move || noise_verdict.get().map_or("", Verdict::name))
                >
                    {follow(move || or_dash(noise_words.get()))}
                </dd>
            </div>
        </dl>
    }
}

fn time_words(column: &Column) -> Option<String> {
    match (column.step(), column.clean_ms) {
        (Some(step), _) => {
            let time = text::duration(step.elapsed_ms);
            // Noise takes no steps.
            Some(if step.total == 0 { time } else { format!("{time} for {}", text::steps(step.done, step.total)) })
        }
        (None, Some(ms)) => Some(format!("{} to classify", text::duration(ms))),
        (None, None) => None,
    }
}

/// Before an attack: whether the clean answer is the picture's class, where that is known.
fn label_words(state: &State, network: Slot) -> Option<String> {
    let label = state.label()?;
    let guesses = &state.columns[network.index()].clean;
    let truth = state.class_name(label);
    let first = state.class_name(guesses.first()?.class);
    let place = guesses.iter().position(|guess| guess.class == label);
    Some(match place {
        Some(0) => format!("It says {first}, which is right."),
        Some(place) => format!("It takes this {truth} for {first}; {truth} is its guess {}.", place + 1),
        None => format!("It takes this {truth} for {first}."),
    })
}
