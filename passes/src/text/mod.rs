//! Plan text: what a plan looks like, and back.
//!
//! ```text
//! mesh r=2 c=2 (4 ranks)
//! let A = (i) <- (j)              : f64[1024/r, 4096/c]
//! %0 = input x                    : f64[4096/c]
//! %1 = apply A %0                 : f64[1024/r] +c
//! %2 = all_reduce c %1            : f64[1024/r]
//! return %2
//! comm 1 call, 4 KiB per rank
//! ```
//! Lines have at most 80 columns; a line that starts with two spaces continues the one before it.
//! The head comes first, then the blocks; everything is declared before it is used.
//!
//! ```text
//! plan    = mesh {cut | let | slot | state | term} {block}
//! mesh    = "mesh" ("1 rank" | {axis "=" n} ["(" n "ranks" ")"])
//! cut     = "cut" name "=" n ["weights" table] ["spread" ("each" n | table)]
//! table   = {n ["*" times]}
//! let     = "let" name "=" [side] "<-" [side] {law} [linear] [typing] [kind]
//!           ":" dtype "[" [factor {"," factor}] "]"
//! side    = "(" [index {"," index}] ")" {"," "(" [index {"," index}] ")"}
//! index   = name ["!"] ["*" n | "@" cut] ["~" lo ":" hi]
//! linear  = "real" | "antilinear"
//! typing  = "r2c" | "c2r"
//! factor  = [name ["!"]] dim ["by" cut]
//! dim     = n ["/" (axis | "(" axis {"," axis} ")") ["@" cut]]
//! slot    = "slot" name ":" dtype
//! state   = "state" name ":" type
//! term    = "term" tN "=" (leaf | ref (".H" | ".T" | ".conj") | ref {"@" ref}
//!           | ("product" | "sum" | "vstack" | "hstack" | "blockdiag") ref {ref}
//!           | "scale" ["-"] {name | "conj(" name ")"} ref
//!           | ("identity" | "zero" | "real" | "conj") {shape}
//!           | "regroup" {shape} "->" {shape} | "lift" ref shape)
//! ref     = tN | leaf
//! shape   = "[" [n {"," n}] "]"
//! block   = ["block" name] {node | region | split} {leave} {store} "comm" n "calls," n unit "per rank"
//! region  = "region" [leaf | leaf ".H" leaf] node {node} "end"
//! split   = "split" node {node} "end"
//! node    = ("_" | value {"," value}) "=" op {value} [":" type {"," type}]
//! leave   = "return" {value} | "set" name value | "control" name value
//! store   = "store" [n "=" {value}]
//! type    = dtype "[" [part {"," part}] "]" {"+" axis} ["@dev"]
//! part    = dim ["~" ["+"] lo ":" hi]
//! ```
//! An operation is the variant of [`Op`](crate::ir::Op) in snake case with its parameters:
//! `input x`, `slot eps`, `get x`, `apply A.H`, `apply t2`, `part 14`, `dot real columns=2`,
//! `map name`, `call name`, `reduce arg_max`, `all_reduce c`, `all_gather (r,c)`; the other maps
//! are words of their own (`soft`, `clip`).
//!
//! - Factors stand in the order in which range and domain first use them, else with their names;
//!   `!` marks a factor that is whole, `i*3` three elements of the dim for each index, `i@s0` as
//!   many as the cut `s0` spreads, `by w0` the weights of `w0`.
//! - A name that is no word with indices such as `A[0]`, or that could be taken for a term, is
//!   quoted.
//! - The kind of an operator and the buffers (`store 3 = %1 %4`) are only in the complete text.
//! - A leaf among terms has a line of its own only where it is applied as a term, or where the
//!   plan has it earlier than its first use.
//! - `comm` is derived: it is read, and not believed.
//! - Costs are not printed; a plan that was read has none.

mod error;
mod lex;
mod parse;
mod print;
mod words;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use error::ParseError;
pub use parse::parse;
pub use print::{operation, print, print_with_note};
pub use words::op as word;
