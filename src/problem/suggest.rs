//! "Did you mean": the nearest of the words that would have been right.

/// The candidate nearest to `word`, if it is near enough to be what was meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(d, candidate)| *d <= limit && *d < candidate.chars().count())
        .min_by_key(|(d, _)| *d)
        .map(|(_, candidate)| candidate)
}

/// The help under an unknown word: the nearest candidate, else all of them.
pub fn help<'a>(
    word: &str,
    what: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let list = candidates.join(", ");
    match nearest(word, candidates.iter().copied()) {
        Some(near) if candidates.len() > 20 => Some(format!("did you mean `{near}`?")),
        Some(near) => Some(format!("did you mean `{near}`? The {what} are: {list}")),
        None if candidates.is_empty() => Some(format!("there are no {what}")),
        None => Some(format!("the {what} are: {list}")),
    }
}

/// Edits between two words: insert, delete, replace, swap neighbours; another case costs nothing
/// unless it is all that differs.
fn distance(a: &str, b: &str) -> usize {
    let fold = |s: &str| s.chars().take(64).flat_map(char::to_lowercase).collect::<Vec<_>>();
    let (a, b) = (fold(a), fold(b));
    let mut rows = [vec![0; b.len() + 1], (0..=b.len()).collect(), vec![0; b.len() + 1]];
    for i in 1..=a.len() {
        rows[2][0] = i;
        for j in 1..=b.len() {
            let replaced = rows[1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[1][j] + 1).min(rows[2][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[0][j - 2] + 1);
            }
            rows[2][j] = best;
        }
        rows.rotate_left(1);
    }
    rows[1][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_the_word() {
        let words = ["Laplacian", "Gradient", "FFT", "Real"];
        assert_eq!(nearest("Lapalcian", words), Some("Laplacian"));
        assert_eq!(nearest("gradient", words), Some("Gradient"));
        assert_eq!(nearest("Rael", words), Some("Real"));
        assert_eq!(nearest("Convolve", words), None);
    }

    #[test]
    fn one_letter_names_are_not_guessed_from_each_other() {
        assert_eq!(nearest("B", ["A", "C"]), None);
        assert_eq!(nearest("a", ["A"]), Some("A"));
    }
}
