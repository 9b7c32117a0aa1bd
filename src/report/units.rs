//! Numbers for people: three digits and a unit.

/// Seconds.
pub fn seconds(s: f64) -> String {
    match s {
        s if !s.is_finite() => "endless".into(),
        s if s >= 1.0 => format!("{} s", digits(s)),
        s if s >= 1e-3 => format!("{} ms", digits(s * 1e3)),
        s if s >= 1e-6 => format!("{} µs", digits(s * 1e6)),
        s => format!("{} ns", digits(s * 1e9)),
    }
}

/// Bytes, in decimal units.
pub fn bytes(n: f64) -> String {
    format!("{}B", scaled(n))
}

/// A count, in thousands, millions …
pub fn count(n: f64) -> String {
    scaled(n).trim_end().to_owned()
}

/// A fraction in per cent.
pub fn per_cent(x: f64) -> String {
    format!("{} %", digits(100.0 * x))
}

fn scaled(n: f64) -> String {
    const UNITS: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    let (mut rest, mut unit) = (n, 0);
    while rest >= 999.5 && unit + 1 < UNITS.len() {
        rest /= 1e3;
        unit += 1;
    }
    format!("{} {}", digits(rest), UNITS[unit])
}

/// Three digits, or all those before the point.
fn digits(x: f64) -> String {
    let text = match x.abs() {
        a if a >= 99.95 => format!("{x:.0}"),
        a if a >= 9.995 => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    };
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_unit() {
        assert_eq!(seconds(1.234e-5), "12.3 µs");
        assert_eq!(seconds(0.0), "0 ns");
        assert_eq!(seconds(75.0), "75 s");
        assert_eq!(bytes(999_600.0), "1 MB");
        assert_eq!(bytes(12.0), "12 B");
        assert_eq!(count(16_800_000.0), "16.8 M");
        assert_eq!(count(7.0), "7");
        assert_eq!(per_cent(0.073), "7.3 %");
    }
}
