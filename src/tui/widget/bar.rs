//! A share as a bar.

/// `pct` of 100 in `width` cells; anything above nothing shows at least one.
pub fn text(pct: Option<f64>, width: usize) -> String {
    let Some(pct) = pct.filter(|pct| pct.is_finite() && *pct >= 0.05) else {
        return String::new();
    };
    let full = (pct / 100.0 * width as f64).round() as usize;
    "█".repeat(full.clamp(1, width.max(1)).min(width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_never_longer_than_its_place_and_never_hides_a_little() {
        let shown = |pct| text(Some(pct), 10).chars().count();
        assert_eq!([0.0, 0.5, 50.0, 100.0, 400.0].map(shown), [0, 1, 5, 10, 10]);
        assert_eq!(text(Some(50.0), 0), "");
        assert_eq!(text(None, 10), "");
    }
}
