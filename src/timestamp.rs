//! RFC 3339 ⇄ instant and offset; the calendar day, week and month of a row's own offset.

use std::fmt;
use std::str;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};

const DAY_S: i64 = 86_400;

/// A moment on the time line, in UTC; two rows written in different zones compare by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Instant {
    /// Whole seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanos: u32,
}

/// A moment together with the offset of the clock on the wall where it was stamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    instant: Instant,
    offset_s: i32,
}

impl Timestamp {
    /// Reads RFC 3339 as the ledger writes it: `T`, `Z` or `±hh:mm`, a real date, seconds 00–59, at
    /// most nine digits of a fraction. chrono alone would also take a space, U+2212 and second 60.
    pub fn parse(text: &str) -> Option<Timestamp> {
        has_shape(text.as_bytes(), b"T", b"Z").then(|| from_shaped(text))?
    }

    /// As [`Timestamp::parse`], and lower case `t` and `z`, which RFC 3339 allows and we never write.
    pub fn parse_liberally(text: &str) -> Option<Timestamp> {
        has_shape(text.as_bytes(), b"Tt", b"Zz").then(|| from_shaped(text))?
    }

    /// A moment on a clock that shows UTC.
    pub const fn utc(instant: Instant) -> Timestamp {
        Timestamp { instant, offset_s: 0 }
    }

    /// The moment without its offset.
    pub fn instant(self) -> Instant {
        self.instant
    }

    /// The calendar day in the timestamp's own offset.
    pub fn day(self) -> Day {
        Day(self.local_seconds().div_euclid(DAY_S) as i32)
    }

    /// The hour, 0 to 23, in the timestamp's own offset.
    pub fn hour(self) -> u8 {
        (self.local_seconds().rem_euclid(DAY_S) / 3600) as u8
    }

    /// The same offset at another moment, cut to whole microseconds.
    pub fn at_microsecond(self, seconds: i64, micros: u32) -> Timestamp {
        let nanos = micros * 1_000;
        Timestamp { instant: Instant { seconds, nanos }, ..self }
    }

    /// The same moment cut to whole seconds.
    pub fn at_second(self) -> Timestamp {
        self.at_microsecond(self.instant.seconds, 0)
    }

    /// `YYYYMMDDTHHMMSSZ`, in UTC, as it stands in the names of sealed segments. An offset may put
    /// the first or last day of the calendar outside its four-digit years: then that day's end.
    pub fn compact_utc(self) -> String {
        let utc = DateTime::from_timestamp(self.instant.seconds, 0);
        match utc.filter(|utc| (0..=9999).contains(&utc.year())) {
            Some(utc) => utc.format("%Y%m%dT%H%M%SZ").to_string(),
            None if self.instant.seconds < 0 => "00000101T000000Z".to_owned(),
            None => "99991231T235959Z".to_owned(),
        }
    }

    /// Writes it as [`fmt::Display`] does, for many in a row.
    pub fn write_to(self, out: &mut String) {
        let seconds = self.local_seconds();
        let (year, month, day) = Day(seconds.div_euclid(DAY_S) as i32).ymd();
        let second = seconds.rem_euclid(DAY_S) as u32;
        push_two(year as u32 / 100, out);
        let fields = [
            (year as u32, '-'),
            (month, '-'),
            (day, 'T'),
            (second / 3600, ':'),
            (second / 60 % 60, ':'),
            (second % 60, '.'),
        ];
        for (number, after) in fields {
            push_two(number, out);
            out.push(after);
        }
        match self.instant.nanos / 1_000 {
            _ if self.instant.nanos == 0 => drop(out.pop()),
            micros => {
                push_two(micros / 10_000, out);
                push_two(micros / 100, out);
                push_two(micros, out);
            }
        }
        if self.offset_s == 0 {
            return out.push('Z');
        }
        let minutes = self.offset_s.unsigned_abs() / 60;
        out.push(if self.offset_s < 0 { '-' } else { '+' });
        push_two(minutes / 60, out);
        out.push(':');
        push_two(minutes % 60, out);
    }

    fn local_seconds(self) -> i64 {
        self.instant.seconds + i64::from(self.offset_s)
    }
}

/// Reads timestamps by position and remembers the last date: rows of a ledger stand in order, and
/// what a date is in days is worth knowing only once a day.
pub struct Reader {
    /// Dates, each with where it begins in seconds, by their last digits: with clocks of all
    /// offsets a ledger goes to and fro between two or three.
    dates: [([u8; 10], i64); 4],
    /// Offsets as they are written, each with its seconds, by their hours.
    offsets: [([u8; 6], i32); 8],
}

impl Default for Reader {
    fn default() -> Reader {
        Reader { dates: [(*b"1970-01-01", 0); 4], offsets: [(*b"+00:00", 0); 8] }
    }
}

impl Reader {
    /// As [`Timestamp::parse_liberally`], faster for rows of the same days.
    #[inline(always)]
    pub fn read(&mut self, text: &[u8]) -> Option<Timestamp> {
        let (begin, zone) = text.split_first_chunk::<19>()?;
        let (offset_s, nanos) = match *zone {
            [b'Z' | b'z'] => (0, 0),
            [b'.', ..] => fraction_and_offset(zone)?,
            _ => (self.offset(zone.try_into().ok()?)?, 0),
        };
        let midnight = self.midnight(begin.first_chunk()?)?;
        let local = midnight + i64::from(time_of_day(*begin.last_chunk()?)?);
        if !matches!(begin[10], b'T' | b't') {
            return None;
        }
        let instant = Instant { seconds: local - i64::from(offset_s), nanos };
        Some(Timestamp { instant, offset_s })
    }

    #[inline(always)]
    fn midnight(&mut self, date: &[u8; 10]) -> Option<i64> {
        let (known, midnight) = &mut self.dates[usize::from(date[9] % 4)];
        if known != date {
            let day = str::from_utf8(date).ok().and_then(Day::parse)?;
            (*known, *midnight) = (*date, i64::from(day.0) * DAY_S);
        }
        Some(*midnight)
    }

    #[inline(always)]
    fn offset(&mut self, zone: &[u8; 6]) -> Option<i32> {
        let (known, offset_s) = &mut self.offsets[usize::from(zone[2] % 8)];
        if known != zone {
            (*known, *offset_s) = (*zone, offset(*zone)?);
        }
        Some(*offset_s)
    }
}

/// Seconds since midnight of `hh:mm:ss`, all eight bytes looked at as one number: digits become
/// their values, colons 0, and what is neither sets the highest bit of its byte.
#[inline(always)]
fn time_of_day(time: [u8; 8]) -> Option<u32> {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let digits = u64::from_le_bytes(time) ^ u64::from_le_bytes(*b"00:00:00");
    let not_digits = digits.wrapping_add(0x7676_7F76_767F_7676) | digits;
    // Hours, minutes and seconds as bytes 0, 3 and 6; 24 and 60 of them set its highest bit.
    let numbers = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00FF_0000_FF00_00FF;
    let too_large = numbers + 0x0044_0000_4400_0068;
    let fits = (not_digits | too_large) & HIGH == 0;
    let at = |byte: u32| (numbers >> (byte * 8)) as u32 & 0xFF;
    fits.then_some(at(0) * 3600 + at(3) * 60 + at(6))
}

/// Seconds of `±hh:mm`.
fn offset([sign, h, i, colon, m, n]: [u8; 6]) -> Option<i32> {
    let time = time_of_day([h, i, colon, m, n, b':', b'0', b'0'])? as i32;
    match sign {
        b'+' => Some(time),
        b'-' => Some(-time),
        _ => None,
    }
}

/// What follows whole seconds: a fraction of one to nine digits, and the offset.
fn fraction_and_offset(bytes: &[u8]) -> Option<(i32, u32)> {
    let fraction = bytes.strip_prefix(b".")?;
    let count = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, zone) = fraction.split_at(count);
    let scale = 10u32.pow(9u32.checked_sub(u32::try_from(count).ok()?)?);
    let nanos = digits.iter().fold(0, |sum, b| sum * 10 + u32::from(b - b'0')) * scale;
    match *zone {
        _ if count == 0 => None,
        [b'Z' | b'z'] => Some((0, nanos)),
        _ => Some((offset(zone.try_into().ok()?)?, nanos)),
    }
}

impl From<DateTime<FixedOffset>> for Timestamp {
    fn from(time: DateTime<FixedOffset>) -> Timestamp {
        let instant = Instant { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos() };
        Timestamp { instant, offset_s: time.offset().local_minus_utc() }
    }
}

/// RFC 3339 with whole seconds, or with six digits where the moment is not a whole second.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(32);
        self.write_to(&mut text);
        f.write_str(&text)
    }
}

/// The last two decimal digits of a number.
fn push_two(number: u32, out: &mut String) {
    out.push(char::from(b'0' + (number / 10 % 10) as u8));
    out.push(char::from(b'0' + (number % 10) as u8));
}

/// A calendar day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Day(pub i32);

impl Day {
    /// Reads `YYYY-MM-DD`, a real date of four-digit years.
    pub fn parse(text: &str) -> Option<Day> {
        let bytes = text.as_bytes();
        if bytes.len() != 10 || !has_date(bytes) {
            return None;
        }
        let number = |digits: &[u8]| digits.iter().fold(0, |sum, b| sum * 10 + u32::from(b - b'0'));
        let (year, month, day) = (number(&bytes[..4]), number(&bytes[5..7]), number(&bytes[8..]));
        NaiveDate::from_ymd_opt(year as i32, month, day).map(Day::from)
    }

    /// The Monday of this day's ISO 8601 week.
    pub fn monday(self) -> Day {
        Day(self.0 - i32::from(self.weekday()))
    }

    /// 0 for Monday to 6 for Sunday.
    pub fn weekday(self) -> u8 {
        // 1970-01-01 was a Thursday.
        (self.0 + 3).rem_euclid(7) as u8
    }

    /// The ISO 8601 week that holds this day, as `2026-W09`.
    pub fn iso_week(self) -> String {
        let week = self.date().iso_week();
        format!("{:04}-W{:02}", week.year(), week.week())
    }

    /// Months since January of year 0.
    pub fn month(self) -> i32 {
        let date = self.date();
        date.year() * 12 + date.month0() as i32
    }

    /// `(year, month 1–12, day of the month)`.
    pub fn ymd(self) -> (i32, u32, u32) {
        let date = self.date();
        (date.year(), date.month(), date.day())
    }

    fn date(self) -> NaiveDate {
        let epoch = NaiveDate::default();
        epoch.checked_add_signed(TimeDelta::days(i64::from(self.0))).unwrap_or(epoch)
    }
}

impl From<NaiveDate> for Day {
    fn from(date: NaiveDate) -> Day {
        Day(date.signed_duration_since(NaiveDate::default()).num_days() as i32)
    }
}

/// `YYYY-MM-DD`.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.ymd();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

fn from_shaped(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc3339(text).ok().map(Timestamp::from)
}

fn has_date(b: &[u8]) -> bool {
    b[..4].iter().all(u8::is_ascii_digit)
        && b[4] == b'-'
        && two_digits(b, 5, 12)
        && b[7] == b'-'
        && two_digits(b, 8, 31)
}

/// Whether two digits stand at `at` and are at most `max`.
fn two_digits(b: &[u8], at: usize, max: u8) -> bool {
    match (b.get(at), b.get(at + 1)) {
        (Some(t @ b'0'..=b'9'), Some(u @ b'0'..=b'9')) => (t - b'0') * 10 + (u - b'0') <= max,
        _ => false,
    }
}

/// The grammar of RFC 3339 §5.6, less the leap second; whether the date exists is chrono's to say.
fn has_shape(b: &[u8], t: &[u8], z: &[u8]) -> bool {
    if b.len() < 20 || !has_date(b) || !t.contains(&b[10]) {
        return false;
    }
    let time = two_digits(b, 11, 23) && b[13] == b':' && two_digits(b, 14, 59);
    if !(time && b[16] == b':' && two_digits(b, 17, 59)) {
        return false;
    }
    let mut zone = &b[19..];
    if zone[0] == b'.' {
        let digits = zone[1..].iter().take_while(|c| c.is_ascii_digit()).count();
        if digits == 0 || digits > 9 {
            return false;
        }
        zone = &zone[1 + digits..];
    }
    match zone {
        [c] => z.contains(c),
        [b'+' | b'-', _, _, b':', _, _] => two_digits(zone, 1, 23) && two_digits(zone, 4, 59),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// chrono is the judge of every date and time.
        #[test]
        fn reading_by_position_agrees_with_chrono(
            stamps in prop::collection::vec(
                "[0-9]{4}-(0[0-9]|1[0-3])-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,10})?([Zz]|[+-][0-2][0-9]:[0-6][0-9])",
                1..9,
            ),
        ) {
            let mut reader = Reader::default();
            for stamp in &stamps {
                prop_assert_eq!(reader.read(stamp.as_bytes()), Timestamp::parse_liberally(stamp), "{}", stamp);
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "2026-02-23T22:19:12+01:00",
            "1969-12-31T23:59:59-08:00",
            "2026-02-23T22:19:12.483920Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59-23:59",
        ] {
            let timestamp = Timestamp::parse(text).unwrap();
            assert_eq!(timestamp.to_string(), text);
        }
    }

    #[test]
    fn a_day_is_that_of_its_own_offset() {
        let late = Timestamp::parse("2026-02-23T23:30:00-05:00").unwrap();
        assert_eq!(late.day().to_string(), "2026-02-23");
        assert_eq!(late.instant(), Timestamp::parse("2026-02-24T04:30:00Z").unwrap().instant());
        assert_eq!(late.hour(), 23);
    }

    #[test]
    fn weeks_are_iso_weeks() {
        for (day, monday, week) in [
            ("2026-01-01", "2025-12-29", "2026-W01"),
            ("2027-01-03", "2026-12-28", "2026-W53"),
            ("1969-12-31", "1969-12-29", "1970-W01"),
        ] {
            let day = Day::parse(day).unwrap();
            assert_eq!(day.monday().to_string(), monday);
            assert_eq!(day.iso_week(), week);
        }
    }
}
