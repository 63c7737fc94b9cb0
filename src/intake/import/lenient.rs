//! JSON as other programs write it, version after version: a field of another kind than expected
//! counts as absent, so that one odd field costs no line.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The key behind which the parser keeps a number that it does not judge.
const NUMBER: &str = "$serde_json::private::Number";

/// A string; empty where there is none.
#[derive(Debug, Default)]
pub struct Text<'a>(pub Cow<'a, str>);

/// A whole number, also as a string or a float; 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Count(pub u64);

/// A number of any kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Float(pub f64);

/// Whether a field says true.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flag(pub bool);

/// Whether a field says anything: it is not null.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given(pub bool);

impl Text<'_> {
    /// The text, None where it is empty.
    pub fn get(&self) -> Option<&str> {
        Some(&*self.0).filter(|text| !text.is_empty())
    }
}

/// What a value makes of each kind of JSON; of what it does not know, nothing.
pub trait Take<'a>: Default {
    /// Of a string.
    fn text(_: &str) -> Self {
        Self::default()
    }
    /// Of a string that stands in the input just so.
    fn borrowed(text: &'a str) -> Self {
        Self::text(text)
    }
    /// Of a number.
    fn digits(_: &str) -> Self {
        Self::default()
    }
    /// Of true or false.
    fn flag(_: bool) -> Self {
        Self::default()
    }
    /// Of an array or an object.
    fn nested() -> Self {
        Self::default()
    }
}

/// Takes any value.
///
/// # Errors
/// No JSON.
pub fn take<'de, D: Deserializer<'de>, T: Take<'de>>(from: D) -> Result<T, D::Error> {
    from.deserialize_any(Any(PhantomData))
}

impl<'de: 'a, 'a> Take<'de> for Text<'a> {
    fn text(text: &str) -> Text<'a> {
        Text(Cow::Owned(text.to_owned()))
    }
    fn borrowed(text: &'de str) -> Text<'a> {
        Text(Cow::Borrowed(text))
    }
}

impl Count {
    fn of(text: &str) -> Count {
        // What is negative or no number at all is nothing.
        let float = || text.parse::<f64>().ok().filter(|it| it.is_finite() && *it > 0.0);
        Count(text.parse().ok().or_else(|| float().map(|it| it.round() as u64)).unwrap_or(0))
    }
}

/// A number, also where it stands in quotes, as it is written.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<&'de str, D::Error> {
    let raw = <&RawValue>::deserialize(from)?.get();
    Ok(raw.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(raw).trim())
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Count, D::Error> {
        number(from).map(Count::of)
    }
}

impl<'de> Deserialize<'de> for Float {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Float, D::Error> {
        let float = number(from)?.parse::<f64>().ok();
        Ok(Float(float.filter(|it| it.is_finite()).unwrap_or(0.0)))
    }
}

impl Take<'_> for Flag {
    fn flag(flag: bool) -> Flag {
        Flag(flag)
    }
}

impl Take<'_> for Given {
    fn text(_: &str) -> Given {
        Given(true)
    }
    fn digits(_: &str) -> Given {
        Given(true)
    }
    fn flag(_: bool) -> Given {
        Given(true)
    }
    fn nested() -> Given {
        Given(true)
    }
}

struct Any<T>(PhantomData<T>);

impl<'de, T: Take<'de>> Visitor<'de> for Any<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<T, E> {
        Ok(T::flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        Ok(T::digits(&number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<T, E> {
        Ok(T::digits(&number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<T, E> {
        Ok(T::digits(&number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<T, E> {
        Ok(T::borrowed(text))
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(T::nested())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<T, A::Error> {
        let mut taken = T::nested();
        while let Some(key) = fields.next_key::<Text<'de>>()? {
            if key.0 == NUMBER {
                taken = T::digits(&fields.next_value::<String>()?);
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(taken)
    }
}

macro_rules! deserialize {
    ($($name:ty),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<$name, D::Error> {
                take(from)
            }
        }
    )*};
}

deserialize!(Flag, Given);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Text<'a>, D::Error> {
        take(from)
    }
}

/// A value of a kind that is known, or nothing: for objects that may be anything else.
#[derive(Clone, Copy, Debug)]
pub struct Maybe<T>(pub Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Maybe<T> {
        Maybe(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Maybe<T>, D::Error> {
        struct Object<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = Maybe<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON")
            }
            fn visit_bool<E>(self, _: bool) -> Result<Maybe<T>, E> {
                Ok(Maybe(None))
            }
            fn visit_u64<E>(self, _: u64) -> Result<Maybe<T>, E> {
                Ok(Maybe(None))
            }
            fn visit_i64<E>(self, _: i64) -> Result<Maybe<T>, E> {
                Ok(Maybe(None))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Maybe<T>, E> {
                Ok(Maybe(None))
            }
            fn visit_str<E>(self, _: &str) -> Result<Maybe<T>, E> {
                Ok(Maybe(None))
            }
            fn visit_unit<E>(self) -> Result<Maybe<T>, E> {
                Ok(Maybe(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Maybe<T>, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Maybe(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Maybe<T>, A::Error> {
                let from = serde::de::value::MapAccessDeserializer::new(fields);
                T::deserialize(from).map(|it| Maybe(Some(it)))
            }
        }
        from.deserialize_any(Object(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow, default)]
        text: Text<'a>,
        #[serde(default)]
        count: Count,
        #[serde(default)]
        flag: Flag,
        #[serde(default)]
        given: Given,
        #[serde(default)]
        inner: Maybe<Inner>,
    }

    #[derive(Deserialize)]
    struct Inner {
        #[serde(default)]
        count: Count,
    }

    #[test]
    fn whatever_stands_there_costs_no_line() {
        for (json, text, count, flag, given) in [
            (r#"{}"#, "", 0, false, false),
            (r#"{"text":null,"count":null,"flag":null,"given":null}"#, "", 0, false, false),
            (r#"{"text":"a","count":7,"flag":true,"given":{"a":[1]}}"#, "a", 7, true, true),
            (r#"{"text":"a\"b","count":"7","given":"x"}"#, "a\"b", 7, false, true),
            (r#"{"text":1,"count":7.0,"flag":"true","given":1}"#, "", 7, false, true),
            (r#"{"text":{"a":1},"count":-7,"flag":{},"given":[]}"#, "", 0, false, true),
            (r#"{"text":["a"],"count":[7],"flag":[true]}"#, "", 0, false, false),
            (r#"{"count":9007199254740991}"#, "", 9_007_199_254_740_991, false, false),
        ] {
            let line: Line<'_> = serde_json::from_str(json).unwrap();
            assert_eq!((&*line.text.0, line.count.0), (text, count), "{json}");
            assert_eq!((line.flag.0, line.given.0), (flag, given), "{json}");
        }
        for (json, count) in [
            (r#"{"inner":{"count":3}}"#, Some(3)),
            (r#"{"inner":"3"}"#, None),
            (r#"{"inner":[3]}"#, None),
        ] {
            let line: Line<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(line.inner.0.map(|inner| inner.count.0), count);
        }
    }
}
