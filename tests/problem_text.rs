//! The expression language: precedence, texts of the reference, round trips, limits.

use adjoin::problem::text::{Argument, Attribute, BinaryOp, Expr, ExprKind, Number};
use adjoin::problem::{Formula, Span, Spanned};
use proptest::prelude::*;

fn parse(text: &str) -> Expr {
    match Formula::parse("EXPR", text) {
        Ok(formula) => formula.expr,
        Err(error) => panic!("{}", error.render()),
    }
}

fn message(text: &str) -> String {
    Formula::parse("EXPR", text).unwrap_err().message().to_owned()
}

/// All parentheses written out.
fn grouped(expr: &Expr) -> String {
    let list = |items: &[Expr]| items.iter().map(grouped).collect::<Vec<_>>().join(", ");
    let call = |arguments: &[Argument]| {
        let one = |a: &Argument| match &a.keyword {
            Some(keyword) => format!("{} = {}", keyword.value, grouped(&a.value)),
            None => grouped(&a.value),
        };
        arguments.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    match &expr.kind {
        ExprKind::Number(number) => number.to_string(),
        ExprKind::Name(name) => name.clone(),
        ExprKind::Text(text) => format!("'{text}'"),
        ExprKind::Negative(base) => format!("(-{})", grouped(base)),
        ExprKind::Binary { op, left, right } => {
            format!("({} {} {})", grouped(left), op.symbol(), grouped(right))
        }
        ExprKind::Power { base, exponent } => {
            format!("({} ** {})", grouped(base), grouped(exponent))
        }
        ExprKind::Attribute { base, attribute } => {
            format!("{}.{}", grouped(base), attribute.symbol())
        }
        ExprKind::Method { base, name, arguments } => {
            format!("{}.{}({})", grouped(base), name.value, call(arguments))
        }
        ExprKind::Call { name, arguments } => format!("{}({})", name.value, call(arguments)),
        ExprKind::List(items) => format!("[{}]", list(items)),
        ExprKind::Tuple(items) => format!("tuple({})", list(items)),
    }
}

#[test]
fn precedence_is_pythons() {
    let table = [
        ("A + B - C", "((A + B) - C)"),
        ("A - B + C", "((A - B) + C)"),
        ("A + B @ x", "(A + (B @ x))"),
        ("A @ B @ x", "((A @ B) @ x)"),
        ("2 * A @ x", "((2 * A) @ x)"),
        ("A @ B * 2 / 3", "(((A @ B) * 2) / 3)"),
        ("a / b * c", "((a / b) * c)"),
        ("-A ** 2", "(-(A ** 2))"),
        ("-A * B", "((-A) * B)"),
        ("-A @ x + y", "(((-A) @ x) + y)"),
        ("A * -B", "(A * (-B))"),
        ("A @ - - B", "(A @ (-(-B)))"),
        ("A - -B", "(A - (-B))"),
        ("a ** b ** c", "(a ** (b ** c))"),
        ("a ** -b ** c", "(a ** (-(b ** c)))"),
        ("a ** -b * c", "((a ** (-b)) * c)"),
        ("2 ** -1", "(2 ** (-1))"),
        ("A.H @ B.T", "(A.H @ B.T)"),
        ("-A.H", "(-A.H)"),
        ("A.H ** 2", "(A.H ** 2)"),
        ("A ** 2 .H", "(A ** 2.H)"),
        ("(A ** 2).H", "(A ** 2).H"),
        ("+A + +B", "(A + B)"),
        ("(A + B) @ x", "((A + B) @ x)"),
        ("A.T.conj().H", "A.T.conj().H"),
        ("A.on(\"rows r\") @ x", "(A.on('rows r') @ x)"),
        ("A.on('rows r', depth = 2)", "A.on('rows r', depth = 2)"),
        ("VStack(data = G, smooth = eps * L)", "VStack(data = G, smooth = (eps * L))"),
        ("VStack([A, B],)", "VStack([A, B])"),
        ("Block([A, B], [C, D])", "Block([A, B], [C, D])"),
        ("zeros((32, 40))", "zeros(tuple(32, 40))"),
        ("zeros((32,))", "zeros(tuple(32))"),
        ("(1.5 - 0.5j) * A", "((1.5 - 0.5j) * A)"),
        ("1_000 * .5 * 1. * 1e-3 * 2J", "((((1000 * 0.5) * 1.0) * 0.001) * 2j)"),
        ("A @\n  B", "(A @ B)"),
    ];
    for (text, expected) in table {
        assert_eq!(grouped(&parse(text)), expected, "{text}");
    }
}

#[test]
fn texts_of_the_reference_parse_and_read_back() {
    let texts = include_str!("problem_text/reference.txt");
    assert!(texts.lines().count() > 60);
    for text in texts.lines() {
        let printed = parse(text).to_string();
        assert_eq!(grouped(&parse(&printed)), grouped(&parse(text)), "{text}");
        assert!(printed.len() <= text.len(), "{text} is printed as {printed}");
    }
}

/// The text of every span is the expression that it belongs to.
fn check_spans(expr: &Expr, text: &str) {
    let written = &text[expr.span.start..expr.span.end];
    if let Ok(formula) = Formula::parse("EXPR", written) {
        assert_eq!(grouped(&formula.expr), grouped(expr));
    } else {
        panic!("`{written}` is not an expression");
    }
    for child in expr.children() {
        assert!(expr.span.start <= child.span.start && child.span.end <= expr.span.end);
        check_spans(child, text);
    }
}

#[test]
fn spans_cover_what_was_written() {
    let text = "A.H @ (B + 2 * C) - VStack(A, b = -B)";
    check_spans(&parse(text), text);
}

#[test]
fn hostile_sizes_are_errors_and_not_crashes() {
    let nested = format!("{}A{}", "(".repeat(30_000), ")".repeat(30_000));
    assert_eq!(message(&nested), "an expression nests at most 100 levels deep");
    assert_eq!(message(&"(".repeat(60_000)), "an expression nests at most 100 levels deep");
    assert_eq!(message(&"-".repeat(60_000)), "an expression nests at most 100 levels deep");
    assert_eq!(message(&"a**".repeat(20_000)), "an expression nests at most 100 levels deep");
    assert_eq!(message(&"f([".repeat(20_000)), "an expression nests at most 100 levels deep");
    let chain = format!("A{}", " + A".repeat(10_000));
    assert_eq!(message(&chain), "an expression chains at most 500 operations");
    let chain = format!("A{}", ".H".repeat(10_000));
    assert_eq!(message(&chain), "an expression chains at most 500 operations");
    let long = format!("{}A{}", "(".repeat(100_000), ")".repeat(100_000));
    assert_eq!(message(&long), "an expression has at most 65536 bytes and this has 200001");
}

#[test]
fn what_python_would_refuse_is_refused() {
    let wrong = [
        "",
        "  ",
        "A @",
        "@ A",
        "A B",
        "2A",
        "A 2",
        "(A",
        "A)",
        "[A",
        "VStack(A",
        "A[3]",
        "A..H",
        "A.",
        "A.h",
        "A.conj",
        "A.H()",
        "A ^ 2",
        "A'",
        "'rows",
        "f(a = 1, a = 2)",
        "f(a = 1, 2)",
        "f(, a)",
        "1__0",
        "0123",
        "1e999",
        "99999999999999999999",
        "ε * L",
        "a = b",
        "f(a == b)",
        "f(*a)",
        "A // B",
        "A % B",
        "(A)(x)",
        "f(x)(y)",
        "()",
        "A; B",
        "1.5.2",
        "1_",
        "\u{0}",
    ];
    for text in wrong {
        assert!(Formula::parse("EXPR", text).is_err(), "`{text}` parses");
    }
}

const NOWHERE: Span = Span { start: 0, end: 0 };

fn at_nowhere(kind: ExprKind) -> Expr {
    Expr { kind, span: NOWHERE }
}

/// The same tree without places, for comparing.
fn placeless(expr: &Expr) -> Expr {
    let boxed = |e: &Expr| Box::new(placeless(e));
    let name = |name: &Spanned<String>| Spanned::new(name.value.clone(), NOWHERE);
    let list = |items: &[Expr]| items.iter().map(placeless).collect();
    let arguments = |arguments: &[Argument]| {
        let one = |a: &Argument| Argument {
            keyword: a.keyword.as_ref().map(name),
            value: placeless(&a.value),
        };
        arguments.iter().map(one).collect()
    };
    at_nowhere(match &expr.kind {
        ExprKind::Number(_) | ExprKind::Name(_) | ExprKind::Text(_) => expr.kind.clone(),
        ExprKind::Negative(base) => ExprKind::Negative(boxed(base)),
        ExprKind::Binary { op, left, right } => {
            ExprKind::Binary { op: *op, left: boxed(left), right: boxed(right) }
        }
        ExprKind::Power { base, exponent } => {
            ExprKind::Power { base: boxed(base), exponent: boxed(exponent) }
        }
        ExprKind::Attribute { base, attribute } => {
            ExprKind::Attribute { base: boxed(base), attribute: *attribute }
        }
        ExprKind::Method { base, name: method, arguments: args } => {
            ExprKind::Method { base: boxed(base), name: name(method), arguments: arguments(args) }
        }
        ExprKind::Call { name: function, arguments: args } => {
            ExprKind::Call { name: name(function), arguments: arguments(args) }
        }
        ExprKind::List(items) => ExprKind::List(list(items)),
        ExprKind::Tuple(items) => ExprKind::Tuple(list(items)),
    })
}

fn trees() -> impl Strategy<Value = Expr> {
    let name = || "[A-Za-z_][A-Za-z0-9_]{0,3}".prop_map(|name| Spanned::new(name, NOWHERE));
    let float = prop_oneof![0.0..1e3, Just(0.0), Just(1e300), Just(5e-324), Just(1e16)];
    let number = prop_oneof![
        (0u64..=1 << 53).prop_map(Number::Integer),
        float.clone().prop_map(Number::Real),
        float.prop_map(Number::Imaginary),
    ];
    let leaf = prop_oneof![
        name().prop_map(|name| ExprKind::Name(name.value)),
        number.prop_map(ExprKind::Number),
        "[a-z ']{0,5}|[a-z \"]{0,5}".prop_map(ExprKind::Text),
    ];
    leaf.prop_map(at_nowhere).prop_recursive(6, 60, 3, move |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let op = prop::sample::select(vec![
            BinaryOp::Add,
            BinaryOp::Sub,
            BinaryOp::Mul,
            BinaryOp::Div,
            BinaryOp::MatMul,
        ]);
        let attribute = prop::sample::select(vec![Attribute::Adjoint, Attribute::Transpose]);
        let items = prop::collection::vec(inner.clone(), 0..3);
        let keywords = prop::collection::btree_map("[a-z]{1,3}", inner.clone(), 0..2);
        let arguments = (items.clone(), keywords).prop_map(|(items, keywords)| {
            let plain = items.into_iter().map(|value| Argument { keyword: None, value });
            let named = keywords.into_iter().map(|(keyword, value)| Argument {
                keyword: Some(Spanned::new(keyword, NOWHERE)),
                value,
            });
            plain.chain(named).collect::<Vec<_>>()
        });
        let method = name().prop_filter("an attribute", |n| n.value != "H" && n.value != "T");
        let tuple = prop::collection::vec(inner, 1..3);
        prop_oneof![
            boxed.clone().prop_map(ExprKind::Negative),
            (op, boxed.clone(), boxed.clone()).prop_map(|(op, left, right)| ExprKind::Binary {
                op,
                left,
                right
            }),
            (boxed.clone(), boxed.clone())
                .prop_map(|(base, exponent)| ExprKind::Power { base, exponent }),
            (boxed.clone(), attribute)
                .prop_map(|(base, attribute)| ExprKind::Attribute { base, attribute }),
            (boxed, method, arguments.clone())
                .prop_map(|(base, name, arguments)| ExprKind::Method { base, name, arguments }),
            (name(), arguments).prop_map(|(name, arguments)| ExprKind::Call { name, arguments }),
            items.prop_map(ExprKind::List),
            tuple.prop_map(ExprKind::Tuple),
        ]
        .prop_map(at_nowhere)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn printed_trees_read_back(tree in trees()) {
        let printed = tree.to_string();
        prop_assert_eq!(placeless(&parse(&printed)), tree, "{}", printed);
    }
}
