//! A flame graph as boxes on a grid: widths in cells, the root above, children side by side below
//! it. Boxes narrower than a cell are one box together.

/// A box; it ends where the next begins, or at `x + width`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// More than one: those that are too narrow alone.
    pub nodes: Vec<usize>,
    pub x: u16,
    pub width: u16,
}

/// Where the nodes of a tree stand; the children of each come heaviest first.
pub trait Weighted {
    fn weight(&self, node: usize) -> f64;
    fn children(&self, node: usize) -> &[usize];
}

/// The rows from the roots down. Edges are rounded, not widths: boxes neither overlap nor leave
/// gaps between siblings, and a box lies inside its parent's.
pub fn layout(tree: &impl Weighted, roots: &[usize], width: u16) -> Vec<Vec<Tile>> {
    let total: f64 = roots.iter().map(|&root| tree.weight(root)).sum();
    if !(total > 0.0 && total.is_finite()) {
        return Vec::new();
    }
    let scale = f64::from(width) / total;
    let mut rows = Vec::new();
    let mut groups = vec![(0.0, roots)];
    while !groups.is_empty() {
        let mut row = Vec::new();
        let mut below = Vec::new();
        for (start, siblings) in groups {
            let mut edge: f64 = start;
            for (i, &node) in siblings.iter().enumerate() {
                let wide = tree.weight(node) * scale;
                if wide < 1.0 {
                    let rest: f64 = siblings[i..].iter().map(|&n| tree.weight(n)).sum();
                    row.extend(tile(edge, rest * scale, width, siblings[i..].to_vec()));
                    break;
                }
                row.extend(tile(edge, wide, width, vec![node]));
                if !tree.children(node).is_empty() {
                    below.push((edge, tree.children(node)));
                }
                edge += wide;
            }
        }
        if row.is_empty() {
            break;
        }
        rows.push(row);
        groups = below;
    }
    rows
}

fn tile(edge: f64, wide: f64, most: u16, nodes: Vec<usize>) -> Option<Tile> {
    let x = (edge.round() as u16).min(most);
    let end = ((edge + wide).round() as u16).min(most);
    let width = end.saturating_sub(x);
    (width > 0).then_some(Tile { nodes, x, width })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Made(Vec<(f64, Vec<usize>)>);

    impl Weighted for Made {
        fn weight(&self, node: usize) -> f64 {
            self.0[node].0
        }

        fn children(&self, node: usize) -> &[usize] {
            &self.0[node].1
        }
    }

    fn tiles(row: &[Tile]) -> Vec<(&[usize], u16, u16)> {
        row.iter().map(|t| (&*t.nodes, t.x, t.width)).collect()
    }

    #[test]
    fn boxes_are_as_wide_as_their_weight_and_the_narrow_stand_together() {
        let tree = Made(vec![
            (100.0, vec![1, 2, 3, 4]),
            (60.0, vec![5]),
            (30.0, vec![]),
            (5.0, vec![]),
            (4.0, vec![]),
            (60.0, vec![]),
        ]);
        let rows = layout(&tree, &[0], 10);
        assert_eq!(tiles(&rows[0]), [(&[0][..], 0, 10)]);
        let want = [(&[1][..], 0, 6), (&[2][..], 6, 3), (&[3, 4][..], 9, 1)];
        assert_eq!(tiles(&rows[1]), want);
        assert_eq!(tiles(&rows[2]), [(&[5][..], 0, 6)]);
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn nothing_to_weigh_draws_nothing() {
        assert!(layout(&Made(vec![(0.0, vec![])]), &[0], 80).is_empty());
        assert!(layout(&Made(vec![(f64::NAN, vec![])]), &[0], 80).is_empty());
        assert!(layout(&Made(vec![(1.0, vec![])]), &[0], 0).is_empty());
    }

    proptest! {
        #[test]
        fn boxes_do_not_overlap_and_lie_inside_their_parents(
            weights in prop::collection::vec(0.0..100.0_f64, 1..30), width in 1..200_u16
        ) {
            let mut list: Vec<f64> = weights;
            list.sort_by(|a, b| b.total_cmp(a));
            let n = list.len();
            let mut nodes = vec![(list.iter().sum(), (1..=n).collect())];
            nodes.extend(list.iter().map(|w| (*w, vec![])));
            let rows = layout(&Made(nodes), &[0], width);
            for row in &rows {
                prop_assert!(row.windows(2).all(|two| two[0].x + two[0].width <= two[1].x));
                prop_assert!(row.iter().all(|tile| tile.x + tile.width <= width));
            }
        }
    }
}
