//! The tables: one for each protocol, so that nobody reads across.

use leptos::prelude::*;

use crate::scores::{Cell, Group, Protocol, Row, Sheet};

/// All tables, with what they have in common above them.
#[component]
pub(super) fn Tables(
    /// What is in them.
    sheet: Sheet,
    /// Whether they show the first five answers as well.
    with_top5: RwSignal<bool>,
) -> impl IntoView {
    let groups = sheet.groups.iter().map(|group| protocol(&sheet, group)).collect_view();
    view! {
        <div class="scores-head">
            <p class="hint">{sheet.caption()}</p>
            <label class="toggle">
                <input
                    type="checkbox"
                    data-testid="scores-top5"
                    prop:checked=with_top5
                    on:change=move |event| with_top5.set(event_target_checked(&event))
                />
                "Show top 5 as well"
            </label>
        </div>
        <div class="tables" class:with-top5=with_top5>{groups}</div>
    }
}

fn protocol(sheet: &Sheet, group: &Group) -> impl IntoView + use<> {
    let testid = format!("scores-{}", group.protocol.name());
    let title = group.protocol.title();
    let content = view! {
        <p class="hint">{group.meaning()}</p>
        {table(sheet, group)}
    };
    if group.protocol == Protocol::Corruptions {
        // Fifteen corruptions at five severities: for who wants to know.
        view! {
            <details class="protocol" data-testid=testid>
                <summary>{title}</summary>
                {content}
            </details>
        }
        .into_any()
    } else {
        view! {
            <section class="protocol" data-testid=testid>
                <h3>{title}</h3>
                {content}
            </section>
        }
        .into_any()
    }
}

fn table(sheet: &Sheet, group: &Group) -> impl IntoView + use<> {
    let heads = sheet.networks.iter().map(|network| view! { <th scope="col">{network.clone()}</th> }).collect_view();
    let rows = group.rows.iter().map(|row| table_row(sheet, row)).collect_view();
    view! {
        <table>
            <caption class="visually-hidden">{group.protocol.title()}</caption>
            <thead>
                <tr>
                    <th scope="col">"Measured"</th>
                    {heads}
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
}

fn table_row(sheet: &Sheet, row: &Row) -> impl IntoView + use<> {
    let fewer = sheet.fewer(row).map(|words| view! { <span class="aside">{words}</span> });
    let cells = row.cells.iter().map(|cell| table_cell(sheet, row, cell.as_ref())).collect_view();
    view! {
        <tr>
            <th scope="row">{row.title.clone()} " " {fewer}</th>
            {cells}
        </tr>
    }
}

fn table_cell(sheet: &Sheet, row: &Row, cell: Option<&Cell>) -> impl IntoView + use<> {
    let Some(cell) = cell else {
        return view! { <td><span class="aside">"not measured"</span></td> }.into_any();
    };
    let fewer = sheet.fewer_here(row, cell).map(|words| view! { <span class="aside">{words}</span> });
    view! {
        <td>
            <div class="score">
                <span class="numbers">
                    <span class="value">{cell.top1_words()}</span>
                    " "
                    <span class="aside">{cell.interval_words()}</span>
                </span>
                {bar(cell, sheet.bar_end)}
                {cell
                    .top5_words()
                    .map(|words| view! { <span class="aside top5">{format!("{words} in top 5")}</span> })}
                {fewer}
            </div>
        </td>
    }
    .into_any()
}

/// The share as a bar that is full at `end`, with its interval.
pub(super) fn bar(cell: &Cell, end: f64) -> impl IntoView + use<> {
    let share = |share: f64| format!("{:.4}", (share / end).clamp(0.0, 1.0));
    let [low, high] = cell.interval.map(share);
    view! {
        <span
            class="score-bar"
            aria-hidden="true"
            style=("--value", share(cell.top1.value()))
            style=("--low", low)
            style=("--high", high)
        ></span>
    }
}
