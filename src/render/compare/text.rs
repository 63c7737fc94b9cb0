//! The figures of a comparison as people read them, and as programs do.

use crate::figures;
use crate::render::tables::Cell;
use crate::report::compare::measure::{Change, Figure, Measure, Unit};

/// The values of both sides.
pub fn values(it: &Change) -> [Cell; 2] {
    [0, 1].map(|at| match (it.exact[at], it.measure.unit) {
        (Some(micros), Unit::Money) => Cell::Money(micros),
        (Some(ms), Unit::Duration) => Cell::Duration(ms),
        (Some(n), Unit::Count) => Cell::Count(n),
        _ => value(it.measure, it.values[at]),
    })
}

/// A value that is not whole.
fn value(measure: &Measure, value: Option<f64>) -> Cell {
    let Some(value) = value else { return Cell::Unknown };
    let whole = whole(value);
    match measure.unit {
        Unit::Money => Cell::Money(whole),
        Unit::Duration => Cell::Duration(whole),
        Unit::Share => Cell::Text(figures::percent_tenths(self::whole(value * 1e6), 1_000_000)),
        Unit::Count if value >= 100.0 => Cell::Count(whole),
        Unit::Count => {
            let tenths = self::whole(value * 10.0);
            Cell::Text(format!("{}.{}", tenths / 10, tenths % 10))
        }
    }
}

/// `-26 %`, `-5.0 pt`, with `~` where chance alone explains it.
pub fn change(it: &Change) -> Cell {
    let Some(change) = it.change else { return Cell::Empty };
    let mark = if it.may_be_chance() == Some(true) { " ~" } else { "" };
    Cell::Text(format!("{} {}{mark}", signed(it.measure, change), unit(it.measure)))
}

/// `-12 to +35 %`; sums have none.
pub fn interval(it: &Change) -> Cell {
    let Some((low, high)) = it.interval else {
        let is_sum = matches!(it.measure.figure, Figure::Sum(_));
        return if is_sum { Cell::Empty } else { Cell::Unknown };
    };
    let (low, high) = (signed(it.measure, low), signed(it.measure, high));
    Cell::Text(format!("{low} to {high} {}", unit(it.measure)))
}

/// A change with its sign: percent, or tenths of points.
pub fn signed(measure: &Measure, change: f64) -> String {
    let sign = |is_none: bool| match is_none {
        true => "",
        false if change < 0.0 => "-",
        false => "+",
    };
    if measure.is_share() {
        let tenths = whole(change.abs() * 1_000.0);
        return format!("{}{}.{}", sign(tenths == 0), tenths / 10, tenths % 10);
    }
    let percent = whole(change.abs() * 100.0);
    format!("{}{}", sign(percent == 0), figures::thousands(percent))
}

/// What a change is counted in.
pub fn unit(measure: &Measure) -> &'static str {
    if measure.is_share() { "pt" } else { "%" }
}

/// Six decimals: the last digits of a logarithm may differ from machine to machine.
pub fn rounded(value: f64) -> f64 {
    let value = (value * 1e6).round() / 1e6;
    if value == 0.0 { 0.0 } else { value }
}

/// Rounded half up.
fn whole(value: f64) -> u128 {
    (value + 0.5).floor() as u128
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::compare::measure::MEASURES;

    #[test]
    fn changes_have_a_sign_and_nothing_has_none() {
        let measure = |key: &str| MEASURES.iter().find(|it| it.key == key).unwrap();
        for (key, change, said) in [
            ("tasks", 0.125, "+13"),
            ("tasks", -0.004, "0"),
            ("tasks", 12.345, "+1,235"),
            ("success_rate", -0.0504, "-5.0"),
            ("success_rate", 0.0004, "0.0"),
        ] {
            assert_eq!(signed(measure(key), change), said);
        }
        assert_eq!(value(measure("tasks_per_day"), Some(12.35)), Cell::Text("12.4".to_owned()));
        assert_eq!(value(measure("tokens_per_task"), Some(1234.5)), Cell::Count(1235));
        assert_eq!(value(measure("cached_share"), Some(0.9186)), Cell::Text("91.9 %".to_owned()));
        assert_eq!(rounded(-1e-9).to_string(), "0");
    }
}
