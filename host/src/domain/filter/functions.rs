//! What filters can do with values. Whatever is missing is nothing (`()`), and nothing contains, begins with or equals
//! nothing else, so that a missing field is a non-match.

use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString};

use super::FilterLimits;
use super::budget::{look_at, read, step};
use super::value::{Field, List, Object};

/// Longest text that a filter may make, in bytes.
const TEXT_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Most elements of an array that is written in a filter.
const ARRAY_MAX: usize = 4096;

type Answer<T> = Result<T, Box<EvalAltResult>>;

/// An engine that knows nothing but what is registered here, and comparisons.
pub(super) fn engine(limits: &FilterLimits) -> Engine {
    let mut engine = Engine::new_raw();
    engine
        .set_max_expr_depths(limits.depth_max)
        .set_max_operations(limits.operations_max)
        .set_max_string_size(TEXT_MAX_BYTES)
        .set_max_array_size(ARRAY_MAX)
        .set_max_map_size(1)
        .set_max_variables(0)
        .set_strict_variables(true)
        // Else the engine would compare texts without counting.
        .set_fast_operators(false)
        .on_progress(|steps| if step(steps) { None } else { Some(Dynamic::UNIT) });
    engine.register_type_with_name::<List>(ARRAY).register_type_with_name::<Object>(OBJECT);
    access(&mut engine);
    membership(&mut engine);
    texts(&mut engine);
    comparison(&mut engine);
    engine
}

fn access(engine: &mut Engine) {
    engine
        .register_indexer_get(|object: &mut Object, name: &str| object.get(name).cloned().unwrap_or(Dynamic::UNIT))
        .register_indexer_get(|list: &mut List, index: i64| list.get(index))
        .register_indexer_get(|_: &mut List, _: &str| Dynamic::UNIT)
        .register_indexer_get(|(): &mut (), _: &str| Dynamic::UNIT)
        .register_indexer_get(|(): &mut (), _: i64| Dynamic::UNIT);
    engine
        .register_fn("each", |list: &mut List, name: &str| -> Answer<List> {
            look_at(list.items().len())?;
            let field = |item: &Dynamic| item.read_lock::<Object>().and_then(|object| object.get(name).cloned());
            Ok(List::from(list.items().iter().filter_map(field).collect::<Vec<_>>()))
        })
        .register_fn("each", |(): (), _: &str| Dynamic::UNIT);
}

fn membership(engine: &mut Engine) {
    engine
        .register_fn("contains", |list: &mut List, item: Dynamic| holds(list.items(), &item))
        .register_fn("contains", |array: &mut Array, item: Dynamic| holds(array, &item))
        .register_fn("contains", |object: &mut Object, name: &str| object.get(name).is_some())
        .register_fn("contains", |text: &str, part: &str| read(text.len()).map(|()| text.contains(part)))
        .register_fn("contains", |text: &str, part: char| read(text.len()).map(|()| text.contains(part)))
        .register_fn("contains", |(): (), _: Dynamic| false);
    engine
        .register_fn("len", |list: &mut List| length(list.items().len()))
        .register_fn("len", |array: &mut Array| length(array.len()))
        .register_fn("len", |object: &mut Object| length(object.fields().len()))
        .register_fn("len", |text: &str| read(text.len()).map(|()| length(text.chars().count())))
        .register_fn("len", |(): ()| 0_i64);
}

fn texts(engine: &mut Engine) {
    engine
        .register_fn("starts_with", |text: &str, part: &str| read(part.len()).map(|()| text.starts_with(part)))
        .register_fn("starts_with", |(): (), _: &str| false)
        .register_fn("ends_with", |text: &str, part: &str| read(part.len()).map(|()| text.ends_with(part)))
        .register_fn("ends_with", |(): (), _: &str| false)
        .register_fn("to_lower", |text: &str| read(text.len()).map(|()| text.to_lowercase()))
        .register_fn("to_lower", |(): ()| Dynamic::UNIT)
        .register_fn("to_upper", |text: &str| read(text.len()).map(|()| text.to_uppercase()))
        .register_fn("to_upper", |(): ()| Dynamic::UNIT)
        .register_fn("trim", |text: &str| read(text.len()).map(|()| text.trim().to_owned()))
        .register_fn("trim", |(): ()| Dynamic::UNIT);
}

fn comparison(engine: &mut Engine) {
    macro_rules! texts {
        ($($operator:tt)+) => {$(
            engine.register_fn(stringify!($operator), |a: &str, b: &str| -> Answer<bool> {
                read(a.len().min(b.len()))?;
                Ok(a $operator b)
            });
        )+};
    }
    macro_rules! wholes {
        ($($a:ty, $b:ty);+) => {$(
            engine
                .register_fn("==", |a: $a, b: $b| equal(&Dynamic::from(a), &Dynamic::from(b)))
                .register_fn("!=", |a: $a, b: $b| equal(&Dynamic::from(a), &Dynamic::from(b)).map(|equal| !equal));
        )+};
    }
    texts!(== != < <= > >=);
    wholes!(List, List; List, Array; Array, List; Array, Array; Object, Object);
    engine.register_fn("!", |value: bool| !value);
}

fn holds(items: &[Dynamic], wanted: &Dynamic) -> Answer<bool> {
    all(&mut items.iter(), |item| Ok(!equal(item, wanted)?)).map(|none| !none)
}

/// Equality through and through; of numbers, by their value.
fn equal(a: &Dynamic, b: &Dynamic) -> Answer<bool> {
    look_at(1)?;
    if let (Some(a), Some(b)) = (text(a), text(b)) {
        read(a.len().min(b.len()))?;
        return Ok(a == b);
    }
    if let (Some(a), Some(b)) = (items(a), items(b)) {
        let mut pairs = a.items().iter().zip(b.items());
        return Ok(a.items().len() == b.items().len() && all(&mut pairs, |(a, b)| equal(a, b))?);
    }
    if let (Some(a), Some(b)) = (a.read_lock::<Object>(), b.read_lock::<Object>()) {
        let mut pairs = a.fields().iter().zip(b.fields());
        let same = |((a_name, a), (b_name, b)): (&Field, &Field)| {
            read(a_name.len().min(b_name.len()))?;
            Ok(a_name == b_name && equal(a, b)?)
        };
        return Ok(a.fields().len() == b.fields().len() && all(&mut pairs, same)?);
    }
    if let (Ok(a), Ok(b)) = (a.as_int(), b.as_int()) {
        return Ok(a == b);
    }
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        #[expect(clippy::float_cmp, reason = "a value equals itself, not one near it")]
        return Ok(a == b);
    }
    if let (Ok(a), Ok(b)) = (a.as_bool(), b.as_bool()) {
        return Ok(a == b);
    }
    Ok(a.is_unit() && b.is_unit())
}

fn all<T>(items: &mut impl Iterator<Item = T>, mut holds: impl FnMut(T) -> Answer<bool>) -> Answer<bool> {
    for item in items {
        if !holds(item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn text(value: &Dynamic) -> Option<ImmutableString> {
    match value.as_char() {
        Ok(character) => Some(String::from(character).into()),
        Err(_) => value.read_lock::<ImmutableString>().map(|text| text.clone()),
    }
}

fn items(value: &Dynamic) -> Option<List> {
    match value.read_lock::<Array>() {
        Some(array) => Some(List::from(array.clone())),
        None => value.read_lock::<List>().map(|list| list.clone()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as JSON numbers are")]
fn number(value: &Dynamic) -> Option<f64> {
    value.as_float().ok().or_else(|| value.as_int().ok().map(|number| number as f64))
}

fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

const ARRAY: &str = "array";
const OBJECT: &str = "object";

/// A type of the engine in words.
pub(super) fn kind(type_name: &str) -> &'static str {
    match type_name {
        "()" => "nothing (a field is missing)",
        "bool" => "true or false",
        "i64" | "f64" => "a number",
        ARRAY => "an array",
        OBJECT => "an object",
        text if text == "char" || text.to_ascii_lowercase().contains("str") => "a text",
        _ => "something else",
    }
}

/// What is wrong with a call that the engine cannot make: it tells the name and the types, like `len (i64)`.
pub(super) fn no_such_call(call: &str) -> String {
    let (name, types) = call.split_once(" (").unwrap_or((call, ""));
    let kinds: Vec<&str> = types.strip_suffix(')').unwrap_or(types).split(", ").map(kind).collect();
    format!("`{name}` does not take {}", kinds.join(" and "))
}
