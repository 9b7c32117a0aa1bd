//! Places for the boxes of a graph, in layers from top to bottom.
//!
//! A box stands below all that it uses; sources stand right above their first use.
//! Edges over several layers go through places of their own, so that they pass between boxes.
//! Orders within layers follow barycentres; positions are the least squares that keep distances.

/// A box, or a place that an edge passes.
#[derive(Clone, Debug)]
pub(super) struct Vertex {
    pub width: f64,
    pub layer: usize,
    /// Its middle.
    pub x: f64,
}

/// A laid out graph.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// Boxes first, as they were given, then places on the way.
    pub vertices: Vec<Vertex>,
    /// For each edge the vertices on its way, its ends included.
    pub routes: Vec<Vec<usize>>,
    pub width: f64,
    pub layers: usize,
}

const GAP: f64 = 14.0;
const SWEEPS: usize = 12;

/// Lays out boxes of such widths with edges from earlier boxes to later ones.
pub(super) fn layout(widths: &[f64], edges: &[(usize, usize)]) -> Layout {
    let layer = layers(widths.len(), edges);
    let mut out = Layout {
        vertices: widths
            .iter()
            .zip(&layer)
            .map(|(&width, &layer)| Vertex { width, layer, x: 0.0 })
            .collect(),
        layers: layer.iter().max().map_or(0, |l| l + 1),
        ..Layout::default()
    };
    for &(from, to) in edges {
        let mut route = vec![from];
        for layer in layer[from] + 1..layer[to] {
            out.vertices.push(Vertex { width: 2.0, layer, x: 0.0 });
            route.push(out.vertices.len() - 1);
        }
        route.push(to);
        out.routes.push(route);
    }
    let mut rows = vec![Vec::new(); out.layers];
    for (v, vertex) in out.vertices.iter().enumerate() {
        rows[vertex.layer].push(v);
    }
    let near = Near::new(&out);
    order(&mut out, &mut rows, &near);
    place(&mut out, &rows, &near);
    out
}

/// The longest way from a source; sources move down to their first use.
fn layers(n: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut layer = vec![0_usize; n];
    for v in 0..n {
        let above = edges.iter().filter(|e| e.1 == v).map(|e| layer[e.0] + 1);
        layer[v] = above.max().unwrap_or(0);
    }
    for v in 0..n {
        if !edges.iter().any(|e| e.1 == v)
            && let Some(first) = edges.iter().filter(|e| e.0 == v).map(|e| layer[e.1]).min()
        {
            layer[v] = first.saturating_sub(1);
        }
    }
    layer
}

/// The neighbours of each vertex above and below.
struct Near {
    up: Vec<Vec<usize>>,
    down: Vec<Vec<usize>>,
}

impl Near {
    fn new(layout: &Layout) -> Self {
        let n = layout.vertices.len();
        let mut near = Near { up: vec![Vec::new(); n], down: vec![Vec::new(); n] };
        for pair in layout.routes.iter().flat_map(|route| route.windows(2)) {
            near.down[pair[0]].push(pair[1]);
            near.up[pair[1]].push(pair[0]);
        }
        near
    }
}

/// Orders rows by the mean position of neighbours, alternating downwards and upwards.
fn order(layout: &mut Layout, rows: &mut [Vec<usize>], near: &Near) {
    let mut at: Vec<f64> = vec![0.0; layout.vertices.len()];
    let number = |row: &[usize], at: &mut Vec<f64>| {
        let middle = row.len() as f64 / 2.0;
        row.iter().enumerate().for_each(|(k, &v)| at[v] = k as f64 - middle);
    };
    for row in rows.iter() {
        number(row, &mut at);
    }
    for sweep in 0..SWEEPS {
        let downwards = sweep % 2 == 0;
        for r in 0..rows.len() {
            let r = if downwards { r } else { rows.len() - 1 - r };
            let row = &mut rows[r];
            let key = |v: usize| {
                let of = if downwards { &near.up[v] } else { &near.down[v] };
                mean(of, &at).unwrap_or(at[v])
            };
            let keys: Vec<f64> = row.iter().map(|&v| key(v)).collect();
            let mut sorted: Vec<usize> = (0..row.len()).collect();
            sorted.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
            *row = sorted.into_iter().map(|k| row[k]).collect();
            number(row, &mut at);
        }
    }
}

fn mean(of: &[usize], at: &[f64]) -> Option<f64> {
    let sum: f64 = of.iter().map(|&v| at[v]).sum();
    (!of.is_empty()).then(|| sum / of.len() as f64)
}

/// Gives each vertex its place: near its neighbours, in the order of its row.
fn place(layout: &mut Layout, rows: &[Vec<usize>], near: &Near) {
    let mut at = vec![0.0; layout.vertices.len()];
    for sweep in 0..2 * SWEEPS {
        let downwards = sweep % 2 == 0;
        for r in 0..rows.len() {
            let row = &rows[if downwards { r } else { rows.len() - 1 - r }];
            let wish = |v: usize| {
                let (first, other) =
                    if downwards { (&near.up, &near.down) } else { (&near.down, &near.up) };
                let last = sweep + 2 >= 2 * SWEEPS;
                let both: Vec<_> = near.up[v].iter().chain(&near.down[v]).copied().collect();
                let own = if last { mean(&both, &at) } else { mean(&first[v], &at) };
                own.or_else(|| mean(&other[v], &at)).unwrap_or(at[v])
            };
            let wishes: Vec<f64> = row.iter().map(|&v| wish(v)).collect();
            let width: Vec<f64> = row.iter().map(|&v| layout.vertices[v].width).collect();
            for (&v, x) in row.iter().zip(spread(&wishes, &width)) {
                at[v] = x;
            }
        }
    }
    let sides =
        layout.vertices.iter().zip(&at).map(|(v, x)| (x - v.width / 2.0, x + v.width / 2.0));
    let (left, right) = sides.fold((f64::MAX, f64::MIN), |(l, r), (a, b)| (l.min(a), r.max(b)));
    layout.vertices.iter_mut().zip(&at).for_each(|(v, x)| v.x = x - left);
    layout.width = (right - left).max(0.0);
}

/// The places nearest to those that are wished for, in order and without overlap: neighbours that
/// are too near become a group around the mean of what they wish.
fn spread(wishes: &[f64], width: &[f64]) -> Vec<f64> {
    let mut offset = vec![0.0; wishes.len()];
    for k in 1..wishes.len() {
        offset[k] = offset[k - 1] + f64::midpoint(width[k - 1], width[k]) + GAP;
    }
    let mut groups: Vec<(f64, usize)> = Vec::new();
    for (wish, off) in wishes.iter().zip(&offset) {
        groups.push((wish - off, 1));
        while let [.., (a, n), (b, m)] = groups[..]
            && a > b
        {
            groups.truncate(groups.len() - 2);
            groups.push(((a * n as f64 + b * m as f64) / (n + m) as f64, n + m));
        }
    }
    let base = groups.iter().flat_map(|&(x, n)| std::iter::repeat_n(x, n));
    base.zip(&offset).map(|(x, off)| x + off).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_do_not_overlap_and_edges_go_down() {
        let widths = [40.0, 80.0, 60.0, 30.0, 90.0, 20.0];
        let edges = [(0, 1), (0, 2), (1, 4), (2, 4), (0, 4), (3, 4), (4, 5)];
        let layout = layout(&widths, &edges);
        assert_eq!(layout.vertices[3].layer, 1, "a source stands right above its use");
        for (a, v) in layout.vertices.iter().enumerate() {
            assert!(v.x - v.width / 2.0 >= -1e-9 && v.x + v.width / 2.0 <= layout.width + 1e-9);
            for w in layout.vertices[a + 1..].iter().filter(|w| w.layer == v.layer) {
                assert!((v.x - w.x).abs() >= f64::midpoint(v.width, w.width) + GAP - 1e-9);
            }
        }
        for route in &layout.routes {
            let layers: Vec<_> = route.iter().map(|&v| layout.vertices[v].layer).collect();
            assert!(layers.windows(2).all(|w| w[0] + 1 == w[1]), "{layers:?}");
        }
    }
}
