//! Nothing that a user can write makes the front end panic.
//!
//! `PROPTEST_CASES=100000 cargo test --release --test problem_fuzz` looks longer.

use adjoin::problem::fuzz_entry;
use proptest::prelude::*;

const FILES: [&str; 4] = [
    include_str!("problem_files/spine.toml"),
    include_str!("problem_files/spine.json"),
    include_str!("problem_files/shapes.toml"),
    include_str!("../examples/problems/smooth.toml"),
];

/// Pieces of expressions and of files, in both notations.
const PIECES: [&str; 96] = [
    "A",
    "B",
    "G",
    "x",
    "d",
    "eps",
    "L",
    "W",
    "H",
    "T",
    "conj",
    "on",
    "VStack",
    "HStack",
    "BlockDiag",
    "Block",
    "Kronecker",
    "stack",
    "zeros",
    "f",
    "0",
    "1",
    "2",
    "0.5",
    "1e-3",
    "1e999",
    "2j",
    "1.5j",
    "007",
    "18446744073709551616",
    "9007199254740993",
    "+",
    "-",
    "*",
    "/",
    "@",
    "**",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    "=",
    ":",
    "'",
    "\"",
    "\"\"\"",
    "'''",
    "\\",
    "\\u0041",
    "\n",
    " ",
    "\t",
    "\r\n",
    "#",
    "é",
    "\u{1F600}",
    "\u{0}",
    "nan",
    "inf",
    "-inf",
    "true",
    "null",
    "[arrays]\n",
    "[operators]\n",
    "[solve]\n",
    "[outputs]\n",
    "[parameters]\n",
    "[defaults]\n",
    "A = \"B\"\n",
    "B = \"A\"\n",
    "B = '2 * A + x'\n",
    "d = \"d.npy\"\n",
    "x = { shape = [2, 3] }\n",
    "eps = 0.1\n",
    "G = { operator = \"MatrixMult\", A = \"W\" }\n",
    "solver = \"cgls\"\n",
    "operator = \"A\"\n",
    "data = \"d\"\n",
    "niter = 5\n",
    "dtype = \"float32\"\n",
    "mesh = { r = 2 }\n",
    "ranks = 3\n",
    "zeros((2, 3))",
    "A.H @ ",
    "VStack(a = A, ",
    "\"operators\": {",
    "\"solve\": ",
    "\"A\": ",
    ".H",
    ".T",
    ".conj()",
    "dims = [32, 40]\n",
];

fn soup(length: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..length)
        .prop_map(|pieces| pieces.concat())
}

/// A good file with pieces written over, into and instead of some of its bytes.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<prop::sample::Index>(), 0usize..12, soup(3));
    (prop::sample::select(FILES.to_vec()), prop::collection::vec(edit, 1..6)).prop_map(
        |(file, edits)| {
            let mut bytes = file.as_bytes().to_vec();
            for (at, removed, piece) in edits {
                let at = at.index(bytes.len() + 1);
                let end = (at + removed).min(bytes.len());
                bytes.splice(at..end, piece.into_bytes());
            }
            bytes
        },
    )
}

/// What happens to a file that nobody meant to change.
#[derive(Clone, Debug)]
enum Wear {
    /// A bit is another one.
    Flip(prop::sample::Index, u8),
    /// Some bytes are missing.
    Cut(prop::sample::Index, usize),
    /// A line is there twice, the second time before another line.
    Line(prop::sample::Index, prop::sample::Index),
    /// A number is another one.
    Number(prop::sample::Index, &'static str),
}

const NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "123456789012345678901234567890123456789012345678901234567890",
    "1e308",
    "1e999",
    "1e-320",
    "-0.0",
    "nan",
    "1_000_000_000",
];

impl Wear {
    fn on(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Wear::Flip(at, bit) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Wear::Cut(at, length) => {
                let at = at.index(bytes.len());
                bytes.drain(at..(at + length).min(bytes.len()));
            }
            Wear::Line(from, to) => {
                let mut lines: Vec<_> = bytes.split_inclusive(|&b| b == b'\n').collect();
                lines.insert(to.index(lines.len()), lines[from.index(lines.len())]);
                *bytes = lines.concat();
            }
            Wear::Number(which, number) => {
                let digit = |k: usize| bytes.get(k).is_some_and(u8::is_ascii_digit);
                let starts: Vec<_> =
                    (0..bytes.len()).filter(|&k| digit(k) && (k == 0 || !digit(k - 1))).collect();
                if !starts.is_empty() {
                    let start = starts[which.index(starts.len())];
                    let end = (start..bytes.len()).find(|&k| !digit(k)).unwrap_or(bytes.len());
                    bytes.splice(start..end, number.bytes());
                }
            }
        }
    }
}

fn worn() -> impl Strategy<Value = Vec<u8>> {
    let at = any::<prop::sample::Index>;
    let wear = prop_oneof![
        (at(), 0u8..8).prop_map(|(at, bit)| Wear::Flip(at, bit)),
        (at(), 1usize..40).prop_map(|(at, length)| Wear::Cut(at, length)),
        (at(), at()).prop_map(|(from, to)| Wear::Line(from, to)),
        (at(), prop::sample::select(NUMBERS.to_vec())).prop_map(|(k, n)| Wear::Number(k, n)),
    ];
    (prop::sample::select(FILES.to_vec()), prop::collection::vec(wear, 1..4)).prop_map(
        |(file, wear)| {
            let mut bytes = file.as_bytes().to_vec();
            for wear in wear {
                wear.on(&mut bytes);
            }
            bytes
        },
    )
}

/// An expression inside an otherwise good file.
fn planted() -> impl Strategy<Value = String> {
    (soup(12), prop::sample::select(vec!["G.H @ G", "d - G @ x", "eps * L"]), 0usize..2)
        .prop_map(|(text, place, file)| FILES[file].replace(place, &text.replace(['"', '\n'], " ")))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz_entry(&bytes);
    }

    #[test]
    fn text(text in "\\PC{0,80}") {
        fuzz_entry(text.as_bytes());
    }

    #[test]
    fn token_soup(text in soup(40)) {
        fuzz_entry(text.as_bytes());
    }

    #[test]
    fn mutated_files(bytes in mutated()) {
        fuzz_entry(&bytes);
    }

    #[test]
    fn worn_files(bytes in worn()) {
        fuzz_entry(&bytes);
    }

    #[test]
    fn planted_expressions(text in planted()) {
        fuzz_entry(text.as_bytes());
    }
}

/// A debug build's default test thread has 2 MiB of stack.
#[test]
fn deep_and_long_texts() {
    for piece in [
        "(", "[", "{", "-", "**", "f(", "a.", "a=", "a,", "\"", "[[", "a.b.", "{\"a\":", "[a.b]\n",
        "a+", "a @ ",
    ] {
        for count in [100, 500, 2_000, 100_000] {
            let text = piece.repeat(count);
            fuzz_entry(text.as_bytes());
            fuzz_entry(format!("[operators]\nA = \"{text}\"").as_bytes());
            fuzz_entry(format!("A = {text}").as_bytes());
            fuzz_entry(format!("{{\"A\": {text}").as_bytes());
        }
    }
}
