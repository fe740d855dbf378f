//! The tables: one for each protocol, so that scores of different protocols are not compared.

use maud::{Markup, html};

use crate::scores::{Cell, Group, Protocol, Row, Sheet};

/// Returns all tables, with what they have in common above them.
pub(super) fn tables(sheet: &Sheet) -> Markup {
    html! {
        div.scores-head {
            p.hint { (sheet.caption()) }
            // What it shows, the style sheet decides.
            label.toggle { input #scores-top5 type="checkbox" data-testid="scores-top5"; "Show top 5 as well" }
        }
        div.tables { @for group in &sheet.groups { (protocol(sheet, group)) } }
    }
}

fn protocol(sheet: &Sheet, group: &Group) -> Markup {
    let testid = format!("scores-{}", group.protocol.name());
    let title = group.protocol.title();
    let content = html! {
        p.hint { (group.meaning()) }
        (table(sheet, group))
    };
    html! {
        @if group.protocol == Protocol::Corruptions {
            // Fifteen corruptions at five severities: folded away, as they are many.
            details.protocol data-testid=(testid) { summary { (title) } (content) }
        } @else {
            section.protocol data-testid=(testid) { h3 { (title) } (content) }
        }
    }
}

fn table(sheet: &Sheet, group: &Group) -> Markup {
    html! {
        table {
            caption.visually-hidden { (group.protocol.title()) }
            thead {
                tr {
                    th scope="col" { "Measured" }
                    @for network in &sheet.networks { th scope="col" { (network) } }
                }
            }
            tbody { @for row in &group.rows { (table_row(sheet, row)) } }
        }
    }
}

fn table_row(sheet: &Sheet, row: &Row) -> Markup {
    html! {
        tr {
            th scope="row" {
                (row.title)
                @if let Some(words) = sheet.fewer(row) { " " span.aside { (words) } }
            }
            @for cell in &row.cells {
                td {
                    @match cell {
                        Some(cell) => { (score(sheet, row, cell)) }
                        None => { span.aside { "not measured" } }
                    }
                }
            }
        }
    }
}

fn score(sheet: &Sheet, row: &Row, cell: &Cell) -> Markup {
    html! {
        div.score {
            span.numbers {
                span.value { (cell.top1_words()) }
                " "
                span.aside { (cell.interval_words()) }
            }
            (bar(cell, sheet.bar_end))
            @if let Some(words) = cell.top5_words() { span.aside.top5 { (words) " in top 5" } }
            @if let Some(words) = sheet.fewer_here(row, cell) { span.aside { (words) } }
        }
    }
}

/// Returns the share as a bar that is full at `end`, with its interval.
pub(super) fn bar(cell: &Cell, end: f64) -> Markup {
    let share = |share: f64| (share / end).clamp(0.0, 1.0);
    let (value, [low, high]) = (share(cell.top1.value()), cell.interval.map(share));
    let style = format!("--value: {value:.4}; --low: {low:.4}; --high: {high:.4}");
    html! { span.score-bar aria-hidden="true" style=(style) {} }
}
