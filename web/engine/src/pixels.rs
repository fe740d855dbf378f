//! Sums on 8-bit pixels: what is shown is what is scored, so what is promised must hold on these.

/// Brings `changed` back to within `radius` of `original`, in place.
///
/// For a whole radius the attack's own rounding stays inside it; but the page promises it, so the page makes sure.
pub(crate) fn project(original: &[u8], changed: &mut [u8], radius: u8) {
    for (&from, to) in original.iter().zip(changed) {
        *to = (*to).clamp(from.saturating_sub(radius), from.saturating_add(radius));
    }
}

/// The largest change of a channel.
pub(crate) fn largest_change(original: &[u8], changed: &[u8]) -> u8 {
    original.iter().zip(changed).map(|(&from, &to)| from.abs_diff(to)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projection_holds_at_the_ends_of_the_range() {
        let original = [0, 3, 128, 255];
        let mut changed = [9, 0, 140, 200];
        project(&original, &mut changed, 8);
        assert_eq!(changed, [8, 0, 136, 247]);
        assert_eq!(largest_change(&original, &changed), 8);
        project(&original, &mut changed, 0);
        assert_eq!(changed, original);
    }
}
