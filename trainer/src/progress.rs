//! Progress of long work, on stderr: a bar on a terminal, nothing elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `total` bytes.
pub fn bytes(total: u64, title: &'static str) -> ProgressBar {
    styled(ProgressBar::new(total), "{bytes}/{total_bytes}, {binary_bytes_per_sec}, {eta} left", title)
}

/// A bar over `total` things.
pub fn count(total: u64, title: &'static str) -> ProgressBar {
    styled(ProgressBar::new(total), "{human_pos}/{human_len}, {per_sec}, {eta} left", title)
}

/// For work whose length is not known.
pub fn spinner(title: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(title);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar.set_style(style("{spinner} {msg} {human_pos} {elapsed}"));
    bar
}

fn styled(bar: ProgressBar, numbers: &str, title: &'static str) -> ProgressBar {
    bar.set_style(style(&format!("{{msg:<12}} [{{bar:32}}] {numbers}")).progress_chars("=> "));
    bar.with_message(title)
}

fn style(template: &str) -> ProgressStyle {
    // The templates are the literals above; a broken one would only cost the looks.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
