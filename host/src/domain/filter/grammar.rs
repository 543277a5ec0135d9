//! Which of the engine's expressions a filter may use. What is not named here is refused when the filter is saved, so
//! that no other part of the engine is ever reached.

use rhai::{AST, ASTFlags, ASTNode, BinaryExpr, Expr, FnCallExpr, ParseError, ParseErrorType, Position, Stmt};

use super::FilterError;

const OPERATORS: [&str; 7] = ["==", "!=", "<", "<=", ">", ">=", "!"];

/// What can be called, with how many arguments, that before the dot among them. `in` is `contains`.
const FUNCTIONS: [(&str, usize); 8] = [
    ("contains", 2),
    ("each", 2),
    ("ends_with", 2),
    ("len", 1),
    ("starts_with", 2),
    ("to_lower", 1),
    ("to_upper", 1),
    ("trim", 1),
];

/// Farthest element, or character of a text, that a filter may name; the engine does not count how far it looks.
const INDEX_MAX: u64 = 1000;

/// Longest message of the engine that is passed on, in characters.
const MESSAGE_MAX_CHARS: usize = 200;

/// Text that is no expression.
pub(super) fn unreadable(error: &ParseError) -> FilterError {
    let message = match error.err_type() {
        ParseErrorType::UnexpectedEOF => "an expression is missing here".to_owned(),
        ParseErrorType::ExprTooDeep => "is nested too deeply, or has too many parts in a row".to_owned(),
        ParseErrorType::VariableUndefined(name) => {
            format!("there is no `{name}`; an event has type, subject, project, occurred_at, attributes and payload")
        }
        ParseErrorType::Reserved(name) => format!("`{name}` is a reserved word; a field is also written [\"{name}\"]"),
        other => other.to_string().chars().take(MESSAGE_MAX_CHARS).collect(),
    };
    FilterError::new(message, error.position())
}

/// Refuses what filters may not use.
pub(super) fn check(compiled: &AST) -> Result<(), FilterError> {
    let mut result = Ok(());
    compiled.walk(&mut |path: &[ASTNode<'_>]| {
        result = match path.last() {
            Some(ASTNode::Expr(expression)) => check_expression(expression),
            Some(ASTNode::Stmt(Stmt::Expr(_))) if path.len() == 1 => Ok(()),
            Some(ASTNode::Stmt(statement)) => Err(refused("a statement", statement.position())),
            _ => Ok(()),
        };
        result.is_ok()
    });
    result
}

fn check_expression(expression: &Expr) -> Result<(), FilterError> {
    let what = match expression {
        Expr::BoolConstant(..)
        | Expr::IntegerConstant(..)
        | Expr::FloatConstant(..)
        | Expr::CharConstant(..)
        | Expr::StringConstant(..)
        | Expr::Unit(_)
        | Expr::Array(..)
        | Expr::Variable(..)
        | Expr::Property(..)
        | Expr::Dot(..)
        | Expr::And(..)
        | Expr::Or(..)
        | Expr::Coalesce(..) => return Ok(()),
        Expr::Index(index, flags, position) => return check_index(index, *flags, *position),
        Expr::FnCall(call, position) => return check_call(call, call.args.len(), *position),
        Expr::MethodCall(call, position) => return check_call(call, call.args.len() + 1, *position),
        Expr::InterpolatedString(..) => "a text template",
        Expr::Map(..) => "an object",
        Expr::Stmt(_) => "a statement",
        _ => "this",
    };
    Err(refused(what, expression.position()))
}

/// In `a[0].b` what follows the index stands beside it, unless the flags say that the index ends there.
fn check_index(index: &BinaryExpr, flags: ASTFlags, position: Position) -> Result<(), FilterError> {
    let between = match &index.rhs {
        Expr::Dot(rest, ..) | Expr::Index(rest, ..) if !flags.contains(ASTFlags::BREAK) => &rest.lhs,
        whole => whole,
    };
    match between {
        Expr::StringConstant(..) => Ok(()),
        Expr::IntegerConstant(index, _) if index.unsigned_abs() <= INDEX_MAX => Ok(()),
        _ => {
            let message = format!("between [ and ] stands a text, or a number from -{INDEX_MAX} to {INDEX_MAX}");
            Err(FilterError::new(message, position))
        }
    }
}

fn check_call(call: &FnCallExpr, arguments: usize, position: Position) -> Result<(), FilterError> {
    let name = call.name.as_str();
    if call.op_token.is_some() && OPERATORS.contains(&name) {
        return Ok(());
    }
    match FUNCTIONS.iter().find(|(known, _)| *known == name) {
        Some((_, wanted)) if *wanted == arguments => Ok(()),
        Some((_, wanted)) => {
            let message = format!("`{name}` takes {} argument(s) after the dot", wanted - 1);
            Err(FilterError::new(message, position))
        }
        None if call.op_token.is_some() => Err(refused(&format!("`{name}`"), position)),
        None => {
            let known: Vec<&str> = FUNCTIONS.iter().map(|(name, _)| *name).collect();
            let message = format!("there is no function `{name}`; there are {}", known.join(", "));
            Err(FilterError::new(message, position))
        }
    }
}

fn refused(what: &str, position: Position) -> FilterError {
    FilterError::new(format!("{what} cannot stand in a filter"), position)
}
