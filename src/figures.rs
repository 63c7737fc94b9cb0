//! Figures as people read them: thousands, durations, shares. All rounding is half up.

/// `553,466,083`.
pub fn thousands(n: u128) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// At most four characters of digits and a letter for thousands and more: `730.9k`, `68.4M`.
pub fn compact(n: u128) -> String {
    if n < 10_000 {
        return thousands(n);
    }
    let units = [("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000), ("T", 1_000_000_000_000)];
    let fits = |(_, unit): &&(&str, u128)| tenths(n, *unit) < 10_000;
    let (letter, unit) = units.iter().find(fits).unwrap_or(&units[3]);
    let tenths = tenths(n, *unit);
    format!("{}.{}{letter}", thousands(tenths / 10), tenths % 10)
}

/// For a sentence: exact below a million, else `559.4 M`.
pub fn rough(n: u128) -> String {
    let (unit, letter) = match n {
        0..=999_999 => return thousands(n),
        1_000_000..=999_949_999 => (1_000_000, "M"),
        999_950_000..=999_949_999_999 => (1_000_000_000, "G"),
        _ => (1_000_000_000_000, "T"),
    };
    let tenths = tenths(n, unit);
    format!("{}.{} {letter}", thousands(tenths / 10), tenths % 10)
}

fn tenths(n: u128, unit: u128) -> u128 {
    divided(n.saturating_mul(10), unit)
}

/// The two largest units, three digits below a minute: `850 ms`, `45.0 s`, `3m 16s`, `1h 08m`.
pub fn duration(ms: u128) -> String {
    let seconds = divided(ms, 1_000);
    let minutes = divided(ms, 60_000);
    match ms {
        0..=999 => format!("{ms} ms"),
        1_000..=59_949 => {
            let tenths = divided(ms, 100);
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        _ if seconds < 3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", thousands(minutes / 60), minutes % 60),
    }
}

/// Millionths of a dollar in cents: `$1,337.30`, and `<$0.01` for what is neither nothing nor a cent.
pub fn dollars(micros: u128) -> String {
    match divided(micros, 10_000) {
        0 if micros > 0 => "<$0.01".to_owned(),
        cents => format!("${}.{:02}", thousands(cents / 100), cents % 100),
    }
}

/// Millionths of a dollar as an exact number: `1337.300000`.
pub fn exact_dollars(micros: u128) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// A share in tenths of a percent: `90.9 %`.
pub fn percent_tenths(part: u128, whole: u128) -> String {
    let permille = divided(part.saturating_mul(1_000), whole);
    format!("{}.{} %", permille / 10, permille % 10)
}

/// A share in whole percent: `92 %`, and `<1 %` for what is neither nothing nor one percent.
pub fn percent(part: u128, whole: u128) -> String {
    match divided(part.saturating_mul(100), whole) {
        0 if part > 0 => "<1 %".to_owned(),
        percent => format!("{percent} %"),
    }
}

/// Bytes in powers of 1,024, as `ls -h` counts them: `850 B`, `12.3 MiB`.
pub fn bytes(n: u64) -> String {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
    if n < 1_024 {
        return format!("{n} B");
    }
    let fits = |(_, unit): &&(&str, u128)| tenths(n.into(), *unit) < 10_240;
    let (name, unit) = units.iter().find(fits).unwrap_or(&units[3]);
    let tenths = tenths(n.into(), *unit);
    format!("{}.{} {name}", thousands(tenths / 10), tenths % 10)
}

/// `part` of `whole`, rounded half up; 0 where there is no whole.
pub fn divided(part: u128, whole: u128) -> u128 {
    match whole {
        0 => 0,
        _ => part / whole + u128::from(part % whole >= whole.div_ceil(2)),
    }
}

/// `1,143 rows`, `1 row`.
pub fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(n.into()), if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_their_two_largest_units() {
        for (ms, text) in [
            (0, "0 ms"),
            (850, "850 ms"),
            (1_000, "1.0 s"),
            (45_000, "45.0 s"),
            (59_949, "59.9 s"),
            (59_950, "1m 00s"),
            (196_400, "3m 16s"),
            (3_599_499, "59m 59s"),
            (3_599_500, "1h 00m"),
            (4_080_000, "1h 08m"),
            (211_860_000, "58h 51m"),
        ] {
            assert_eq!(duration(ms), text, "{ms}");
        }
    }

    #[test]
    fn figures_are_rounded_half_up() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(999), "999");
        assert_eq!(compact(9_999), "9,999");
        assert_eq!(compact(730_894), "730.9k");
        assert_eq!(compact(999_950), "1.0M");
        assert_eq!(compact(68_358_188), "68.4M");
        assert_eq!(rough(26_400), "26,400");
        assert_eq!(rough(559_407_068), "559.4 M");
        assert_eq!(rough(999_950_000), "1.0 G");
        assert_eq!(percent_tenths(641, 705), "90.9 %");
        assert_eq!(percent_tenths(1, 2_000), "0.1 %");
        assert_eq!(percent(1, 1_000), "<1 %");
        assert_eq!(percent(0, 0), "0 %");
        assert_eq!(bytes(1_023), "1023 B");
        assert_eq!(bytes(12_897_484), "12.3 MiB");
        assert_eq!(bytes((1 << 20) - 1), "1.0 MiB");
        assert_eq!(dollars(0), "$0.00");
        assert_eq!(dollars(4_999), "<$0.01");
        assert_eq!(dollars(5_000), "$0.01");
        assert_eq!(dollars(262_500), "$0.26");
        assert_eq!(dollars(1_234_567_895_000), "$1,234,567.90");
        assert_eq!(exact_dollars(262_500), "0.262500");
        assert_eq!(divided(5, 2), 3);
        assert_eq!(divided(1, 3), 0);
        assert_eq!(divided(5, 3), 2);
        assert_eq!(divided(3, 3), 1);
    }
}
