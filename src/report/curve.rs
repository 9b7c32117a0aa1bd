//! Curves over logarithmic axes, as SVG.

use std::fmt::Write as _;

/// A named curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// What it is of.
    pub name: String,
    /// Its points, ascending; positive.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 420.0;
const MARGIN: f64 = 64.0;
const COLOURS: [&str; 6] = ["#0b6e99", "#d9730d", "#448361", "#9065b0", "#c14c8a", "#787774"];

/// A picture of curves, both of whose axes are logarithmic.
pub fn svg(curves: &[Curve], across: &str, up: &str) -> String {
    let points = || curves.iter().flat_map(|c| &c.points).filter(|p| p.0 > 0.0 && p.1 > 0.0);
    let xs = Scale::over(points().map(|p| p.0), MARGIN, WIDTH - 16.0);
    let ys = Scale::over(points().map(|p| p.1), HEIGHT - MARGIN, 24.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    grid(&mut out, &xs, &ys);
    let (middle, base) = (WIDTH / 2.0, HEIGHT - 16.0);
    let _ = writeln!(
        out,
        "<text x=\"{middle}\" y=\"{base}\" text-anchor=\"middle\">{}</text>\n\
         <text x=\"16\" y=\"{}\" text-anchor=\"middle\" \
         transform=\"rotate(-90 16 {})\">{}</text>",
        escaped(across),
        HEIGHT / 2.0,
        HEIGHT / 2.0,
        escaped(up)
    );
    for (k, curve) in curves.iter().enumerate() {
        let colour = COLOURS[k % COLOURS.len()];
        let drawn = curve.points.iter().filter(|p| p.0 > 0.0 && p.1 > 0.0);
        let drawn: Vec<_> = drawn.map(|p| format!("{:.1},{:.1}", xs.at(p.0), ys.at(p.1))).collect();
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n\
             <text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\" fill=\"{colour}\">{}</text>",
            drawn.join(" "),
            WIDTH - 28.0,
            40.0 + 16.0 * k as f64,
            escaped(&curve.name)
        );
    }
    out + "</svg>\n"
}

/// A line at each power of ten.
fn grid(out: &mut String, xs: &Scale, ys: &Scale) {
    let mut line = |x: (f64, f64), y: (f64, f64), label: String, at: (f64, f64), anchor: &str| {
        let _ = writeln!(
            out,
            "<line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"#ddd\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{label}</text>",
            x.0, x.1, y.0, y.1, at.0, at.1
        );
    };
    for (value, label) in xs.marks() {
        let x = xs.at(value);
        line((x, x), (24.0, HEIGHT - MARGIN), label, (x, HEIGHT - MARGIN + 18.0), "middle");
    }
    for (value, label) in ys.marks() {
        let y = ys.at(value);
        line((MARGIN, WIDTH - 16.0), (y, y), label, (MARGIN - 6.0, y + 4.0), "end");
    }
}

/// Logarithms of values on their way to the paper.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let logs: Vec<f64> = values.map(f64::log10).collect();
        let low = logs.iter().copied().fold(f64::INFINITY, f64::min).min(f64::MAX).floor();
        let high = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max).max(-f64::MAX).ceil();
        let high = if high > low { high } else { low + 1.0 };
        if logs.is_empty() {
            Scale { low: 0.0, high: 1.0, from, to }
        } else {
            Scale { low, high, from, to }
        }
    }

    fn at(&self, value: f64) -> f64 {
        self.from + (self.to - self.from) * (value.log10() - self.low) / (self.high - self.low)
    }

    /// Powers of ten, with their names.
    fn marks(&self) -> impl Iterator<Item = (f64, String)> {
        let powers = self.low as i32..=self.high as i32;
        powers.map(|k| (10_f64.powi(k), format!("10<tspan dy=\"-5\" font-size=\"9\">{k}</tspan>")))
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
