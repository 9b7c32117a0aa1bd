//! What plans print, what is read back, and what is refused.

use super::samples::plans;
use super::{parse, print, print_with_note, words};
use crate::dtype::Dtype;
use crate::ir::{Block, LeafId, Op, Over, Plan, Target, Value};
use crate::mesh::Mesh;
use crate::placement::Type;
use proptest::prelude::*;

const NORMAL: &str = "\
mesh r=2 c=2 (4 ranks)
let A[0] = (i) <- (j)           : f64[1024/r, 4096/c]
let A[1] = (i) <- (j)           : f64[3072/r, 4096/c]
%0 = input x                    : f64[4096/c]
%1 = apply A[0] %0              : f64[1024/r] +c
%2 = apply A[1] %0              : f64[3072/r] +c
%3, %4 = all_reduce c %1 %2     : f64[1024/r], f64[3072/r]
%5 = apply A[0].H %3            : f64[4096/c] +r
%6 = apply A[1].H %4            : f64[4096/c] +r
%7 = add %5 %6                  : f64[4096/c] +r
%8 = all_reduce r %7            : f64[4096/c]
return %8
comm 2 calls, 32 KiB per rank
";

/// Reads a text and prints what was read, which must be the text.
fn round(text: &str) -> Plan {
    let plan = parse(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(print(&plan), text);
    plan
}

fn refused(text: &str) -> String {
    parse(text).expect_err("a bad text").to_string()
}

#[test]
fn the_normal_operator_on_a_grid() {
    let plan = round(NORMAL);
    assert_eq!(plan.to_string(), NORMAL);
    assert_eq!(plan.leaves[0].signature.domain, [[4096]]);
    assert_eq!(plan.blocks[0].nodes.len(), 8);
    assert!(NORMAL.lines().filter_map(|l| l.find(" : ")).all(|at| at == 31));
}

#[test]
fn regions_stand_around_their_nodes() {
    let plan = round(
        "\
mesh 1 rank
let A = (i) <- (j)              : f64[6, 4]
%0 = input x                    : f64[4]
region A
%1 = apply A %0                 : f64[6]
%2 = apply A.H %1               : f64[4]
end
region A.H A
%3 = apply A %2                 : f64[6]
end
region
%4 = neg %3                     : f64[6]
end
return %4
comm 0 calls, 0 B per rank
",
    );
    let nodes: Vec<_> = plan.blocks[0].regions.iter().map(|r| (r.first, r.last)).collect();
    assert_eq!(nodes, [(1, 2), (3, 3), (4, 4)]);
    let over: Vec<_> = plan.blocks[0].regions.iter().map(|r| r.over).collect();
    assert_eq!(over, [Over::Panels(LeafId(0)), Over::Normal(LeafId(0)), Over::Elements]);
}

#[test]
fn every_operation() {
    let operations = "\
%0 = input x                    : f64[]
%1 = slot eps                   : f64[]
%2 = get y                      : f64[]
%3 = zero                       : f64[]
%4 = apply A %0                 : f64[]
%5 = apply A.H %0               : f64[]
%6 = apply t0 %0                : f64[]
%7 = add %0 %1 %2               : f64[]
%8 = sub %0 %1                  : f64[]
%9 = neg %0                     : f64[]
%10 = scale %0 %1               : f64[]
%11 = axpy %0 %1 %2             : f64[]
%12 = conj %0                   : f64[]
%13 = cast %0                   : f32[]
%14 = reshape %0                : f64[1]
%15 = concat %0 %1              : f64[2]
%16 = part 14 %15               : f64[]
%17 = dot %0 %1                 : f64[]
%18 = dot real %0 %1            : f64[]
%19 = dot columns=2 %0 %1       : f64[]
%20 = dot real columns=1 %0 %1  : f64[]
%21 = mul %0 %1                 : f64[]
%22 = div %0 %1                 : f64[]
%23 = sqrt %0                   : f64[]
%24 = abs %0                    : f64[]
%25 = max %0 %1                 : f64[]
%26 = min %0 %1                 : f64[]
%27 = less %0 %1                : f64[]
%28 = select %0 %1 %2           : f64[]
%29 = soft %0 %1                : f64[]
%30 = hard %0 %1                : f64[]
%31 = clip %0 %1 %2             : f64[]
%32 = map huber %0              : f64[]
%33 = call givens %0 %1         : f64[]
%34 = reduce max %0             : f64[]
%35 = reduce arg_max %0         : f64[]
%36 = take %0 %1                : f64[]
%37 = put %0 %1 %2              : f64[]
%38 = combine %0 %1             : f64[]
%39 = dots %0 %1                : f64[]
%40 = one_hot %0                : f64[]
%41 = all_reduce r %0           : f64[]
%42 = all_reduce (r,c) %0       : f64[]
%43 = reduce_scatter c %0       : f64[]
%44 = all_gather (c,r) %0       : f64[]
%45 = all_to_all c %0           : f64[]
%46 = exchange %0               : f64[]
%47 = halo %0                   : f64[]
%48 = halo_sum %0               : f64[]
%49 = slice %0                  : f64[]
%50 = pad c %0                  : f64[]
%51 = partial c %0              : f64[]
%52 = copy %0                   : f64[] @dev
_ = copy %0
";
    let text = format!(
        "\
mesh r=2 c=1 (2 ranks)
let A = () <- ()                : f64[]
slot eps                        : f64
state y                         : f64[]
term t0 = A
{operations}\
return %0 %1
set y %5
control rho %17
return %2
comm 3 calls, 24 B per rank
"
    );
    let plan = round(&text);
    let seen: Vec<_> = plan.blocks[0].nodes.iter().map(|n| words::op(&n.op)).collect();
    assert_eq!(seen.len(), operations.lines().count());
    for op in words::PLAIN {
        assert!(seen.contains(&words::op(&op)), "{op:?}");
    }
}

#[test]
fn every_term() {
    round(
        "\
mesh 1 rank
let A = (i) <- (j)              : f64[3, 4]
let B = (i) <- (j)              : f64[3, 4]
let \"t1\" = (i) <- (j)           : f64[3, 4]
let \"sum\" = (i) <- (j)          : f64[3, 4]
slot eps                        : f64
slot tau                        : c128
term t0 = A.H
term t1 = t0 @ B
term t2 = vstack A \"t1\"
term t3 = hstack t0 t1
term t4 = blockdiag A B
term t5 = sum A B \"sum\"
term t6 = scale -eps conj(tau) A
term t7 = scale - t0
term t8 = scale eps t0
term t9 = A.T
term t10 = t4.conj
term t11 = identity [5] [3, 4]
term t12 = zero [] []
term t13 = real [2]
term t14 = conj [2]
term t15 = regroup [6, 7] -> [42]
term t16 = lift t0 [4]
term t17 = product t0
",
    );
}

#[test]
fn leaves_among_terms_show_where_they_must() {
    let plan = round(
        "\
mesh 1 rank
let A = (i) <- (j)              : f64[3, 4]
let B = (i) <- (j)              : f64[3, 4]
term t0 = B
term t1 = A.H
term t2 = sum B A
%0 = apply A                    : f64[3]
%1 = apply t0                   : f64[3]
comm 0 calls, 0 B per rank
",
    );
    assert_eq!(plan.terms.len(), 4);
}

#[test]
fn rules_with_everything() {
    let plan = round(
        "\
mesh p=3 (3 ranks)
cut q1 = 7 weights 12 5 3 1*4 spread 3 5 2 0*4
cut s0 = 4 spread 1 0 2 9
cut w0 = 4 weights 8 1 1 1
let G = (i@q1), (j!*2) <- (k~1:0, i) isometry fourier real r2c \"Fredholm1\"
  : c64[7/p@q1, 6, 5/p]
let H = (i@s0) <- (i)           : f32[4/p by w0]
let K = (i) <- (j!)             : f32[j! 4, i 3]
state x                         : f64[10/p@q1, 8/p~1:1] +p @dev
state y                         : f64[8/p~+0:2]
",
    );
    assert_eq!(plan.leaves[0].signature.range, [[10], [12]]);
    assert_eq!(plan.leaves[1].signature.range, [[12]]);
    assert!(plan.leaves[2].signature.rule.factors[0].whole);
    assert!(plan.leaves.iter().all(|leaf| leaf.signature.check().is_ok()));
}

#[test]
fn people_see_less() {
    let counts = vec!["1 0"; 20].join(" ");
    let text = format!(
        "\
mesh 1 rank
cut s0 = 40 spread {counts}
let R = (i) <- (i@s0) \"Restriction\" : f64[40]
%0 = input x                    : f64[20]
store 0 = %0
comm 0 calls, 0 B per rank
"
    );
    let plan = parse(&text).unwrap();
    let shown = "\
mesh 1 rank
cut s0 = 40 spread 1 0 1 .. (40)
let R = (i) <- (i@s0)           : f64[40]
%0 = input x                    : f64[20]
comm 0 calls, 0 B per rank
";
    assert_eq!(plan.to_string(), shown);
    let error = "\
line 2, column 26: expected a table in full: this one was shortened for people, found `..`
  cut s0 = 40 spread 1 0 1 .. (40)
                           ^";
    assert_eq!(refused(shown), error);
}

#[test]
fn long_lines_continue_within_80_columns() {
    let values: Vec<_> = (0..30).map(|n| format!("%{n}")).collect();
    let types = vec!["f64[10/p]"; 30].join(", ");
    let line = format!("{} = all_reduce p : {types}", values.join(", "));
    let text = print(&parse(&format!("mesh p=2\n{line}\n")).unwrap());
    assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
    assert!(text.lines().filter(|l| l.starts_with("  ")).count() >= 5, "{text}");
    round(&text);
}

#[test]
fn values_are_renumbered_in_order_of_definition() {
    let text = "mesh 1 rank\n%1 = zero : f64[]\n%0 = neg %1 : f64[]\nstore 3 = %0\nstore 1 = %1";
    let printed = print(&parse(text).unwrap());
    let body: Vec<_> = printed.lines().skip(1).take(4).collect();
    assert_eq!(
        body,
        [
            "%0 = zero                       : f64[]",
            "%1 = neg %0                     : f64[]",
            "store 1 = %0",
            "store 3 = %1",
        ]
    );
    round(&printed);
}

#[test]
fn blocks_have_names_unless_there_is_one() {
    let plan = round(
        "\
mesh 1 rank
block \"\"
comm 0 calls, 0 B per rank
block step
%0 = zero                       : f64[]
store 0 = %0
comm 0 calls, 0 B per rank
",
    );
    assert_eq!(plan.blocks.len(), 2);
    assert_eq!(round("mesh 1 rank\n").blocks.len(), 0);
    let plan = round("mesh 1 rank\nstore\ncomm 0 calls, 0 B per rank\n");
    assert_eq!(plan.blocks[0].buffers.as_deref(), Some(&[][..]));
}

#[test]
fn a_note_stands_under_its_node() {
    let plan = parse(NORMAL).unwrap();
    let noted = print_with_note(&plan, 0, 6, "`add` of different\nplacements");
    let at = noted.lines().position(|l| l.starts_with("%7")).unwrap();
    let below: Vec<_> = noted.lines().skip(at + 1).take(2).collect();
    assert_eq!(below, ["^ `add` of different", "^ placements"]);
}

#[test]
fn broken_plans_print() {
    let mut plan = Plan { mesh: Mesh::line(2), ..Plan::default() };
    let mut block = Block::new("");
    let mut ty = Type::new(&[4], Dtype::F64);
    ty.placement.pending = vec![7];
    block.push(Op::AllReduce(vec![9]), &[Value(5)], ty.clone());
    block.push(Op::Slot(crate::ir::SlotId(3)), &[], Type::scalar(Dtype::F32));
    block.give(Target::State(2), Value(8));
    ty.placement.splits.clear();
    block.push(Op::Halo, &[Value(0)], ty);
    plan.blocks.push(block);
    let shown = "\
mesh p=2 (2 ranks)
%0 = all_reduce ?9 %?5          : f64[4] ?
%1 = slot ?3                    : f32[]
%2 = halo %0                    : f64[4] ?
set ?2 %?8
comm 0 calls, 0 B per rank
";
    assert_eq!(plan.to_string(), shown);
}

#[test]
fn errors_name_place_and_expectation() {
    let error = "\
line 2, column 28: expected an axis of the mesh, found `q`
  let A = (i) <- (j) : f64[4/q, 3]
                             ^";
    assert_eq!(refused("mesh r=2\nlet A = (i) <- (j) : f64[4/q, 3]"), error);
    let error = "\
line 3, column 3: expected a size, found `]`
    ]
    ^";
    assert_eq!(refused("mesh r=2\nstate x : f64[4,\n  ]"), error);
}

#[test]
fn bad_texts_are_refused() {
    let cases = [
        ("", "a plan"),
        ("  mesh 1 rank", "a line to continue"),
        ("let A = (i) <- (j) : f64[4, 3]", "`mesh`"),
        ("mesh", "an axis such as r=2"),
        ("mesh r=0", "positive number of ranks"),
        ("mesh r=2 r=2", "another name"),
        ("mesh r=99999999 c=99999999", "at most 16777216"),
        ("mesh r=99999999999999999999", "fits into 64 bits"),
        ("mesh r=2 (3 ranks)", "2, the product"),
        ("mesh 1 rank\nmesh 1 rank", "only there"),
        ("mesh 1 rank\nfoo", "a value, `cut`"),
        ("mesh 1 rank\nsplit\nsplit", "`end` before another"),
        ("mesh 1 rank\nend", "`region` or `split` and a node"),
        ("mesh 1 rank\nlet A = () <- () : f64[]\nregion A\nend", "`region` or `split` and a node"),
        ("mesh 1 rank\nlet A = () <- () : f64[]\nregion A\nregion A", "before another"),
        ("mesh 1 rank\nlet A = () <- () : f64[]\nregion A\nreturn", "the end of the region"),
        ("mesh 1 rank\n%", "a number after `%`"),
        ("mesh 1 rank\n\"a", "a closing quote"),
        ("mesh 1 rank\nslot \"\\q\" : f64", "bad escapes"),
        ("mesh 1 rank\n;", "a word, a number"),
        ("mesh 1 rank\ncut q = 3 weights 1 2", "3 entries after 2"),
        ("mesh 1 rank\ncut q = 3 weights 1*4", "at most 3 entries"),
        ("mesh 1 rank\ncut q = 99999999999 weights 1*99999999999", "at most 67108864"),
        ("mesh 1 rank\ncut q = 2 spread 18446744073709551615 1", "addressed"),
        ("mesh 1 rank\ncut q = 2\ncut q = 2", "another name"),
        ("mesh 1 rank\nslot e : f64\nslot e : f64", "another name"),
        ("mesh 1 rank\nstate e : f64[]\nstate e : f64[]", "another name"),
        ("mesh 1 rank\nlet A = <- : f64[]\nlet A = <- : f64[]", "another name"),
        ("mesh 1 rank\nlet A = (i) <- (j) : f64[4]", "2 sizes"),
        ("mesh 1 rank\nlet A = (i) <- (j) : f64[4, 3, 2]", "2 sizes"),
        ("mesh 1 rank\nlet A = (i) <- (j) : f64[i 4]", "a factor with a size"),
        ("mesh 1 rank\nlet A = (i) <- (j) : f64[i 4, i 4]", "each factor once"),
        ("mesh 1 rank\nlet A = (i), j <- (j) : f64[4]", "another part"),
        ("mesh 1 rank\nlet A = (i) <- (j) unitary : f64[4, 3]", "a law"),
        ("mesh 1 rank\nlet A = (i) <- (j) : f65[4, 3]", "an element type"),
        ("mesh 1 rank\ncut q = 3\nlet A = (i@q) <- (i) : f64[4]", "a cut of 4 values"),
        ("mesh 1 rank\ncut q = 3\nlet A = (i) <- (i) : f64[3 by q]", "a cut with weights"),
        ("mesh r=2\nstate x : f64[4/r@q]", "a cut that is declared"),
        ("mesh r=2\nstate x : f64[4~1:1, 4~+1:1]", "in all dims or in none"),
        ("mesh 1 rank\nterm A = identity [3]", "such as t0"),
        ("mesh 1 rank\nterm t0 = A.H", "an operator or a term"),
        ("mesh 1 rank\nterm t0 = identity [3]\nterm t1 = t0", "an operator, or several"),
        ("mesh 1 rank\nterm t0 = identity [3]\nterm t1 = t0.X", "`H`, `T` or `conj`"),
        ("mesh 1 rank\nterm t0 = identity [3]\nterm t1 = t0 t0", "`@` or `.`"),
        ("mesh 1 rank\nterm t0 = identity [3]\nterm t1 = sum", "an operator or a term"),
        ("mesh 1 rank\nterm t0 = identity [3]\nterm t1 = scale e t0", "a slot"),
        ("mesh 1 rank\n%0 = frob : f64[]", "an operation"),
        ("mesh 1 rank\n%0 = zero", "`:`"),
        ("mesh 1 rank\n%0, %1 = zero : f64[]", "2 types, found 1"),
        ("mesh 1 rank\n%0 = neg %1 : f64[]", "a value of this block"),
        ("mesh 1 rank\n%1 = zero : f64[]", "%0 is not defined"),
        ("mesh 1 rank\n%4294967295 = zero : f64[]", "without gaps"),
        ("mesh 1 rank\n%4294967296 = zero : f64[]", "a value such as"),
        ("mesh 1 rank\n%0 = zero : f64[]\n%0 = zero : f64[]", "not yet defined"),
        ("mesh 1 rank\n%0 = get x : f64[]", "a state"),
        ("mesh 1 rank\n%0 = slot x : f64[]", "a slot"),
        ("mesh 1 rank\n%0 = reduce min : f64[]", "`max` or `arg_max`"),
        ("mesh 1 rank\n%0 = zero : f64[]\n%1 = zero : f64[]\nstore 0 = %0", "for each value"),
        ("mesh 1 rank\n%0 = zero : f64[]\nstore 0 = %0 %0", "without a buffer"),
        ("mesh 1 rank\ncomm 0 calls, 0 B per rank\n%0 = zero : f64[]", "`block` after"),
        ("mesh 1 rank\nblock a\nslot e : f64", "before all blocks"),
        ("mesh 1 rank\nblock a\nblock a", "another name"),
        ("mesh 1 rank\nblock a b", "the end of the line"),
    ];
    for (text, expected) in cases {
        let error = refused(text);
        assert!(error.contains(expected), "{text}\n{error}");
    }
}

/// Changes a few characters of a text.
fn mutate(text: &str, changes: &[(prop::sample::Index, u8)]) -> String {
    let signs: Vec<char> = "%0 9\n[](),:/@~+-.*!=\"\\txAp<>_é".chars().collect();
    let mut chars: Vec<char> = text.chars().collect();
    for (at, change) in changes {
        let at = at.index(chars.len());
        match change % 3 {
            0 => drop(chars.remove(at)),
            1 => chars.insert(at, signs[usize::from(*change) % signs.len()]),
            _ => chars[at] = signs[usize::from(*change) % signs.len()],
        }
        if chars.is_empty() {
            break;
        }
    }
    chars.into_iter().collect()
}

#[test]
fn large_tables_read_back() {
    let entries: String = (0..200_000).map(|i| [" 3", " 1 0"][i % 2]).collect();
    let text =
        format!("mesh p=1000\ncut q = 300000 spread{entries}\n%0 = input x : f64[400000/p@q]\n");
    let plan = parse(&text).unwrap();
    assert_eq!(parse(&print(&plan)).unwrap(), plan);
    assert!(plan.to_string().contains("cut q = 300000 spread 3 1 0 .. (300000)"));
}

proptest! {
    #[test]
    fn plans_read_back(plan in plans()) {
        let text = print(&plan);
        prop_assert!(text.lines().all(|line| line.chars().count() <= 80), "{}", text);
        let read = parse(&text).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
        prop_assert_eq!(&read, &plan, "{}", text);
        prop_assert_eq!(print(&read), text);
    }

    #[test]
    fn mutated_texts_are_read_or_refused(
        plan in plans(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let text = mutate(&print(&plan), &changes);
        match parse(&text) {
            Ok(plan) => prop_assert!(parse(&print(&plan)).is_ok(), "{}", text),
            Err(error) => prop_assert!(error.line > 0 && !error.to_string().is_empty()),
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*") {
        let _ = parse(&text);
        let _ = parse(&format!("mesh p=2\n{text}"));
    }
}
