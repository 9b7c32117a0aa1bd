//! What every example needs: the number of ranks to run on.

/// What `ADJOIN_RANKS` says, else one.
pub fn ranks() -> usize {
    let Ok(text) = std::env::var("ADJOIN_RANKS") else { return 1 };
    text.parse().ok().filter(|&ranks| ranks > 0).unwrap_or_else(|| {
        eprintln!("ADJOIN_RANKS=`{text}` is no number of ranks");
        std::process::exit(2)
    })
}
